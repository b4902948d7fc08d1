"""Edits of every kind, as an administrator of the twin makes them behind the product's back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from key2xs_twin.cliq import CliqKeyKind, CliqKeySpec, KeyPlan
from key2xs_twin.cliq.plan import WeeklyRow
from key2xs_twin.iloq.inventory import KeyKind, KeySpec
from tests.support.spine import Spine
from tests.support.tiny import MARKINGS, twin_id

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Injected:
    """An edit that was made: of which key, lock or right, and as which kinds it may be told."""

    what: str
    name: str
    kinds: frozenset[str]
    also: frozenset[str] = frozenset()
    """Kinds that the same edit may show besides."""


Edit = Callable[[Spine, int, Random], Injected | None]


def iloq_edits() -> dict[str, Edit]:
    """Every kind of edit of an iLOQ key."""
    return {
        "block": _iloq_block, "unblock": _iloq_unblock, "take_right": _iloq_take, "add_right": _iloq_add,
        "start": _iloq_start, "end": _iloq_end, "interval": _iloq_interval,
        "scheduler": _iloq_scheduler, "schedule": _iloq_schedule, "holder": _iloq_holder, "delete": _iloq_delete, "out_of_sight": _iloq_move,
    }  # fmt: skip


def cliq_edits() -> dict[str, Edit]:
    """Every kind of edit of a CLIQ key."""
    return {
        "take_right": _cliq_take, "add_right": _cliq_add, "group": _cliq_group, "end": _cliq_end,
        "interval": _cliq_interval, "schedule": _cliq_schedule, "holder": _cliq_holder, "lost": _cliq_lost,
        "retire": _cliq_retire,
    }  # fmt: skip


def stamp(number: int) -> str:
    """The stamp of a key of the tiny site."""
    return f"K{number:03d}"


def _is_editable(spine: Spine, number: int) -> bool:
    """A key that is blocked or gone takes no edit of its plan."""
    state, key = spine.world.iloq.state, twin_id(f"key {number}")
    return key not in state.out_of_sight and state.keys[key].state < 3 and not state.blocks.is_blocked(key)


def _plan(spine: Spine, number: int) -> Any:
    return spine.world.iloq.state.keys[twin_id(f"key {number}")].plan


def _of(number: int, *kinds: str, also: tuple[str, ...] = ()) -> Injected:
    return Injected("key", stamp(number), frozenset(kinds), frozenset(also))


def _local(at: datetime, rng: Random) -> datetime:
    """A local instant on the maker's grid, some days from now."""
    start = at.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return start + timedelta(days=rng.randint(2, 40)) + rng.randint(0, 90) * QUARTER


def _right(marking: str) -> UUID:
    return twin_id(f"right {marking}")


def _iloq_add(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number):
        return None
    has = _plan(spine, number).right_ids
    free = [m for m in MARKINGS if _right(m) not in has]
    if not free:
        return None
    spine.world.out_of_band.change_rights(twin_id(f"key {number}"), [*has, _right(rng.choice(free))])
    return _of(number, "rights")


def _iloq_take(spine: Spine, number: int, rng: Random) -> Injected | None:
    has = sorted(_plan(spine, number).right_ids)
    if not has or not _is_editable(spine, number):
        return None
    has.remove(rng.choice(has))
    spine.world.out_of_band.change_rights(twin_id(f"key {number}"), has)
    return _of(number, "rights")


def _iloq_start(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number):
        return None
    at = _local(spine.now, rng) - timedelta(days=60)
    if at == _plan(spine, number).starts_lg:
        return None
    spine.world.out_of_band.change_rights(twin_id(f"key {number}"), starts_lg=at)
    return _of(number, "start")


def _iloq_end(spine: Spine, number: int, rng: Random) -> Injected | None:
    at = _local(spine.now, rng) + timedelta(days=60)
    plan = _plan(spine, number)
    if not _is_editable(spine, number) or at == plan.ends_lg or plan.scheduler is not None:
        return None  # what the maker's own scheduler moves forward is nobody's edit
    spine.world.out_of_band.change_rights(twin_id(f"key {number}"), ends_lg=at)
    return _of(number, "end")


