"""The life of a key on the server: planned, sent, waiting at updaters, acknowledged; reported, handed out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.errors import CliqError, unknown, wrong_state
from key2xs_twin.cliq.inventory import CliqKeyKind
from key2xs_twin.cliq.plan import NEVER_VALID, KeyPlan
from key2xs_twin.cliq.state import (
    BlockState,
    CliqKeyRecord,
    CliqState,
    Report,
    SentPlan,
    TaskState,
    UpdateState,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


def find_key(state: CliqState, key_id: UUID) -> CliqKeyRecord:
    """The key, or 404."""
    record = state.keys.get(key_id)
    if record is None:
        raise unknown("key", key_id)
    return record


def require_in_use(record: CliqKeyRecord) -> None:
    """Refuse what makes no sense for a key that is reported or gone."""
    if record.retired:
        raise wrong_state("The key is retired.")
    if record.reported is not None:
        raise wrong_state(f"The key is reported {record.reported}.")


def change_plan(state: CliqState, record: CliqKeyRecord, plan: KeyPlan, sees: Callable[[UUID], bool]) -> None:
    """Replace a key's plan. The one that waits at updaters stays there until the new one is sent.

    ``sees``: whether the client's domains hold a cylinder. The same plan again changes nothing.
    """
    require_in_use(record)
    if record.kind is CliqKeyKind.NORMAL and plan.entries:
        raise CliqError(422, "not_dynamic", "A normal key holds no access list.", "access")
    if plan.online_opening and record.kind is not CliqKeyKind.CONNECT:
        raise CliqError(422, "invalid", "Only a Connect key can ask online.", "online_opening")
    for cylinder_id in plan.cylinder_ids:
        if cylinder_id not in state.cylinders:
            raise unknown("cylinder", cylinder_id)
    for group_id in plan.group_ids:
        if group_id not in state.groups:
            raise CliqError(422, "invalid", f"There is no cylinder group {group_id}.", "access")
    _require_domain(state, record, plan, sees)
    if plan != record.plan:
        record.plan = plan
        record.revision += 1


def _require_domain(
    state: CliqState, record: CliqKeyRecord, plan: KeyPlan, sees: Callable[[UUID], bool]
) -> None:
    before = record.plan if record.plan is not None else KeyPlan()
    if not all(sees(cylinder_id) for cylinder_id in state.reach(plan) | state.reach(before)):
        raise CliqError(403, "domain", "The plan holds cylinders of another domain.", "access")
    added = plan.group_ids - before.group_ids
    if any(not state.groups[group_id].writable for group_id in added):
        raise CliqError(403, "domain", "The group may not be given by this client.", "access")


def send(record: CliqKeyRecord, at: datetime) -> None:
    """Make the current plan wait at every updater; what waits or is confirmed already stays so."""
    if record.retired or record.reported is Report.BROKEN:
        raise wrong_state("The key is no longer in use.")
    if record.plan is None:
        raise wrong_state("The key has no plan.")
    if record.sent is not None and record.sent.revision == record.revision:
        return
    if record.sent is None and record.confirmed_revision == record.revision:
        return
    record.sent = SentPlan(record.revision, record.plan)
    record.sent_revision = record.revision
    record.update_state, record.update_at = UpdateState.WAITING, at


def taken(record: CliqKeyRecord, updater_id: UUID, at: datetime) -> None:
    """An updater hands the waiting plan over; whether it arrived is not known yet."""
    record.update_state, record.update_at = UpdateState.TAKEN, at
    if record.sent is not None:
        record.taken = (*record.taken, record.sent.plan)
    record.last_update = (at, updater_id)


def failed(record: CliqKeyRecord, at: datetime) -> None:
    """The key was pulled out early; the plan waits on."""
    if record.sent is not None:
        record.update_state, record.update_at = UpdateState.FAILED, at


def acknowledge(record: CliqKeyRecord, revision: int, plan: KeyPlan, at: datetime) -> None:
    """The key says what is in its memory; only now does *confirmed* change."""
    record.confirmed, record.confirmed_revision, record.confirmed_at = plan, revision, at
    record.taken = ()
    if record.sent is not None and record.sent.revision == revision:
        record.sent = None
        record.update_state, record.update_at = UpdateState.DONE, at


def report(state: CliqState, record: CliqKeyRecord, what: str, at: datetime) -> None:
    """A key is lost, broken, or found again."""
    if record.retired:
        raise wrong_state("The key is retired.")
    if what == "found":
        _found(state, record)
        return
    if record.reported is Report(what):
        return
    if record.reported is Report.LOST:
        raise wrong_state("The key is lost; nobody can tell that it is broken.")
    record.reported, record.reported_at = Report(what), at
    if what == "lost":
        plan = record.plan if record.plan is not None else KeyPlan()
        if plan.validity != NEVER_VALID:
            record.plan = replace(plan, validity=NEVER_VALID)
            record.revision += 1
        send(record, at)


def _found(state: CliqState, record: CliqKeyRecord) -> None:
    if record.reported is None:
        raise wrong_state("The key is not reported.")
    tasks = [task for task in state.tasks_for(record.key_id) if task.kind == "block"]
    if any(task.state is TaskState.LOADED for task in tasks) or _is_in_a_cylinder(state, record):
        raise wrong_state("A block task is out or done: unblock the key first.")
    for job in list(state.jobs.values()):
        job.tasks = [task for task in job.tasks if task not in tasks or task.state is not TaskState.WAITING]
        if not job.tasks:
            del state.jobs[job.job_id]
    record.reported = record.reported_at = None


def _is_in_a_cylinder(state: CliqState, record: CliqKeyRecord) -> bool:
    """Whether a cylinder holds the block, by what programming keys brought back; one that was unblocked does not."""
    return any(record.key_id in cylinder.blocked for cylinder in state.cylinders.values())


def block_state(state: CliqState, record: CliqKeyRecord) -> BlockState:
    """How far the block has come, by what programming keys brought back."""
    if record.reported is None and record.key_id not in state.tasked:
        return BlockState.NONE
    is_coming = any(
        task.kind == "block" and task.state in {TaskState.WAITING, TaskState.LOADED}
        for task in state.tasks_for(record.key_id)
    )
    if record.reported is not Report.LOST and not is_coming and not _is_in_a_cylinder(state, record):
        return BlockState.NONE
    plans = [record.plan, record.confirmed, *record.taken, record.sent.plan if record.sent else None]
    could_open = state.may_list(record.key_id).union(*(state.reach(plan) for plan in plans))
    blocked_in = {cid for cid in could_open if record.key_id in state.cylinders[cid].blocked}
    if blocked_in == could_open:
        return BlockState.BLOCKED
    return BlockState.WITH_ACCESS if record.reported is Report.LOST or blocked_in else BlockState.NONE
