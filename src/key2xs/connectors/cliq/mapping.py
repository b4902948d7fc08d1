"""The words of the wire in ours, and back; pure.

Every cylinder is a right of its own (`cyl:<id>`) and every group one (`grp:<id>`), so that a program is a set of rights
here as everywhere. A validity of *never* opens nothing, whatever the access list says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import msgspec

from key2xs.core.errors import Refused
from key2xs.core.tri import NO, UNKNOWN, YES, tri
from key2xs.keys.carriers import BlockVisit, ProgrammingKey, Updater, VisitState
from key2xs.keys.port import (
    ClockSet,
    KeyKind,
    LockEvent,
    LockEventOutcome,
    MemoryReading,
    MemoryWiped,
    ProgrammingState,
    TimeQuality,
    VendorKey,
    VendorLock,
    VendorRight,
)
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program, Unlimited, WeeklyWindow

from . import payloads as wire

__all__ = [
    "BLOCKED",
    "BLOCKED_WITH_ACCESS",
    "CYLINDER",
    "GROUP",
    "WRITABLE",
    "block_visits",
    "clock_set",
    "is_same_plan",
    "key_kind",
    "limits_of",
    "lock_event",
    "plan_of",
    "program_of",
    "programming_keys",
    "programming_state",
    "unblock_visits",
    "updater",
    "vendor_key",
    "vendor_locks",
    "vendor_rights",
    "version_of",
    "waiting_at",
]

CYLINDER: Final = "cyl:"
GROUP: Final = "grp:"
WRITABLE: Final = frozenset({KeyKind.DYNAMIC, KeyKind.CONNECT, KeyKind.NORMAL})
BLOCKED_WITH_ACCESS: Final = "blocked_with_access"
BLOCKED: Final = frozenset({BLOCKED_WITH_ACCESS, "blocked"})
_KINDS: Final[Mapping[str, KeyKind]] = {
    "dynamic": KeyKind.DYNAMIC,
    "connect": KeyKind.CONNECT,
    "normal": KeyKind.NORMAL,
}
_UPDATES: Final[Mapping[str, ProgrammingState]] = {
    "none": ProgrammingState.PLANNING,
    "waiting": ProgrammingState.ORDERED,
    "taken": ProgrammingState.FETCHED,
    "done": ProgrammingState.PROGRAMMED,
    "failed": ProgrammingState.ORDERED,  # pulled out early: nothing was written and the plan waits on
}
_OUTCOMES: Final[Mapping[str, LockEventOutcome]] = {
    "opened": LockEventOutcome.OPENED,
    "refused": LockEventOutcome.REFUSED,
}
# Numbers for the log's kinds and reasons, ours, for `raw_type`: kind + 100 * reason. Never renumber: rows are kept.
_KIND_CODES: Final = (
    "opened", "refused", "key_updated", "key_updated_offline", "cylinder_programmed", "list_read", "clock_set",
    "handed_out", "handed_in", "reported_lost", "cylinder_reprogrammed",
)  # fmt: skip
_REASON_CODES: Final = (
    "not_authorised", "not_valid", "outside_schedule", "revalidation_lapsed", "blocked", "foreign", "low_battery",
)  # fmt: skip

CYLINDER_ROWS: Final = 1000  # of keys of this locking system; the oldest are lost (CLIQ Remote FAQ, UK)


# --- lists ------------------------------------------------------------------------------------------------


def key_kind(word: str) -> KeyKind:
    """Tell the kind of key; a word we do not know is *unknown* and never written."""
    return _KINDS.get(word, KeyKind.UNKNOWN)


def vendor_key(key: wire.Key) -> VendorKey:
    """Translate a key of the list. The engraved serial is what a person can read off a key without a marking."""
    return VendorKey(
        vendor_key=key.id,
        marking=key.marking or key.serial,
        kind=key_kind(key.kind),
        programming_state=ProgrammingState.UNKNOWN,  # the list does not say
        holder_ref=key.holder,
        handed_over=key.handed_out,
        deleted=key.retired,
        blocked=key.block_state in BLOCKED,
    )


def vendor_locks(cylinders: Iterable[wire.Cylinder], groups: Iterable[wire.Group]) -> tuple[VendorLock, ...]:
    """Translate cylinders. Membership counts if either side claims it: one may have been changed and not visited.

    A cylinder has no clock; limits are honoured all the same, because the key itself judges them.
    """
    of: dict[str, set[str]] = {}
    for group in groups:
        for member in group.members:
            of.setdefault(member, set()).add(group.id)
    return tuple(
        VendorLock(
            vendor_lock=each.id,
            marking=each.marking,
            rights=frozenset(
                {CYLINDER + each.id} | {GROUP + group for group in {*each.groups, *of.get(each.id, ())}}
            ),
            has_clock=NO,
            honours_limits=YES,
            online_required=tri(each.online_opening),
            is_networked=NO if not each.online_opening else UNKNOWN,
        )
        for each in cylinders
    )


def vendor_rights(
    cylinders: Iterable[wire.Cylinder], groups: Iterable[wire.Group]
) -> tuple[VendorRight, ...]:
    """Make the catalogue of rights: one for each cylinder, one for each group with everything it may open."""
    listed = list(cylinders)
    singles = [VendorRight(CYLINDER + c.id, c.marking, frozenset({c.id}), writable=True) for c in listed]
    claimed: dict[str, set[str]] = {}
    for cylinder in listed:
        for group_id in cylinder.groups:
            claimed.setdefault(group_id, set()).add(cylinder.id)
    return (
        *singles,
        *(
            VendorRight(
                GROUP + group.id,
                group.name,
                frozenset({*group.members, *claimed.get(group.id, ())}),
                writable=group.writable,
            )
            for group in groups
        ),
    )


def updater(found: wire.Updater) -> Updater:
    """Translate an updater."""
    return Updater(found.id, found.kind, found.place, found.online, found.seen_at)


def programming_keys(
    found: Iterable[wire.ProgrammingKey], open_jobs: Iterable[wire.Job]
) -> tuple[ProgrammingKey, ...]:
    """Translate programming keys with all that they hold or that waits for them."""
    tasks: dict[str, int] = {}
    for job in open_jobs:
        count = sum(task.state in {"waiting", "loaded"} for task in job.tasks)
        tasks[job.programming_key] = tasks.get(job.programming_key, 0) + count
    return tuple(
        ProgrammingKey(
            vendor_id=each.id,
            marking=each.serial,
            capacity=each.capacity,
            tasks=tasks.get(each.id, 0),
            last_seen_at=each.last_seen_at,
            last_seen_place=each.last_seen_place,
            holder_ref=each.holder,
        )
        for each in found
    )


def waiting_at(open_jobs: Iterable[wire.Job]) -> dict[str, set[str]]:
    """Return by cylinder the programming keys for which a task there waits to be fetched."""
    found: dict[str, set[str]] = {}
    for job in open_jobs:
        for task in job.tasks:
            if task.state == VisitState.WAITING:
                found.setdefault(task.cylinder, set()).add(job.programming_key)
    return found


# --- one key ----------------------------------------------------------------------------------------------


def version_of(key: wire.Key) -> str:
    """Return what changes with everything that a write overwrites, and with the holder."""
    return f"{key.revision}:{key.holder or ''}"


def programming_state(key: wire.Key) -> ProgrammingState:
    """Tell how far the key's present plan is; a word we do not know proves nothing."""
    if key.update.state in {"none", "done"} and key.planned is not None and key.planned == key.confirmed:
        return ProgrammingState.PROGRAMMED
    if key.update.state == "done" or key.sent_revision != key.revision:
        return ProgrammingState.PLANNING  # what was sent was another plan
    return _UPDATES.get(key.update.state, ProgrammingState.UNKNOWN)


