"""What a cylinder lists: normal keys one by one, and key groups. Planned on the server, in force once a programming key was there.

A key group is a set of normal keys that share a code (CLIQ Remote FAQ, UK); it is made with the keys and does not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.errors import CliqError, unknown
from key2xs_twin.cliq.inventory import CliqKeyKind

if TYPE_CHECKING:
    from datetime import datetime

    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.state import CliqState, CylinderRecord, Task


@dataclass(frozen=True, slots=True)
class CylinderList:
    """The entries of one cylinder."""

    key_ids: frozenset[UUID] = frozenset()
    key_group_ids: frozenset[UUID] = frozenset()


NO_ENTRIES = CylinderList()


@dataclass(frozen=True, slots=True)
class CylinderContent:
    """What a programming key writes into a cylinder; ``blocked`` and ``group_ids`` only where it overwrites everything."""

    revision: int
    entries: CylinderList
    group_ids: frozenset[UUID] = frozenset()
    blocked: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Told:
    """Something that was done to a cylinder, as a programming key told when it was back."""

    at: datetime
    kind: str  # block, unblock, list, reprogram
    key_id: UUID | None = None
    content: CylinderContent | None = None


def covers(state: CliqState, entries: CylinderList, key_id: UUID) -> bool:
    """Whether entries let a normal key in, by itself or by its group."""
    return key_id in entries.key_ids or not state.key_groups_of(key_id).isdisjoint(entries.key_group_ids)


def change(server: CliqServer, record: CylinderRecord, entries: CylinderList) -> None:
    """Plan other entries for a cylinder; the same ones again change nothing."""
    state, most = server.state, server.settings.key_group_capacity
    for key_id in entries.key_ids:
        key = state.keys.get(key_id)
        if key is None or key.retired:
            raise unknown("key", key_id)
        if key.kind is not CliqKeyKind.NORMAL:
            raise CliqError(422, "not_normal", "Only normal keys are listed in cylinders.", "keys")
    for group_id in entries.key_group_ids:
        if group_id not in state.key_groups:
            raise CliqError(422, "invalid", f"There is no key group {group_id}.", "key_groups")
    if len(entries.key_group_ids) > most:
        raise CliqError(422, "too_many_key_groups", f"A cylinder holds {most} key groups.", "key_groups")
    if entries != record.planned:
        record.planned = entries
        record.list_revision += 1
        record.list_changed_at = server.time.now
        state.note_listed(record)


def content(state: CliqState, record: CylinderRecord, kind: str) -> CylinderContent | None:
    """What a programming key takes along for a task of this kind now."""
    if kind == "list":
        return CylinderContent(record.list_revision, record.planned)
    if kind != "reprogram":
        return None
    cylinder_id = record.spec.cylinder_id
    return CylinderContent(
        record.list_revision,
        record.planned,
        state.groups_of.get(cylinder_id, frozenset()),
        frozenset(record.blocked | _to_block(state, cylinder_id)),
    )


def _to_block(state: CliqState, cylinder_id: UUID) -> set[UUID]:
    """Keys that the newest task about them in this cylinder blocks."""
    newest: dict[UUID, str] = {}
    for job in state.jobs.values():
        for task in job.tasks:
            if (
                task.cylinder_id == cylinder_id
                and task.key_id is not None
                and task.kind in {"block", "unblock"}
            ):
                newest[task.key_id] = task.kind
    return {key_id for key_id, kind in newest.items() if kind == "block"}


def tell(record: CylinderRecord, told: Told) -> None:
    """Take in what was done; word of it may come in another order than it was done in."""
    record.told.append(told)
    record.told.sort(key=lambda each: each.at)
    blocked: set[UUID] = set()
    for each in record.told:
        if each.kind == "block" and each.key_id is not None:
            blocked.add(each.key_id)
        elif each.kind == "unblock" and each.key_id is not None:
            blocked.discard(each.key_id)
        elif each.content is not None:
            record.programmed, record.programmed_at = each.content.entries, each.at
            if each.kind == "reprogram":
                blocked = set(each.content.blocked)
    record.blocked = blocked


def open_tasks(state: CliqState, cylinder_id: UUID) -> list[tuple[UUID, UUID, Task]]:
    """Tasks that write entries into a cylinder and are not over: job, programming key, task."""
    return [
        (job.job_id, job.programming_key_id, task)
        for job in state.jobs.values()
        if job.open_tasks
        for task in job.tasks
        if task.cylinder_id == cylinder_id and task.is_open and task.kind in {"list", "reprogram"}
    ]
