"""The vendor's codes, masks and names."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from key2xs.connectors import iloq
from key2xs.connectors.iloq.answers import (
    block_list_order_refusal,
    missing_options,
    missing_rights,
    order_refusal,
    return_refusal,
    zone_mismatch,
)
from key2xs.connectors.iloq.config import GRID, MAX_OFFLINE_EXPIRY
from key2xs.connectors.iloq.events import lock_event
from key2xs.connectors.iloq.mapping import key_kind, programming_state
from key2xs.connectors.iloq.payloads import Key, KeyLimits, LogRow, RightsOf, SecurityAccess
from key2xs.connectors.iloq.plan import Plan, fingerprint, is_same_plan, program_from, rights_body
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry
from key2xs.keys.port import KeyKind, LockEventOutcome, ProgrammingState, TimeQuality
from key2xs.keys.program import UNLIMITED, Program

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
WAIT = timedelta(seconds=30)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        (6, KeyKind.PHONE),  # 2 + 4
        (10, KeyKind.FOB),  # 2 + 8
        (264, KeyKind.METAL),  # 256 + 8
        (384, KeyKind.TAG),  # 256 + 128, as inserted
        (400, KeyKind.TAG),  # ... and 16 more once it was programmed
        (1, KeyKind.UNKNOWN),  # S10: another interface
        (0, KeyKind.UNKNOWN),
    ],
)
def test_a_kind_of_key_is_told_by_its_mask(mask: int, kind: KeyKind) -> None:
    assert key_kind(mask) is kind


@pytest.mark.parametrize("code", [None, 8, 99, -2])
def test_a_state_we_do_not_know_proves_nothing(code: int | None) -> None:
    assert programming_state(code) is ProgrammingState.UNKNOWN


def test_the_topmost_right_survives_as_an_integer() -> None:
    assert missing_rights((1 << 54) - 1) == []
    assert "read log" in missing_rights(0)


def test_options_are_named_in_words() -> None:
    assert missing_options(0) == ["public api", "api access rights"]
    assert missing_options(2048 | 16384) == []


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (0, None), (1, NeedsPerson), (2, Refused), (3, NeedsPerson), (4, Refused), (5, Refused), (6, NeedsPerson),
        (7, NeedsPerson), (8, Refused), (9, NeedsPerson), (10, NeedsPerson), (11, Refused), (12, NeedsPerson),
        (13, NeedsPerson), (14, NeedsPerson), (-1, Retry), (77, Retry),
    ],
)  # fmt: skip
def test_each_answer_to_ordering_a_key_has_one_meaning(code: int, outcome: type[CallFailed] | None) -> None:
    refusal = order_refusal(code, WAIT)
    assert refusal is None if outcome is None else type(refusal) is outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, None), (1, NeedsPerson), (2, Refused), (3, Refused), (4, Refused), (-1, Retry), (5, Retry)],
)
def test_each_answer_to_returning_a_key_has_one_meaning(code: int, outcome: type[CallFailed] | None) -> None:
    refusal = return_refusal(code, WAIT)
    assert refusal is None if outcome is None else type(refusal) is outcome


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, None), (2, None), (1, NeedsPerson), (3, NeedsPerson), (9, Retry)]
)
def test_each_answer_to_ordering_the_block_list_has_one_meaning(
    code: int, outcome: type[CallFailed] | None
) -> None:
    refusal = block_list_order_refusal(code, WAIT)
    assert refusal is None if outcome is None else type(refusal) is outcome


@pytest.mark.parametrize(
    ("vendor_name", "is_wrong"),
    [
        ("W. Europe Standard Time", False),
        ("Romance Standard Time", False),  # another name, the same clock
        ("FLE Standard Time", True),  # an hour ahead
        ("Europe/Amsterdam", False),
        ("UTC", True),
        ("Somewhere Standard Time", False),  # not in our table: taken on trust
        (None, False),
    ],
)
def test_a_time_zone_that_moves_every_end_is_noticed(vendor_name: str | None, is_wrong: bool) -> None:
    assert (zone_mismatch(vendor_name, AMSTERDAM, at=NOON) is not None) is is_wrong


# --- plans -------------------------------------------------------------------------------------------------


def plan(*rights: str, seconds: int = 3600, slots: list[dict[str, object]] | None = None) -> Plan:
    held = [SecurityAccess(right_id=right) for right in rights]
    return Plan(RightsOf(rights=held), KeyLimits(slots=slots, offline_seconds=seconds))


def body(program: Program, base: Plan) -> dict[str, object]:
    return rights_body(program, base, KeyKind.PHONE, zone=AMSTERDAM, emptied=timedelta(hours=8))


def test_a_program_reads_back_as_it_was_written() -> None:
    program = Program(frozenset({"a"}), NOON, NOON + timedelta(hours=8), timedelta(hours=4))
    sent = body(program, plan())
    read = plan("A", seconds=4 * 3600, slots=sent["TimeLimitSlots"])  # type: ignore[arg-type]  # the wire's own form
    assert program_from(read, KeyKind.PHONE, AMSTERDAM) == program
    assert is_same_plan(sent, read)


def test_spelling_does_not_make_a_plan_another_one() -> None:
    sent = body(Program(frozenset({"a"}), None, NOON, timedelta(hours=1)), plan())
    printed = {"SlotNo": 1, "LimitDateLg": "2026-06-01T14:00:00.000", "TimeLimitData": [], "TimeZone_ID": "x"}
    assert is_same_plan(sent, plan("A", slots=[printed]))


@pytest.mark.parametrize(
    "other",
    [
        plan("a", "b"),
        plan(),
        plan("a", seconds=0),
        plan("a", slots=[{"SlotNo": 1, "LimitDateLg": "2026-06-01T14:15:00"}]),
    ],
    ids=["more rights", "no rights", "unlimited", "an end"],
)
def test_any_real_difference_is_seen(other: Plan) -> None:
    sent = body(Program(frozenset({"a"}), offline_expires_after=timedelta(hours=1)), plan("a"))
    key = Key(key_id="k")
    assert is_same_plan(sent, plan("a"))
    assert not is_same_plan(sent, other)
    assert fingerprint(key, other) != fingerprint(key, plan("a"))


def test_zero_is_read_as_unlimited_and_never_for_a_metal_key() -> None:
    assert program_from(plan("a", seconds=0), KeyKind.FOB, AMSTERDAM).offline_expires_after is UNLIMITED
    assert program_from(plan("a", seconds=0), KeyKind.METAL, AMSTERDAM).offline_expires_after is None


def test_a_scheduler_without_an_end_renews_for_ever() -> None:
    limits = KeyLimits(offline_seconds=60, scheduler={"RenewGapType": 1, "RenewEndDate": None})
    assert program_from(Plan(RightsOf(), limits), KeyKind.FOB, AMSTERDAM).renews_until is UNLIMITED


# --- log rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "outcome", "quality"),
    [
        (12, LockEventOutcome.OPENED, TimeQuality.CLOCK),  # phone
        (2052, LockEventOutcome.OPENED, TimeQuality.CLOCK),  # 5 Series key
        (16384, LockEventOutcome.OPENED, TimeQuality.CLOCK),  # passage reported by the key
        (4 | 1, LockEventOutcome.OPENED, TimeQuality.CLOCK),  # both: an opening is never hidden
        (1, LockEventOutcome.REFUSED, TimeQuality.CLOCK),
        (2, LockEventOutcome.OTHER, TimeQuality.CLOCK),  # lock programmed
        (4 | 65536, LockEventOutcome.OPENED, TimeQuality.LAST_KNOWN),
        (4 | 131072, LockEventOutcome.OPENED, TimeQuality.NONE),
    ],
)
def test_a_log_row_is_told_by_its_bits(mask: int, outcome: LockEventOutcome, quality: TimeQuality) -> None:
    row = LogRow("ID", "2026-06-01T12:01:00Z", "LOCK", "KEY", "2026-06-01T12:00:00Z", None, mask)
    event = lock_event(row)
    assert (event.outcome, event.time_quality) == (outcome, quality)
    assert event.person_certain is (quality is TimeQuality.CLOCK)
    assert (event.occurred_at is None) is (quality is TimeQuality.NONE)
    assert event.vendor_event_id == "id"


def test_a_log_row_tells_its_number_in_the_lock() -> None:
    row = LogRow(
        "ID", "2026-06-01T12:01:00Z", "LOCK", "KEY", "2026-06-01T12:00:00Z", None, 4, going_counter=17
    )
    assert lock_event(row).counter_lock == 17
    assert lock_event(row).counter_key is None


def test_the_limits_of_the_manifest_are_those_of_the_code() -> None:
    text = (Path(iloq.__path__[0]) / "manifest.toml").read_text(encoding="utf-8")
    limits = {limit["id"]: limit["value"] for limit in tomllib.loads(text)["limits"]}
    assert limits["grid"] == f"{GRID // timedelta(minutes=1)} minutes"
    for kind, name in ((KeyKind.PHONE, "phone"), (KeyKind.FOB, "fob")):
        assert limits[f"offline-expiry-{name}"] == f"{MAX_OFFLINE_EXPIRY[kind] // timedelta(seconds=1)} s"