def program_of(plan: wire.Plan) -> Program:
    """Read a plan. ValueError where it cannot be read: guessing could narrow a bound."""
    starts_at = ends_at = None
    match plan.validity.kind:
        case "between":
            if plan.validity.to is None:
                message = "a validity between two instants has no end"
                raise ValueError(message)
            starts_at, ends_at = plan.validity.from_, plan.validity.to
        case "always" | "never":
            pass
        case kind:
            message = f"unknown validity {kind!r}"
            raise ValueError(message)
    is_never = plan.validity.kind == "never"
    minutes = plan.revalidation_minutes
    return Program(
        rights=frozenset() if is_never else frozenset(_right(entry) for entry in plan.access),
        starts_at=starts_at,
        ends_at=ends_at,
        offline_expires_after=timedelta(minutes=minutes) if minutes else UNLIMITED,
        schedule=None if plan.schedule is None else frozenset(_window(each) for each in plan.schedule),
    )


def limits_of(plan: wire.Plan) -> Program:
    """Read the limits that a normal key holds; *never* opens nothing, and is the empty program. ValueError like `program_of`."""
    return EMPTY_PROGRAM if plan.validity.kind == "never" else replace(program_of(plan), rights=frozenset())


def plan_of(program: Program, base: wire.Plan | None, *, emptied: timedelta) -> wire.Plan:
    """Write a program as a plan that replaces everything. Whether a key asks online stays as it was.

    Raises:
        Refused: the program cannot be said in the words of the wire.
    """
    if program.renews_until is not None:
        raise Refused("a CLIQ key has no scheduler that renews an end date")
    return wire.Plan(
        access=[_entry(right) for right in sorted(program.rights)],
        validity=_validity(program),
        schedule=None
        if program.schedule is None
        else [
            wire.Window(each.day, _clock(each.from_minute), _clock(each.to_minute))
            for each in sorted(program.schedule)
        ],
        revalidation_minutes=_revalidation(program, base, emptied),
        online_opening=base.online_opening if base is not None else False,
    )


