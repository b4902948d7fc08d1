"""What one key holds, in the vendor's words and in ours; pure.

The vendor's PUT replaces everything: what the body omits is deleted (Public API v2). So a body is always built from
what was read before, and what is read back is compared with what was sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from key2xs.core.errors import Refused
from key2xs.keys.port import KeyKind
from key2xs.keys.program import UNLIMITED, OfflineExpiry, Program, Unlimited

from .localtime import end_from_local, instant_from_utc_text, start_from_local, to_local
from .payloads import SCHEDULER_FIELDS, SLOT_FIELDS, WEEKLY_FIELDS, Key, KeyLimits, RightsOf

__all__ = [
    "END_SLOT",
    "START_SLOT",
    "Plan",
    "fingerprint",
    "is_same_plan",
    "program_from",
    "rights_body",
    "slots_needed",
    "slots_used",
]

START_SLOT, END_SLOT = 0, 1  # Public API v2, SlotNo; 2 = profile, and several slots share it
_KINDS_WITH_EXPIRY: Final = frozenset(
    {KeyKind.PHONE, KeyKind.FOB}
)  # Public API v2: phone and fob have a maximum


class Plan(msgspec.Struct, frozen=True):
    """Mode 1 or mode 2 of one key: its rights and its limits, as they came."""

    rights: RightsOf
    limits: KeyLimits

    @property
    def right_ids(self) -> frozenset[str]:
        """The ids of the rights, in one spelling."""
        return frozenset(right.right_id.lower() for right in self.rights.rights or ())

    @property
    def outside_visible(self) -> bool:
        """Whether everything in the key can be seen by this user."""
        return self.rights.outside == 0 and not self.limits.outside_slots


def program_from(plan: Plan, kind: KeyKind, zone: ZoneInfo) -> Program:
    """Read a program. ValueError where a limit cannot be read: guessing could narrow a bound."""
    starts_at = ends_at = None
    for slot in plan.limits.slots or ():
        text = slot.get("LimitDateLg")
        if text is not None and slot.get("SlotNo") == START_SLOT:
            starts_at = start_from_local(text, zone)
        elif text is not None and slot.get("SlotNo") == END_SLOT:
            ends_at = end_from_local(text, zone)
    return Program(
        rights=plan.right_ids,
        starts_at=starts_at,
        ends_at=ends_at,
        offline_expires_after=_offline_expiry(plan.limits.offline_seconds, kind),
        renews_until=_renews_until(plan.limits.scheduler, zone),
    )


def rights_body(
    program: Program, base: Plan, kind: KeyKind, *, zone: ZoneInfo, emptied: timedelta
) -> dict[str, Any]:
    """Build the replace-all body: our rights and limits, and everything of others repeated.

    What the body omits the vendor deletes (Public API v2), so profile slots and slots outside our zones are echoed. A
    scheduler is kept only if the program says so: it would move the end forward without anybody's decision.

    Raises:
        Refused: the program cannot be said in the vendor's words.
    """
    body: dict[str, Any] = {
        "SecurityAccessIds": sorted(program.rights),
        "TimeLimitSlots": [*_date_slots(program, zone), *_foreign_slots(base.limits)],
        "OutsideUserZoneTimeLimitTitleSlots": list(base.limits.outside_slots or ()),
        "KeyScheduler": _scheduler(program, base.limits, zone),
    }
    seconds = _offline_seconds(program, base.limits, kind, emptied=emptied)
    if seconds is not None:
        body["OfflineExpirationSeconds"] = seconds
    return body


def slots_needed(body: Mapping[str, Any]) -> int:
    """Count key memory: a date is one slot, a profile its dates and weekly rows (Public API v2)."""
    return sum(_slot_memory(slot) for slot in body["TimeLimitSlots"]) + len(
        body["OutsideUserZoneTimeLimitTitleSlots"]
    )


def slots_used(plan: Plan) -> int:
    """Count the key memory that a plan uses."""
    return sum(_slot_memory(slot) for slot in plan.limits.slots or ()) + len(plan.limits.outside_slots or ())


def is_same_plan(body: Mapping[str, Any], plan: Plan) -> bool:
    """Say whether a plan that was read back is what a body asked for."""
    wanted = frozenset(right.lower() for right in body["SecurityAccessIds"])
    seconds = body.get("OfflineExpirationSeconds", 0)
    return (
        plan.right_ids == wanted
        and _canonical_slots(plan.limits.slots or (), with_zone=False)
        == _canonical_slots(body["TimeLimitSlots"], with_zone=False)
        and (plan.limits.offline_seconds or 0) == seconds
        and _is_renewing(plan.limits.scheduler) == _is_renewing(body["KeyScheduler"])
        and sorted(plan.limits.outside_slots or ()) == sorted(body["OutsideUserZoneTimeLimitTitleSlots"])
    )


def fingerprint(key: Key, plan: Plan) -> str:
    """Return a short text that changes with anything a write would overwrite, and with the holder."""
    scheduler = plan.limits.scheduler or {}
    parts = [
        (key.person_id or "").lower(),
        sorted(plan.right_ids),
        _canonical_slots(plan.limits.slots or (), with_zone=True),
        plan.limits.offline_seconds or 0,
        [scheduler.get(name) for name in SCHEDULER_FIELDS] if _is_renewing(scheduler) else None,
        sorted(plan.limits.outside_slots or ()),
        plan.rights.outside,
    ]
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]


def _offline_expiry(seconds: int | None, kind: KeyKind) -> OfflineExpiry:
    if kind not in _KINDS_WITH_EXPIRY:
        return None  # iLOQ manual: the interval does not exist for metal keys
    return (
        timedelta(seconds=seconds) if seconds and seconds > 0 else UNLIMITED
    )  # Public API v2: 0 = unlimited


def _offline_seconds(program: Program, base: KeyLimits, kind: KeyKind, *, emptied: timedelta) -> int | None:
    """Return the seconds to send; zero only where UNLIMITED was asked for, None = leave the field out."""
    wanted = program.offline_expires_after
    if kind not in _KINDS_WITH_EXPIRY:
        if isinstance(wanted, timedelta):
            raise Refused("this kind of key has no offline expiry")
        return None
    if isinstance(wanted, Unlimited):
        return 0
    if wanted is None:
        if program.rights:
            raise Refused(
                "say how long the key works offline, or UNLIMITED; the vendor reads silence as unlimited"
            )
        return base.offline_seconds or int(emptied.total_seconds())
    if wanted % timedelta(seconds=1):
        raise Refused("the offline expiry must be whole seconds")
    return int(wanted.total_seconds())


def _renews_until(scheduler: Mapping[str, Any] | None, zone: ZoneInfo) -> datetime | Unlimited | None:
    if scheduler is None or not _is_renewing(scheduler):
        return None
    text = scheduler.get("RenewEndDate")
    if not isinstance(text, str):
        return UNLIMITED
    # ASSUMPTION: the zone of RenewEndDate is not documented; the later reading is the safe one.
    return max(instant_from_utc_text(text), end_from_local(text, zone))


def _scheduler(program: Program, base: KeyLimits, zone: ZoneInfo) -> dict[str, Any]:
    off = {"RenewGapType": 0, "RenewGapCount": 0, "RenewMinute": 0, "RenewEndDate": None}
    if program.renews_until is None:
        return off
    if base.scheduler is None or _renews_until(base.scheduler, zone) != program.renews_until:
        raise Refused("a vendor scheduler can be kept as it is, but not set up from here")
    return {name: base.scheduler.get(name) for name in SCHEDULER_FIELDS}


def _is_renewing(scheduler: Mapping[str, Any] | None) -> bool:
    return bool(scheduler and scheduler.get("RenewGapType"))  # Public API v2: 0 off, 1 daily, 2 weekly


def _date_slots(program: Program, zone: ZoneInfo) -> list[dict[str, Any]]:
    slots = []
    for number, at in ((START_SLOT, program.starts_at), (END_SLOT, program.ends_at)):
        if at is None:
            continue
        try:
            slots.append({"SlotNo": number, "LimitDateLg": to_local(at, zone)})
        except ValueError as err:
            raise Refused(f"the vendor cannot store {at.isoformat()}: {err}") from err
    return slots


def _foreign_slots(limits: KeyLimits) -> list[dict[str, Any]]:
    return [
        _writable(slot) for slot in limits.slots or () if slot.get("SlotNo") not in {START_SLOT, END_SLOT}
    ]


def _writable(slot: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a PUT accepts of a slot that was read."""
    kept = {name: slot[name] for name in SLOT_FIELDS if slot.get(name) is not None}
    if "TimeLimitData" in kept:
        kept["TimeLimitData"] = [
            {name: row.get(name) for name in WEEKLY_FIELDS} for row in kept["TimeLimitData"]
        ]
    return kept


def _slot_memory(slot: Mapping[str, Any]) -> int:
    dates = ("LimitDateLg", "TimeLimitTitleStartDateLg", "TimeLimitTitleEndDateLg")
    return sum(slot.get(name) is not None for name in dates) + len(slot.get("TimeLimitData") or ())


def _canonical_slots(slots: Iterable[Mapping[str, Any]], *, with_zone: bool) -> list[str]:
    """Return slots in one order and spelling: absent, null and empty are the same, and so is the order of rows."""
    texts = []
    for slot in slots:
        kept = {
            name: _one_spelling(value) for name, value in _writable(slot).items() if value not in ([], "")
        }
        rows = kept.pop("TimeLimitData", [])
        if not with_zone:
            kept.pop("TimeZone_ID", None)  # The vendor may fill it in by itself.
        kept["rows"] = sorted(msgspec.json.encode(row, order="deterministic").decode() for row in rows)
        texts.append(msgspec.json.encode(kept, order="deterministic").decode())
    return sorted(texts)


def _one_spelling(value: Any) -> Any:
    """Ids without regard to case; local times without regard to a printed fraction of zero."""
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        return value.lower()
