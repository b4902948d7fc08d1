"""Whether a cylinder opens for a key: device state alone, except where the key must ask the server.

All must hold: key programmed for the cylinder, valid, within its schedule, revalidation not lapsed, not blocked there.
Time is judged on the key's clock, which is off and drifts; the cylinder has none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.inventory import CliqKeyKind
from key2xs_twin.cliq.plan import KeyPlan, ValidityKind, in_schedule
from key2xs_twin.cliq.things import CliqReason

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from key2xs_twin.cliq.things import CliqKeyDevice, CylinderDevice
    from key2xs_twin.physics import Physics

ServerAnswer = Callable[[UUID, UUID, datetime], bool]  # (key, cylinder, at) -> may it open


def decide(
    key: CliqKeyDevice,
    cylinder: CylinderDevice,
    at: datetime,
    *,
    zone: ZoneInfo,
    physics: Physics,
    reachable: bool,
    ask_server: ServerAnswer,
) -> CliqReason:
    """Why ``cylinder`` opens (``OK``) or refuses ``key`` at the true instant ``at``.

    ``reachable``: the key has a phone with network beside it; only then can it ask the server.
    """
    refusal = _refusal_by_memory(key, cylinder) or _refusal_by_time(key, at, zone)
    if refusal is not None:
        return refusal
    if key.program is None or not must_ask(key, key.program, cylinder):
        return CliqReason.OK
    if not reachable:
        # Unverified: what a Connect key does without coverage. The default is the safe half.
        opens = physics.connect_opens_without_network and key.kind is CliqKeyKind.CONNECT
        return CliqReason.OK if opens else CliqReason.NO_NETWORK
    return CliqReason.OK if ask_server(key.key_id, cylinder.cylinder_id, at) else CliqReason.SERVER_REFUSED


def _refusal_by_memory(key: CliqKeyDevice, cylinder: CylinderDevice) -> CliqReason | None:
    if key.battery_low:
        return CliqReason.LOW_BATTERY
    if key.program is None or not is_programmed_for(key, key.program, cylinder):
        return CliqReason.NOT_AUTHORISED
    return CliqReason.BLOCKED if key.key_id in cylinder.blocked else None


def _refusal_by_time(key: CliqKeyDevice, at: datetime, zone: ZoneInfo) -> CliqReason | None:
    """Validity, revalidation and schedule, all on the key's clock."""
    program, reading = key.program, key.clock.reading(at)
    if program is None or has_no_time(key, program) or not program.validity.allows(reading):
        return CliqReason.NOT_VALID
    if has_lapsed(key, program, at):
        return CliqReason.REVALIDATION_LAPSED
    if not in_schedule(program.schedule, reading.astimezone(zone).replace(tzinfo=None)):
        return CliqReason.OUTSIDE_SCHEDULE
    return None


def is_programmed_for(key: CliqKeyDevice, program: KeyPlan, cylinder: CylinderDevice) -> bool:
    """Whether key and cylinder know each other: by the key's list, or for a normal key by the cylinder's."""
    if key.kind is CliqKeyKind.NORMAL:
        entries = cylinder.entries
        return key.key_id in entries.key_ids or not key.key_group_ids.isdisjoint(entries.key_group_ids)
    return cylinder.cylinder_id in program.cylinder_ids or not program.group_ids.isdisjoint(
        cylinder.group_ids
    )


def has_no_time(key: CliqKeyDevice, program: KeyPlan) -> bool:
    """Whether the key cannot judge its own limits: its clock stands since the battery was changed."""
    limited = program.validity.kind is ValidityKind.BETWEEN or program.schedule is not None
    return key.time_lost and (limited or program.revalidation_minutes is not None)


def has_lapsed(key: CliqKeyDevice, program: KeyPlan, at: datetime) -> bool:
    """Whether the key's own countdown has run out; without revalidation it never does."""
    if program.revalidation_minutes is None:
        return False
    return key.clock.counted(at - key.revalidated_at) >= timedelta(minutes=program.revalidation_minutes)


def must_ask(key: CliqKeyDevice, program: KeyPlan, cylinder: CylinderDevice) -> bool:
    """Whether this opening needs the server: the key is set so, or the cylinder demands it."""
    return cylinder.online_opening or (program.online_opening and key.kind is CliqKeyKind.CONNECT)