def is_same_plan(one: wire.Plan, other: wire.Plan | None) -> bool:
    """Say whether two plans tell a key the same, whatever order their entries have."""
    return other is not None and _comparable(one) == _comparable(other)


def _comparable(plan: wire.Plan) -> tuple[object, ...]:
    return (
        frozenset((entry.cylinder, entry.group) for entry in plan.access),
        plan.validity,
        None if plan.schedule is None else frozenset((w.day, w.from_, w.to) for w in plan.schedule),
        plan.revalidation_minutes,
        plan.online_opening,
    )


def _right(entry: wire.Entry) -> str:
    if entry.cylinder is not None:
        return CYLINDER + entry.cylinder
    if entry.group is not None:
        return GROUP + entry.group
    message = "an access entry names neither a cylinder nor a group"
    raise ValueError(message)


def _entry(right: str) -> wire.Entry:
    if right.startswith(CYLINDER):
        return wire.Entry(cylinder=right.removeprefix(CYLINDER))
    if right.startswith(GROUP):
        return wire.Entry(group=right.removeprefix(GROUP))
    raise Refused(f"{right} is neither a cylinder nor a group of this system")


def _validity(program: Program) -> wire.Validity:
    if program.opens_nothing:
        return wire.Validity("never")
    if program.ends_at is None:
        if program.starts_at is not None:
            raise Refused("a CLIQ validity that has a start needs an end")
        return wire.Validity("always")
    return wire.Validity("between", program.starts_at, program.ends_at)


def _revalidation(program: Program, base: wire.Plan | None, emptied: timedelta) -> int | None:
    wanted = program.offline_expires_after
    if isinstance(wanted, Unlimited):
        return None
    if wanted is None:
        if not program.opens_nothing:
            raise Refused(
                "say how long the key works without an update, or UNLIMITED; silence would mean for ever"
            )
        kept = base.revalidation_minutes if base is not None else None
        return kept or int(emptied / timedelta(minutes=1))
    if wanted % timedelta(minutes=1):
        raise Refused("the revalidation interval must be whole minutes")
    return int(wanted / timedelta(minutes=1))


def _window(window: wire.Window) -> WeeklyWindow:
    return WeeklyWindow(window.day, _minutes(window.from_), _minutes(window.to))


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


# --- visits and the log -----------------------------------------------------------------------------------


def block_visits(jobs: Iterable[wire.Job], key: str) -> tuple[BlockVisit, ...]:
    """Return the visits that block one key, newest job first. A task in a state we do not know is on its way.

    Somebody may take the block out of a cylinder again in the vendor's own tool: then the visit proves nothing.
    """
    jobs = list(jobs)
    undone: dict[str, list[wire.Task]] = {}
    for job in jobs:
        for task in job.tasks:
            # Whatever overwrites all of a cylinder may take the block out of it, too.
            undoes = task.kind == "reprogram" or (task.key == key and task.kind == "unblock")
            if undoes and task.state != VisitState.FAILED:
                undone.setdefault(task.cylinder, []).append(task)
    return tuple(
        BlockVisit(
            lock=task.cylinder,
            state=_visit_state(task, undone.get(task.cylinder, ())),
            programming_key=job.programming_key,
            made_at=job.made_at,
            done_at=task.done_at,
            known_at=task.known_at,
        )
        for job in sorted(jobs, key=lambda job: (job.made_at, job.id), reverse=True)
        for task in job.tasks
        if task.key == key and task.kind == "block"
    )


def _visit_state(task: wire.Task, undone: Iterable[wire.Task]) -> VisitState:
    state = {each.value: each for each in VisitState}.get(task.state, VisitState.LOADED)
    if state is not VisitState.DONE:
        return state
    for other in undone:
        if other.state != VisitState.DONE:
            return VisitState.LOADED  # on its round; nobody knows whether it came after ours
        if task.done_at is None or other.done_at is None or other.done_at > task.done_at:
            return VisitState.FAILED  # the cylinder has to be visited once more
        if other.done_at == task.done_at and other.kind == "unblock":
            return VisitState.FAILED
    return state


def unblock_visits(jobs: Iterable[wire.Job], key: str, avoid: Collection[str] = ()) -> tuple[BlockVisit, ...]:
    """Return each cylinder that holds the block of a key, or may get it yet, with how far taking it away is.

    A block on its round counts as one that will arrive, unless its programming key is in `avoid`: then it may have
    arrived, and the cylinder is visited to be sure.
    """
    newest = sorted(jobs, key=lambda job: (job.made_at, job.id), reverse=True)
    found: dict[str, BlockVisit] = {}
    for job in newest:
        for task in job.tasks:
            if task.key == key and task.kind == "block" and task.state != VisitState.FAILED:
                lock = task.cylinder
                visit = _taken_away(newest, key, job, task, lost=job.programming_key in avoid)
                before = found.get(lock)
                if before is None or _FARTHEST[visit.state] < _FARTHEST[before.state]:
                    found[lock] = visit
    return tuple(visit for _, visit in sorted(found.items()))


