"""The report on a connection: what is judged of each lock, and when it may say *ready*."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from key2xs.core.ids import KeySystemId, new_id
from key2xs.keys.adoption.checking import (
    CheckedLock,
    examine_account,
    judge_locks,
    report_of,
    shown,
)
from key2xs.keys.adoption.connections import ConnectionState
from key2xs.keys.onboarding import Finding, Weight

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SYSTEM = ConnectionState(
    id=KeySystemId(new_id()), name="iloq", vendor="iloq", writes=False, writes_at=None, writes_reason=None,
    inventory_at=NOW, stopped_at=None, why=None, keys=0, adopted=0,
)  # fmt: skip
GOOD = CheckedLock("L1", "AP-1", "yes", "yes", hidden_rights=False, planned=True, programmed=True)
SIGNED_IN = Finding("sign_in", Weight.FINE, "ok")


def weights(*locks: CheckedLock, system: ConnectionState = SYSTEM) -> dict[str, Weight]:
    return {each.check: each.weight for each in judge_locks(system, locks)}


def test_a_good_lock_is_fine_in_every_respect() -> None:
    found = weights(GOOD)
    assert set(found) == {"api_rights", "no_clock", "limits_ignored"}
    assert set(found.values()) == {Weight.FINE}


@pytest.mark.parametrize(
    ("bad", "check", "weight"),
    [
        (replace(GOOD, planned=False, programmed=False), "api_rights", Weight.STOPS),
        (replace(GOOD, programmed=False), "to_program", Weight.STOPS),
        (replace(GOOD, has_clock="no"), "no_clock", Weight.WEAKENS),
        (replace(GOOD, has_clock="unknown"), "clock_unknown", Weight.WEAKENS),
        (replace(GOOD, honours_limits="no"), "limits_ignored", Weight.WEAKENS),
        (replace(GOOD, honours_limits="unknown"), "limits_unknown", Weight.WEAKENS),
        (replace(GOOD, hidden_rights=True), "hidden_rights", Weight.WEAKENS),
    ],
)
def test_each_thing_a_lock_lacks_is_one_finding_that_names_the_lock_and_the_remedy(
    bad: CheckedLock, check: str, weight: Weight
) -> None:
    found = {each.check: each for each in judge_locks(SYSTEM, [GOOD, replace(bad, lock="L2")])}
    assert found[check].weight is weight
    assert (found[check].names, found[check].count) == (("L2 (AP-1)",), 1)
    assert found[check].says.startswith("1 lock ")
    assert found[check].does
    assert found[check].who
    others = {other.weight for name, other in found.items() if name != check}
    assert others <= {Weight.FINE}


def test_a_plan_that_the_vendor_does_not_tell_from_the_lock_is_no_finding() -> None:
    assert weights(replace(GOOD, programmed=None))["api_rights"] is Weight.FINE


def test_cliq_locks_need_no_right_because_the_list_is_in_the_key() -> None:
    cliq = replace(SYSTEM, vendor="cliq")
    assert "api_rights" not in weights(replace(GOOD, planned=False), system=cliq)


@pytest.mark.parametrize(("system", "locks"), [(replace(SYSTEM, inventory_at=None), [GOOD]), (SYSTEM, [])])
def test_locks_that_were_not_listed_are_not_called_fine(
    system: ConnectionState, locks: list[CheckedLock]
) -> None:
    report = report_of(system, [SIGNED_IN], locks, NOW)
    assert [each.weight for each in report.findings] == [Weight.NOT_CHECKED, Weight.FINE]
    assert not report.ready


def test_the_worst_comes_first_and_only_what_stops_or_was_not_checked_keeps_it_from_being_ready() -> None:
    weak, note = replace(GOOD, has_clock="no"), Finding("zones", Weight.NOTE, "split")
    report = report_of(SYSTEM, [note, SIGNED_IN], [weak], NOW)
    assert [each.weight for each in report.findings][:2] == [Weight.WEAKENS, Weight.NOTE]
    assert report.ready
    stopped = Finding("rights", Weight.STOPS, "lacks one", "admin", "give it")
    report = report_of(SYSTEM, [SIGNED_IN, stopped], [weak], NOW)
    assert report.findings[0] == stopped
    assert not report.ready


def test_long_lists_are_cut_and_counted() -> None:
    locks = [replace(GOOD, lock=f"L{number}", has_clock="no") for number in range(7)]
    (line,) = [
        each
        for each in shown(report_of(SYSTEM, [], locks, NOW), 3)["findings"]
        if each["check"] == "no_clock"
    ]
    assert (line["names"], line["count"]) == (["L0 (AP-1)", "L1 (AP-1)", "L2 (AP-1)"], 7)
    assert line["says"].startswith("7 locks have no clock")


async def test_a_key_system_that_is_not_configured_is_not_called_fine() -> None:
    (found,) = await examine_account(None)
    assert found.weight is Weight.NOT_CHECKED
