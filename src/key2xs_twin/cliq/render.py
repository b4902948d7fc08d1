"""CLIQ server state as JSON values on the names of the simulated interface."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from key2xs_twin.cliq.keys import block_state
from key2xs_twin.cliq.lists import covers, open_tasks
from key2xs_twin.cliq.plan import ValidityKind
from key2xs_twin.cliq.shapes import write_clock, write_instant
from key2xs_twin.cliq.state import TaskState
from key2xs_twin.cliq.things import CliqReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from key2xs_twin.cliq.plan import KeyPlan, Validity
    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.state import (
        CliqKeyRecord,
        CliqState,
        CylinderRecord,
        EventRecord,
        GroupRecord,
        Job,
        KeyGroupRecord,
        ProfileRecord,
        ProgrammingKeyRecord,
        UpdaterRecord,
    )

Json = dict[str, Any]

# The interface has no words for a key that had to ask; to the lock's log it was not authorised.
_REASONS = {
    CliqReason.OK: None,
    CliqReason.NO_NETWORK: "not_authorised",
    CliqReason.SERVER_REFUSED: "not_authorised",
}


def system(server: CliqServer) -> Json:
    """GET /system."""
    offline = server.settings.offline_updates
    return {
        "name": server.account.name,
        "time": write_instant(server.time.now),
        "interface": "simulated",
        "domain_complete": all(server.sees(cylinder_id) for cylinder_id in server.state.cylinders),
        "offline_updates": {
            "count": offline.count,
            "gap_minutes": _whole(offline.gap, timedelta(minutes=1)),
            "block_list_hours": _whole(offline.block_list, timedelta(hours=1)),
        },
        "max_access_entries": server.settings.max_access_entries,
        "revalidation_minutes": {
            "min": server.settings.revalidation_min,
            "max": server.settings.revalidation_max,
        },
        "job_capacity": server.settings.job_capacity,
    }


def _whole(span: timedelta | None, unit: timedelta) -> int | None:
    return None if span is None else span // unit


def cylinder(server: CliqServer, record: CylinderRecord) -> Json:
    """An item of GET /cylinders."""
    spec = record.spec
    return {
        "id": str(spec.cylinder_id),
        "marking": spec.marking,
        "groups": [str(each) for each in sorted(server.state.groups_of.get(spec.cylinder_id, ()))],
        "domain": spec.domain,
        "block_list": {"keys": len(record.blocked), "capacity": server.settings.block_capacity},
        "online_opening": spec.online_opening,
    }


def cylinder_list(record: CylinderRecord) -> Json:
    """GET /cylinders/{id}/list."""
    return {
        "cylinder": str(record.spec.cylinder_id),
        "revision": record.list_revision,
        "keys": [str(each) for each in sorted(record.planned.key_ids)],
        "key_groups": [str(each) for each in sorted(record.planned.key_group_ids)],
    }


def key_group(record: KeyGroupRecord) -> Json:
    """An item of GET /key-groups."""
    return {
        "id": str(record.group_id),
        "name": record.name,
        "members": [str(each) for each in sorted(record.member_ids)],
    }


def listing(state: CliqState, key_record: CliqKeyRecord, cylinder_id: UUID) -> Json:
    """An item of GET /keys/{id}/lists: *programmed* is what programming keys told, never a look into the cylinder."""
    record = state.cylinders[cylinder_id]
    return {
        "cylinder": str(cylinder_id),
        "revision": record.list_revision,
        "planned": covers(state, record.planned, key_record.key_id),
        "programmed": covers(state, record.programmed, key_record.key_id),
        "programmed_at": write_instant(record.programmed_at),
        "changed_at": write_instant(record.list_changed_at),
        "tasks": [
            {
                "job": str(job_id),
                "n": each.number,
                "kind": each.kind,
                "programming_key": str(carrier_id),
                "key": None if each.key_id is None else str(each.key_id),
                "state": str(each.state),
                "revision": each.revision,
            }
            for job_id, carrier_id, each in open_tasks(state, cylinder_id)
        ],
    }


def profile(record: ProfileRecord, sees: Callable[[UUID], bool]) -> Json:
    """An item of GET /access-profiles."""
    return {
        "id": str(record.profile_id),
        "name": record.name,
        "access": _access(record.cylinder_ids, record.group_ids, sees),
    }


def _access(
    cylinder_ids: frozenset[UUID], group_ids: frozenset[UUID], sees: Callable[[UUID], bool]
) -> list[Json]:
    access = [{"cylinder": str(each)} for each in sorted(cylinder_ids) if sees(each)]
    return access + [{"group": str(each)} for each in sorted(group_ids)]


def group(record: GroupRecord, sees: Callable[[UUID], bool]) -> Json:
    """An item of GET /cylinder-groups."""
    return {
        "id": str(record.group_id),
        "name": record.name,
        "members": [str(each) for each in sorted(record.member_ids) if sees(each)],
        "writable": record.writable,
    }


def key(state: CliqState, record: CliqKeyRecord) -> Json:
    """An item of GET /keys."""
    return {
        "id": str(record.key_id),
        "serial": record.serial,
        "marking": record.marking,
        "kind": str(record.kind),
        "holder": record.holder,
        "handed_out": record.handed_out,
        "reported": None if record.reported is None else str(record.reported),
        "block_state": str(block_state(state, record)),
        "revision": record.revision,
        "retired": record.retired,
    }


def whole_key(server: CliqServer, record: CliqKeyRecord) -> Json:
    """GET /keys/{id}: *confirmed* is what the key acknowledged, never a look into it."""
    last = record.last_update
    return key(server.state, record) | {
        "planned": _plan(record.plan, server.sees),
        "sent_revision": record.sent_revision,
        "update": update(record),
        "confirmed": _plan(record.confirmed, server.sees),
        "confirmed_at": write_instant(record.confirmed_at),
        "confirmed_revision": record.confirmed_revision,
        "last_update": None if last is None else {"at": write_instant(last[0]), "updater": str(last[1])},
        "offline_updates_since": record.offline_updates_since,
    }


def update(record: CliqKeyRecord) -> Json:
    """How far the plan that was sent has come."""
    return {"state": str(record.update_state), "at": write_instant(record.update_at)}


def _plan(plan: KeyPlan | None, sees: Callable[[UUID], bool]) -> Json | None:
    if plan is None:
        return None
    schedule = None
    if plan.schedule is not None:
        schedule = [
            {"day": row.day, "from": write_clock(row.start), "to": write_clock(row.end)}
            for row in plan.schedule
        ]
    return {
        # Entries that come from a profile are in it like any other: the key does not tell them apart.
        "access": _access(plan.cylinder_ids, plan.group_ids, sees),
        "profiles": [str(each) for each in sorted(plan.profile_ids)],
        "validity": _validity(plan.validity),
        "schedule": schedule,
        "revalidation_minutes": plan.revalidation_minutes,
        "online_opening": plan.online_opening,
    }


def _validity(validity: Validity) -> Json:
    if validity.kind is not ValidityKind.BETWEEN:
        return {"kind": str(validity.kind)}
    return {
        "kind": "between",
        "from": write_instant(validity.starts_at),
        "to": write_instant(validity.ends_at),
    }


def updater(record: UpdaterRecord, server: CliqServer) -> Json:
    """An item of GET /updaters."""
    seen_at = server.time.now if record.online else record.seen_at
    return {
        "id": str(record.spec.updater_id),
        "kind": str(record.spec.kind),
        "place": record.spec.place,
        "online": record.online,
        "seen_at": write_instant(seen_at),
    }


def programming_key(server: CliqServer, record: ProgrammingKeyRecord) -> Json:
    """An item of GET /programming-keys."""
    key_id = record.spec.programming_key_id
    loaded = sum(task.state is TaskState.LOADED for job in server.state.jobs_of(key_id) for task in job.tasks)
    return {
        "id": str(key_id),
        "serial": record.spec.serial,
        "holder": record.spec.holder,
        "capacity": server.settings.job_capacity,
        "tasks_loaded": loaded,
        "last_seen_at": write_instant(record.last_seen_at),
        "last_seen_place": record.last_seen_place,
    }


def job(record: Job) -> Json:
    """A job with its tasks."""
    return {
        "id": str(record.job_id),
        "programming_key": str(record.programming_key_id),
        "made_at": write_instant(record.made_at),
        "tasks": [
            {
                "n": task.number,
                "kind": task.kind,
                "cylinder": str(task.cylinder_id),
                "key": None if task.key_id is None else str(task.key_id),
                "state": str(task.state),
                "done_at": write_instant(task.done_at),
                "known_at": write_instant(task.known_at),
            }
            for task in record.tasks
        ],
        "state": str(record.state),
    }


def event(record: EventRecord) -> Json:
    """An item of GET /events."""
    row = record.row
    reason = None if row.reason is None else _REASONS.get(row.reason, str(row.reason))
    return {
        "id": str(row.event_id),
        "seq": record.seq,
        "occurred_at": write_instant(row.recorded_at),
        "read_at": write_instant(record.read_at),
        "arrived_at": write_instant(record.arrived_at),
        "kind": str(row.kind),
        "reason": reason,
        "cylinder": None if row.cylinder_id is None else str(row.cylinder_id),
        "key": None if row.key_id is None else str(row.key_id),
        "foreign_key": row.foreign_key,
        "source": record.source,
    }
