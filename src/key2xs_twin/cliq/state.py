"""What the simulated CLIQ server knows: plans, updates, jobs, events. It never looks into a device."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from key2xs_twin.cliq.lists import NO_ENTRIES, CylinderList, covers

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from key2xs_twin.cliq.inventory import CliqKeyKind, CylinderSpec, ProgrammingKeySpec, UpdaterSpec
    from key2xs_twin.cliq.lists import Told
    from key2xs_twin.cliq.plan import KeyPlan
    from key2xs_twin.cliq.things import MemoryRow


class UpdateState(StrEnum):
    """How far the last plan that was sent has come."""

    NONE = "none"
    WAITING = "waiting"  # at every updater
    TAKEN = "taken"  # handed to the key, no acknowledgement
    DONE = "done"
    FAILED = "failed"  # pulled out early; it waits on


class Report(StrEnum):
    """What somebody reported of a key."""

    LOST = "lost"
    BROKEN = "broken"


class BlockState(StrEnum):
    """How far the block of a key has come; *blocked with access* until every cylinder it could open was visited."""

    NONE = "none"
    WITH_ACCESS = "blocked_with_access"
    BLOCKED = "blocked"


class TaskState(StrEnum):
    """What the server knows of a task."""

    WAITING = "waiting"
    LOADED = "loaded"
    DONE = "done"
    FAILED = "failed"


class JobState(StrEnum):
    """What the server knows of a job."""

    WAITING = "waiting"
    LOADED = "loaded"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class SentPlan:
    """A plan on its way to the key."""

    revision: int
    plan: KeyPlan


@dataclass(slots=True, kw_only=True)
class CliqKeyRecord:
    """A key on the server. ``confirmed`` is the last program that the key acknowledged at an updater."""

    key_id: UUID
    serial: str
    marking: str
    kind: CliqKeyKind
    number: int
    holder: str | None
    plan: KeyPlan | None
    revision: int = 1
    handed_out: bool = False
    reported: Report | None = None
    reported_at: datetime | None = None
    retired: bool = False
    sent: SentPlan | None = None  # not acknowledged yet
    taken: tuple[KeyPlan, ...] = ()  # handed over, not acknowledged: any of them may be in the key
    sent_revision: int | None = None
    update_state: UpdateState = UpdateState.NONE
    update_at: datetime | None = None
    confirmed: KeyPlan | None = None
    confirmed_at: datetime | None = None
    confirmed_revision: int | None = None
    last_update: tuple[datetime, UUID] | None = None
    offline_updates_since: int = 0


@dataclass(slots=True, kw_only=True)
class CylinderRecord:
    """A cylinder on the server; ``blocked`` and ``programmed`` as far as programming keys came back and told."""

    spec: CylinderSpec
    blocked: set[UUID] = field(default_factory=set)
    planned: CylinderList = NO_ENTRIES
    list_revision: int = 1
    list_changed_at: datetime | None = None
    programmed: CylinderList = NO_ENTRIES
    programmed_at: datetime | None = None
    told: list[Told] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class GroupRecord:
    """A cylinder group as planned; a cylinder learns its membership when it is programmed."""

    group_id: UUID
    name: str
    member_ids: frozenset[UUID]
    writable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGroupRecord:
    """A key group: normal keys that are one entry in a cylinder."""

    group_id: UUID
    name: str
    member_ids: frozenset[UUID]


@dataclass(slots=True, kw_only=True)
class ProfileRecord:
    """An access profile as it is now; a key has its entries once it was updated after the last change."""

    profile_id: UUID
    name: str
    cylinder_ids: frozenset[UUID]
    group_ids: frozenset[UUID]


@dataclass(slots=True, kw_only=True)
class UpdaterRecord:
    """An updater as the server sees it."""

    spec: UpdaterSpec
    online: bool
    seen_at: datetime


@dataclass(slots=True, kw_only=True)
class ProgrammingKeyRecord:
    """A programming key on the server."""

    spec: ProgrammingKeySpec
    last_seen_at: datetime | None = None
    last_seen_place: str | None = None


@dataclass(slots=True, kw_only=True)
class Task:
    """One visit to one cylinder: for one key, or to overwrite everything in it.

    ``revision``: of the cylinder's planned entries, as loaded.
    """

    number: int
    kind: str  # block, unblock, list, reprogram
    cylinder_id: UUID
    key_id: UUID | None
    state: TaskState = TaskState.WAITING
    done_at: datetime | None = None
    known_at: datetime | None = None
    revision: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits or is on its round."""
        return self.state in {TaskState.WAITING, TaskState.LOADED}