def without_waiting_blocks(jobs: Iterable[wire.Job]) -> list[wire.Job]:
    """Return jobs as they are once blocks that wait were taken back."""
    return [
        msgspec.structs.replace(
            job,
            tasks=[task for task in job.tasks if task.kind != "block" or task.state != VisitState.WAITING],
        )
        for job in jobs
    ]


# Of several blocks for one cylinder the one that is the farthest from being taken away counts.
_FARTHEST: Final = {
    VisitState.FAILED: 0, VisitState.LOADED: 1, VisitState.WAITING: 2, VisitState.DONE: 3
}  # fmt: skip


def _taken_away(
    newest: Iterable[wire.Job], key: str, job: wire.Job, block: wire.Task, *, lost: bool
) -> BlockVisit:
    """Say how far taking one block out of its cylinder is."""
    own = BlockVisit(block.cylinder, VisitState.FAILED, job.programming_key, job.made_at)
    on_round = block.state not in {VisitState.DONE, VisitState.WAITING}
    if on_round and not lost:
        return replace(own, state=VisitState.LOADED)
    for other in newest:
        for task in other.tasks:
            if task.key != key or task.kind != "unblock" or task.cylinder != block.cylinder:
                continue
            state = {each.value: each for each in VisitState}.get(task.state, VisitState.LOADED)
            done_after = (
                block.done_at is None or task.done_at is None or task.done_at >= block.done_at
            ) and other.made_at >= job.made_at
            if state is VisitState.FAILED or (state is VisitState.DONE and not done_after):
                continue
            return BlockVisit(
                block.cylinder, state, other.programming_key, other.made_at, task.done_at, task.known_at
            )
    return own


def lock_event(event: wire.Event) -> LockEvent | None:
    """Translate a row of the log; None for a row that did not happen at a cylinder.

    An opening is written by the key and by the cylinder, and both memories arrive. The two rows tell one opening, at
    one instant of the key's clock, so they get one id; a row without key or time keeps its own.
    """
    if event.cylinder is None:
        return None
    outcome = _OUTCOMES.get(event.kind, LockEventOutcome.OTHER)
    name = event.id
    if outcome is not LockEventOutcome.OTHER and event.key is not None and event.occurred_at is not None:
        name = f"{event.kind}:{event.key}:{event.cylinder}:{event.occurred_at.isoformat()}"
    return LockEvent(
        vendor_event_id=name,
        occurred_at=event.occurred_at,
        time_quality=TimeQuality.CLOCK if event.occurred_at is not None else TimeQuality.NONE,
        read_at=event.read_at,
        arrived_at=event.arrived_at,
        vendor_lock=event.cylinder,
        vendor_key=event.key,
        outcome=outcome,
        # Which key is certain; who held it is custody's business, and that needs the instant.
        person_certain=event.key is not None and event.occurred_at is not None,
        raw_type=_code(event.kind, _KIND_CODES) + 100 * _code(event.reason, _REASON_CODES),
    )


def memory_reading(event: wire.Event, *, key_rows: int) -> MemoryReading | None:
    """Tell which memory was read completely; None for any other row.

    A programming key notes that it read a cylinder, behind the rows that it read. A key writes that it was updated
    into its own memory, which then comes up whole: so the note is in it, and is its last row. A renewal without the
    server brings nothing up.
    """
    if event.kind == "list_read" and event.cylinder is not None:
        return MemoryReading(event.cylinder, None, event.read_at, event.arrived_at, CYLINDER_ROWS)
    if event.kind == "key_updated" and event.key is not None and event.source == "key":
        return MemoryReading(None, event.key, event.read_at, event.arrived_at, key_rows)
    return None


def memory_wiped(event: wire.Event) -> MemoryWiped | None:
    """Tell which cylinder was overwritten with its events; None for any other row."""
    if event.kind != "cylinder_reprogrammed" or event.cylinder is None:
        return None
    return MemoryWiped(event.cylinder, event.read_at, event.arrived_at)


def clock_set(event: wire.Event) -> ClockSet | None:
    """Tell which key's clock was put right; the row bears the time that it showed before. None for any other row."""
    if event.kind != "clock_set" or event.key is None or event.occurred_at is None:
        return None
    return ClockSet(event.key, event.read_at, event.occurred_at)


def _code(word: str | None, codes: tuple[str, ...]) -> int:
    return codes.index(word) + 1 if word in codes else 0