def _iloq_interval(spine: Spine, number: int, rng: Random) -> Injected | None:
    seconds = 3600 * rng.randint(2, 40)
    if not _is_editable(spine, number) or seconds == _plan(spine, number).offline_expiration_seconds:
        return None
    spine.world.out_of_band.change_rights(twin_id(f"key {number}"), offline_expiration_seconds=seconds)
    return _of(number, "interval")


def _iloq_scheduler(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number) or _plan(spine, number).scheduler is not None:
        return None
    spine.world.out_of_band.renew(
        twin_id(f"key {number}"), None if rng.random() < 0.5 else spine.now + timedelta(days=9)
    )
    return _of(number, "renewal")


def _iloq_schedule(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number) or any(slot.slot_no == 2 for slot in _plan(spine, number).slots):
        return None
    begins = 900_000 * rng.randint(1, 30)
    spine.world.out_of_band.give_schedule(
        twin_id(f"key {number}"), twin_id("hours"), ((1 << rng.randint(0, 6), begins, begins + 7_200_000),)
    )
    return _of(number, "limits")


def _iloq_holder(spine: Spine, number: int, rng: Random) -> Injected | None:
    record = spine.world.iloq.state.keys[twin_id(f"key {number}")]
    others = [
        twin_id(f"vendor person {n}") for n in (1, 2, 3) if twin_id(f"vendor person {n}") != record.person_id
    ]
    if not _is_editable(spine, number):
        return None
    spine.world.out_of_band.hand_to(record.key_id, rng.choice(others))
    return _of(number, "holder")


def _iloq_block(spine: Spine, number: int, rng: Random) -> Injected | None:
    record = spine.world.iloq.state.keys[twin_id(f"key {number}")]
    if not _is_editable(spine, number) or not record.plan.right_ids or not record.was_programmed:
        return None
    spine.world.out_of_band.block(record.key_id)
    return _of(number, "blocked")


def _iloq_unblock(spine: Spine, number: int, rng: Random) -> Injected | None:
    key = twin_id(f"key {number}")
    if not spine.world.iloq.state.blocks.is_blocked(key) or key in spine.world.iloq.state.out_of_sight:
        return None
    spine.world.out_of_band.unblock(key)
    return _of(number, "unblocked")


def _iloq_delete(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number):
        return None
    spine.world.out_of_band.delete(twin_id(f"key {number}"))
    return _of(number, "deleted", "unlisted")


def _iloq_move(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _is_editable(spine, number):
        return None
    spine.world.out_of_band.move_out_of_sight(twin_id(f"key {number}"))
    return _of(number, "unlisted")


def iloq_lock(spine: Spine, rng: Random) -> Injected:
    """Other rights for a lock."""
    marking = rng.choice(MARKINGS)
    has = set(spine.world.iloq.state.locks[twin_id(marking)].right_ids)
    has ^= {_right(rng.choice(MARKINGS))}
    spine.world.out_of_band.change_lock_rights(twin_id(marking), has)
    return Injected("lock", str(twin_id(marking)), frozenset({"lock_rights", "group"}))


def iloq_new_key(spine: Spine, rng: Random, number: int) -> Injected:
    """A key that somebody takes into the books with rights on it."""
    spine.world.out_of_band.add_key(
        KeySpec(
            fnkey_id=twin_id(f"key {number}"), stamp=stamp(number), kind=KeyKind.PHONE, person_external_id="u1",
            phone_no="+31600000000", security_access_ids=frozenset({_right(rng.choice(MARKINGS))}),
        )
    )  # fmt: skip
    return _of(number, "new_key", also=("rights", "holder"))


def _record(spine: Spine, number: int) -> Any:
    return spine.world.cliq.state.keys[twin_id(f"key {number}")]


def _cliq_editable(spine: Spine, number: int) -> bool:
    record = _record(spine, number)
    return not record.retired and record.reported is None and record.kind is not CliqKeyKind.NORMAL


def _held(spine: Spine, number: int) -> KeyPlan:
    return _record(spine, number).plan or KeyPlan()


def _cliq_add(spine: Spine, number: int, rng: Random) -> Injected | None:
    has = _held(spine, number).cylinder_ids
    free = [m for m in MARKINGS if twin_id(m) not in has]
    if not free or not _cliq_editable(spine, number):
        return None
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), [*has, twin_id(rng.choice(free))])
    return _of(number, "rights", "limits")