@dataclass(slots=True, kw_only=True)
class Job:
    """What a programming key is to do on its round."""

    job_id: UUID
    programming_key_id: UUID
    made_at: datetime
    tasks: list[Task]
    state: JobState = JobState.WAITING

    @property
    def open_tasks(self) -> int:
        """Tasks that take room on the programming key."""
        return sum(task.is_open for task in self.tasks)


class EventRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it arrived; ``seq`` is the order of arrival."""

    row: MemoryRow
    seq: int
    read_at: datetime
    arrived_at: datetime
    source: str  # key, cylinder, system


@dataclass(slots=True)
class CliqState:
    """Everything the server holds."""

    cylinders: dict[UUID, CylinderRecord] = field(default_factory=dict)
    groups: dict[UUID, GroupRecord] = field(default_factory=dict)
    keys: dict[UUID, CliqKeyRecord] = field(default_factory=dict)
    updaters: dict[UUID, UpdaterRecord] = field(default_factory=dict)
    programming_keys: dict[UUID, ProgrammingKeyRecord] = field(default_factory=dict)
    jobs: dict[UUID, Job] = field(default_factory=dict)
    events: list[EventRecord] = field(default_factory=list)
    event_ids: set[UUID] = field(default_factory=set)
    groups_of: dict[UUID, frozenset[UUID]] = field(default_factory=dict)  # of a cylinder, as planned
    tasked: set[UUID] = field(default_factory=set)  # keys that some job was ever about
    key_groups: dict[UUID, KeyGroupRecord] = field(default_factory=dict)
    listed_in: dict[UUID, set[UUID]] = field(default_factory=dict)  # cylinders that ever listed a normal key
    profiles: dict[UUID, ProfileRecord] = field(default_factory=dict)

    def regroup(self) -> None:
        """Note again which groups each cylinder is in."""
        found: dict[UUID, set[UUID]] = {}
        for group in self.groups.values():
            for cylinder_id in group.member_ids:
                found.setdefault(cylinder_id, set()).add(group.group_id)
        self.groups_of = {cylinder_id: frozenset(ids) for cylinder_id, ids in found.items()}

    def reach(self, plan: KeyPlan | None) -> frozenset[UUID]:
        """The cylinders that an access list names, groups spelled out."""
        if plan is None:
            return frozenset()
        members = (self.groups[group_id].member_ids for group_id in plan.group_ids if group_id in self.groups)
        return plan.cylinder_ids.union(*members)

    def with_profiles(self, plan: KeyPlan) -> KeyPlan:
        """The plan with the entries that its access profiles hold now."""
        held = [self.profiles[each] for each in plan.profile_ids]
        own_cylinders, own_groups = (
            plan.cylinder_ids - plan.from_profiles,
            plan.group_ids - plan.from_profiles,
        )
        cylinders = own_cylinders.union(*(each.cylinder_ids for each in held))
        groups = own_groups.union(*(each.group_ids for each in held))
        added = (cylinders - own_cylinders) | (groups - own_groups)
        return replace(plan, cylinder_ids=cylinders, group_ids=groups, from_profiles=added)

    def key_groups_of(self, key_id: UUID) -> frozenset[UUID]:
        """The key groups that hold a key."""
        return frozenset(each.group_id for each in self.key_groups.values() if key_id in each.member_ids)

    def note_listed(self, record: CylinderRecord) -> None:
        """Remember which keys a cylinder's planned entries let in."""
        for key_id in record.planned.key_ids.union(
            *(self.key_groups[each].member_ids for each in record.planned.key_group_ids)
        ):
            self.listed_in.setdefault(key_id, set()).add(record.spec.cylinder_id)

    def may_list(self, key_id: UUID) -> frozenset[UUID]:
        """Cylinders whose entries let a normal key in, planned or as programming keys told."""
        return frozenset(
            each
            for each in self.listed_in.get(key_id, ())
            if covers(self, self.cylinders[each].planned, key_id)
            or covers(self, self.cylinders[each].programmed, key_id)
        )

    def jobs_of(self, programming_key_id: UUID) -> list[Job]:
        """Jobs of one programming key, oldest first."""
        return [job for job in self.jobs.values() if job.programming_key_id == programming_key_id]

    def tasks_for(self, key_id: UUID) -> list[Task]:
        """Every task about a key, oldest first."""
        return [task for job in self.jobs.values() for task in job.tasks if task.key_id == key_id]
