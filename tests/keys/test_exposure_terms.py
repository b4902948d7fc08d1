"""Mutation check: each term of the bound is disabled in turn, and a check that held before must fail.

A case is a key whose truth is written out by hand: `can_open_at`, an instant at which such a key can physically still
open (a bound before it would be a lie), or `must_end_by`, an instant by which a bound must lie (a later one would be
useless). A mutant is the rule without one term: another setting, or one term function replaced. Nothing else is patched.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from key2xs.keys import exposure
from key2xs.keys.exposure import Exposure, ExposureKind, ExposureSettings, KeyOnRecord, LockClass
from key2xs.keys.port import KeyKind, ProgrammingState
from key2xs.keys.program import (
    EMPTY_PROGRAM,
    UNLIMITED,
    OfflineUpdates,
    Program,
    ProgramOnDevice,
    ProgramState,
    WeeklyWindow,
)
from tests.conftest import START

EIGHT = START
NINE = EIGHT + timedelta(hours=1)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
GOOD = LockClass(has_clock="yes", honours_limits="yes", online_required="no", clock_set_on=EIGHT.date())
BARE = LockClass(has_clock="no", honours_limits="no", online_required="no")
RIGHT = frozenset("a")
END = Program(RIGHT, ends_at=EIGHT + 4 * HOUR)
COUNTS = Program(RIGHT, offline_expires_after=4 * HOUR)
ENDLESS = Program(RIGHT, offline_expires_after=UNLIMITED)


def proven(program: Program, at: datetime = EIGHT) -> ProgramOnDevice:
    return ProgramOnDevice(program, ProgramState.PROVEN, written_at=at, ordered_at=at, proven_at=at)


def sent(program: Program = EMPTY_PROGRAM, at: datetime = NINE, **more: Any) -> ProgramOnDevice:
    return ProgramOnDevice(program, ProgramState.POSSIBLE, written_at=at, ordered_at=at, **more)


def key(kind: KeyKind, *programs: ProgramOnDevice, **more: Any) -> KeyOnRecord:
    given = {"programming_state": ProgrammingState.ORDERED, "as_of": NINE, **more}
    return KeyOnRecord("key-1", kind, programs, **given)


@dataclass(frozen=True)
class Mutant:
    """The rule without one term: settings, or a function of the rule put in place of another."""

    settings: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    put: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
    block_list_at: datetime | None = None
    known: Callable[[KeyOnRecord], KeyOnRecord] = lambda record: record


@dataclass(frozen=True)
class Case:
    """One term: a key and a lock at which it decides, and what is true there."""

    what: str
    terms: tuple[str, ...]
    record: KeyOnRecord
    lock: LockClass
    mutant: Mutant
    can_open_at: datetime | None = None
    must_end_by: datetime | None = None
    settings: ExposureSettings = field(default_factory=ExposureSettings)
    block_list_at: datetime | None = None

    def answer(self) -> Exposure:
        return self._answer(self.record, self.settings, self.block_list_at)

    def answer_of_mutant(self) -> Exposure:
        settings = replace(self.settings, **self.mutant.settings)
        return self._answer(self.mutant.known(self.record), settings, self.mutant.block_list_at)

    def _answer(
        self, record: KeyOnRecord, settings: ExposureSettings, block_list_at: datetime | None
    ) -> Exposure:
        opening = ["a" in item.program.rights for item in record.programs]
        return exposure.expose(
            record, opening, self.lock, settings=settings, block_list_at=block_list_at,
            ended_at=record.ended_at.get("a"),
        )  # fmt: skip

    def check(self, found: Exposure) -> None:
        if self.can_open_at is not None:
            assert found.kind is not ExposureKind.PROVEN_END, self.what
            assert found.at is None or found.at >= self.can_open_at, (self.what, found)
        if self.must_end_by is not None:
            assert found.at is not None, (self.what, found)
            assert found.at <= self.must_end_by, (self.what, found)
        assert set(self.terms) <= {term.name for term in found.terms}, (self.what, found.terms)


def absent(name: str) -> Mutant:
    """A limit that is no longer counted."""
    return Mutant(name=name, put=lambda _: lambda *_given: exposure._Latest(None, (), ()))


def wrapped(name: str, change: Callable[..., tuple[Any, ...]]) -> Mutant:
    """A limit that is counted although a condition of it does not hold: its arguments say that it does."""
    return Mutant(name=name, put=lambda inner: lambda *given: inner(*change(*given)))


def always(name: str, value: Any) -> Mutant:
    return Mutant(name=name, put=lambda _: lambda *_given: value)


MARGINS = ("end date in the key", "clock margin")
METAL_ENDS = key(KeyKind.METAL, proven(END), sent())
CLIQ = key(KeyKind.DYNAMIC, proven(COUNTS), sent())
CLIQ_TERMS = ("last update at the latest", "revalidation", "clock margin")
GAP = OfflineUpdates(3, 2 * HOUR)

CASES = (
    # --- limits that end it: without them there is no end, or a later one
    Case("end date at a lock that judges it", MARGINS, METAL_ENDS, GOOD, absent("_by_end_date"),
         must_end_by=EIGHT + 4 * HOUR + 3 * MINUTE),
    Case("end of validity in a key with a clock", ("end of validity in the key", "clock margin"),
         key(KeyKind.DYNAMIC, proven(replace(ENDLESS, ends_at=EIGHT + 4 * HOUR)), sent(), last_update_at=EIGHT), BARE,
         absent("_by_end_date_of_key"), must_end_by=EIGHT + 4 * HOUR + 3 * MINUTE),
    Case("offline time", ("countdown starts at the latest", "offline time", "clock margin"),
         key(KeyKind.FOB, proven(COUNTS), sent()), BARE, absent("_by_countdown"), must_end_by=NINE + 4 * HOUR + 4 * MINUTE),
    Case("revalidation", CLIQ_TERMS, CLIQ, BARE, absent("_by_revalidation"), must_end_by=NINE + 4 * HOUR + 4 * MINUTE),
    Case("lock that asks the server", ("lock asks the server",), key(KeyKind.PHONE, proven(ENDLESS), sent()),
         replace(BARE, online_required="yes"), absent("_by_online_lock"), must_end_by=NINE + 4 * MINUTE,
         settings=ExposureSettings(online_locks_refuse=True)),
    Case("block list that reached the lock", ("block list reached this lock",), key(KeyKind.METAL, proven(ENDLESS)), BARE,
         Mutant(block_list_at=None), must_end_by=NINE, block_list_at=NINE),
    Case("a lock that lists a normal key no longer", ("the lock lists the key no longer",),
         key(KeyKind.NORMAL, proven(ENDLESS), ended_at={"a": NINE}), BARE,
         Mutant(known=lambda record: replace(record, ended_at={})), must_end_by=NINE),
    Case("known loss of network", ("countdown starts at the latest",),
         key(KeyKind.PHONE, proven(COUNTS), out_of_contact_since=EIGHT), BARE, always("_countdown_start", None),
         must_end_by=EIGHT + 4 * HOUR + 3 * MINUTE),
    Case("program that does not open it", ("no program in the key opens this lock",), key(KeyKind.METAL, proven(EMPTY_PROGRAM)),
         BARE, always("_never_opened", Exposure(ExposureKind.NO_BOUND, None)), must_end_by=NINE),
    # --- margins: a clock as wrong as the facts allow
    Case("a lock clock that is two minutes slow", MARGINS, METAL_ENDS, GOOD, Mutant({"margin_base": timedelta(0)}),
         can_open_at=EIGHT + 4 * HOUR + 2 * MINUTE),
    Case("a lock clock that was set thirty days ago", MARGINS, METAL_ENDS,
         replace(GOOD, clock_set_on=EIGHT.date() - timedelta(days=30)), Mutant({"margin_per_day": timedelta(0)}),
         can_open_at=EIGHT + 4 * HOUR + 3 * MINUTE),
    Case("a lock clock of unknown age", MARGINS, METAL_ENDS, replace(GOOD, clock_set_on=None),
         Mutant({"unknown_clock_age": timedelta(0)}), can_open_at=EIGHT + 4 * HOUR + 2 * MINUTE + 365 * 2 * SECOND),
    Case("a contact just before the order reached everything", ("countdown starts at the latest",),
         key(KeyKind.FOB, proven(COUNTS), sent()), BARE, Mutant({"delivery_lag": timedelta(0)}),
         can_open_at=NINE + 59 * SECOND + 4 * HOUR + 2 * MINUTE),
    # --- conditions: a limit that may not hold must not count
    Case("a lock that ignores time limits", ("end date in the key",), METAL_ENDS, replace(GOOD, honours_limits="no"),
         wrapped("_by_end_date", lambda item, of, lock, settings: (item, of, replace(lock, honours_limits="yes"), settings)),
         can_open_at=EIGHT + 400 * HOUR),
    Case("a lock without a clock", ("end date in the key",), METAL_ENDS, replace(GOOD, has_clock="no"),
         wrapped("_by_end_date", lambda item, of, lock, settings: (item, of, replace(lock, has_clock="yes"), settings)),
         can_open_at=EIGHT + 400 * HOUR),
    Case("a fob that supplies no time", ("end date in the key",), key(KeyKind.FOB, proven(replace(END, offline_expires_after=UNLIMITED)), sent()),
         replace(GOOD, has_clock="no"),
         wrapped("_by_end_date", lambda item, of, lock, settings: (item, replace(of, kind=KeyKind.PHONE), lock, settings)),
         can_open_at=EIGHT + 400 * HOUR),
    Case("a phone whose time nobody trusts", ("end date in the key",),
         key(KeyKind.PHONE, proven(replace(END, offline_expires_after=UNLIMITED)), sent()), replace(GOOD, has_clock="no"),
         Mutant({"phone_supplies_time": True}), can_open_at=EIGHT + 400 * HOUR, settings=ExposureSettings(phone_supplies_time=False)),
    Case("a scheduler that moves the end", MARGINS, key(KeyKind.METAL, proven(replace(END, renews_until=EIGHT + 48 * HOUR)), sent()), GOOD,
         wrapped("_by_end_date", lambda item, *rest: (replace(item, program=replace(item.program, renews_until=None)), *rest)),
         can_open_at=EIGHT + 48 * HOUR),
    Case("a metal key has no countdown", ("offline time",), key(KeyKind.METAL, proven(COUNTS), sent()), BARE,
         wrapped("_by_countdown", lambda item, of, settings: (item, replace(of, kind=KeyKind.FOB), settings)), can_open_at=EIGHT + 400 * HOUR),
    Case("an online lock nobody trusts", ("lock asks the server",), key(KeyKind.PHONE, proven(ENDLESS), sent()),
         replace(BARE, online_required="yes"), Mutant({"online_locks_refuse": True}), can_open_at=EIGHT + 400 * HOUR),
    Case("an order that was cancelled", ("offline time",),
         key(KeyKind.FOB, proven(COUNTS), sent(), programming_state=ProgrammingState.CANCELLED, as_of=NINE + HOUR), BARE,
         wrapped("_countdown_start", lambda item, of, settings: (item, replace(of, programming_state=ProgrammingState.ORDERED), settings)),
         can_open_at=EIGHT + 400 * HOUR),
    Case("a fetch that was not acknowledged starts it again", ("countdown starts at the latest",),
         key(KeyKind.PHONE, proven(COUNTS), sent(fetched_at=NINE + 2 * HOUR), programming_state=ProgrammingState.FETCHED,
             as_of=NINE + 2 * HOUR), BARE,
         wrapped("_countdown_start", lambda item, of, settings: (
             item, replace(of, programs=tuple(replace(each, fetched_at=None) for each in of.programs)), settings)),
         can_open_at=NINE + 6 * HOUR),
    Case("an update between the last reading and the order", CLIQ_TERMS, replace(CLIQ, last_update_at=EIGHT), BARE,
         always("_countdown_start", EIGHT), can_open_at=NINE + 4 * HOUR),
    Case("updaters without the server", (*CLIQ_TERMS, "updates without the server"), replace(CLIQ, offline_updates=GAP), BARE,
         always("_longest_without_server", 4 * HOUR), can_open_at=NINE + 6 * HOUR),
    Case("an updater that revives a lapsed key", ("revalidation",), replace(CLIQ, offline_updates=OfflineUpdates(1)), BARE,
         Mutant({"offline_revives": False}), can_open_at=EIGHT + 400 * HOUR),
    Case("a weekly schedule only narrows", ("weekly schedule",),
         key(KeyKind.METAL, proven(Program(RIGHT, schedule=frozenset({WeeklyWindow(0, 480, 720)}))), sent()), GOOD,
         wrapped("_by_end_date", lambda item, *rest: (replace(item, program=replace(item.program, ends_at=NINE)), *rest)),
         can_open_at=EIGHT + 400 * HOUR),
    # --- every program that may be in the key
    Case("the program before the last one", MARGINS, METAL_ENDS, GOOD,
         Mutant(known=lambda record: replace(record, programs=record.programs[-1:], was_empty_before=True)),
         can_open_at=EIGHT + 4 * HOUR),
    Case("the limits that a normal key has where another lists it", ("end of validity in the key",),
         key(KeyKind.NORMAL, proven(replace(END, rights=frozenset({"b"}), ends_at=EIGHT + 9 * HOUR)), sent(END)), BARE,
         Mutant(name="_listed_and_limited_apart", put=lambda _: lambda _key, opening: opening),
         can_open_at=EIGHT + 9 * HOUR),
    Case("the longest of several programs", MARGINS,
         key(KeyKind.METAL, proven(replace(END, ends_at=EIGHT + 9 * HOUR)), sent(END), sent(at=NINE + HOUR)), GOOD,
         Mutant(name="_worst", put=lambda inner: lambda ends: inner(ends[-1:])), can_open_at=EIGHT + 9 * HOUR),
    Case("what was in the key before anybody read it", ("program in the key",), key(KeyKind.METAL, sent()), GOOD,
         always("_unknown_predecessor", []), can_open_at=EIGHT + 400 * HOUR),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_the_rule_holds_and_without_the_term_it_does_not(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.check(case.answer())
    mutant = case.mutant
    if mutant.put is not None:
        monkeypatch.setattr(exposure, mutant.name, mutant.put(getattr(exposure, mutant.name)))
    with pytest.raises(AssertionError):
        replace(case, terms=()).check(case.answer_of_mutant())


def test_every_term_of_the_rule_and_every_setting_has_a_case() -> None:
    source = Path(exposure.__file__).read_text(encoding="utf-8")
    written = set(re.findall(r'(?:Term|_absent)\(\s*"([^"]+)"', source))
    shown = {name for case in CASES for name in case.terms}
    assert written - shown == {"still allowed by"}, "a term without a case"
    settings = {name for case in CASES for name in case.mutant.settings}
    assert settings == set(ExposureSettings.__dataclass_fields__)


def test_a_mutant_changes_something_that_exists() -> None:
    names: Sequence[str] = [case.mutant.name for case in CASES if case.mutant.name]
    assert all(callable(getattr(exposure, name)) for name in names)