def _cliq_take(spine: Spine, number: int, rng: Random) -> Injected | None:
    has = sorted(_held(spine, number).cylinder_ids)
    if not has or not _cliq_editable(spine, number):
        return None
    has.remove(rng.choice(has))
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), has)
    return _of(number, "rights", "limits")


def _cliq_group(spine: Spine, number: int, rng: Random) -> Injected | None:
    if _held(spine, number).group_ids or not _cliq_editable(spine, number):
        return None
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), group_ids=[twin_id("group")])
    return _of(number, "rights", "limits")


def _cliq_end(spine: Spine, number: int, rng: Random) -> Injected | None:
    at = spine.now.replace(second=0) + timedelta(days=rng.randint(2, 90), minutes=rng.randint(0, 600))
    if not _cliq_editable(spine, number) or _held(spine, number).validity.ends_at == at:
        return None
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), ends_at=at)
    return _of(number, "end", also=("start",))


def _cliq_interval(spine: Spine, number: int, rng: Random) -> Injected | None:
    minutes = rng.randint(60, 4000)
    if not _cliq_editable(spine, number) or _held(spine, number).revalidation_minutes == minutes:
        return None
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), revalidation_minutes=minutes)
    return _of(number, "interval")


def _cliq_schedule(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _cliq_editable(spine, number) or _held(spine, number).schedule is not None:
        return None
    begins = rng.randint(1, 900)
    row = WeeklyRow(rng.randint(0, 6), begins, begins + 300)
    spine.world.cliq_out_of_band.change_plan(twin_id(f"key {number}"), schedule=[row])
    return _of(number, "schedule")


def _cliq_holder(spine: Spine, number: int, rng: Random) -> Injected | None:
    others = [f"p{n}" for n in range(1, 9) if f"p{n}" != _record(spine, number).holder]
    if _record(spine, number).retired:
        return None
    spine.world.cliq_out_of_band.hand_to(twin_id(f"key {number}"), rng.choice(others))
    return _of(number, "holder")


def _cliq_lost(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _cliq_editable(spine, number):
        return None
    spine.world.cliq_out_of_band.report_lost(twin_id(f"key {number}"))
    return _of(number, "blocked")


def _cliq_retire(spine: Spine, number: int, rng: Random) -> Injected | None:
    if not _cliq_editable(spine, number):
        return None
    spine.world.cliq_out_of_band.retire(twin_id(f"key {number}"))
    return _of(number, "deleted", "unlisted")


def cliq_group_members(spine: Spine, rng: Random) -> Injected:
    """Other members for the group."""
    group = twin_id("group")
    members = set(spine.world.cliq.state.groups[group].member_ids) ^ {twin_id(rng.choice(MARKINGS))}
    spine.world.cliq_out_of_band.change_group(group, members)
    return Injected("right_or_lock", "", frozenset({"group", "lock_rights"}))


def cliq_new_key(spine: Spine, rng: Random, number: int) -> Injected:
    """A key that somebody takes into the books with access on it."""
    spine.world.cliq_out_of_band.add_key(
        CliqKeySpec(
            key_id=twin_id(f"key {number}"), serial=f"2042{number:05d}", marking=stamp(number),
            plan=KeyPlan(revalidation_minutes=480, cylinder_ids=frozenset({twin_id(rng.choice(MARKINGS))})),
        )
    )  # fmt: skip
    return _of(number, "new_key", also=("rights", "holder"))
