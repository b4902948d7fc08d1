"""Jobs for programming keys: made here, carried by people, known only when the programming key came back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.errors import CliqError, invalid, unknown, wrong_state
from key2xs_twin.cliq.inventory import CliqKeyKind
from key2xs_twin.cliq.keys import find_key
from key2xs_twin.cliq.lists import Told, content, tell
from key2xs_twin.cliq.state import CliqState, Job, JobState, Task, TaskState
from key2xs_twin.cliq.things import LoadedTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.shapes import JobBody


def find_job(state: CliqState, job_id: UUID) -> Job:
    """The job, or 404."""
    job = state.jobs.get(job_id)
    if job is None:
        raise unknown("job", job_id)
    return job


def make(server: CliqServer, body: JobBody, job_id: UUID) -> Job:
    """A new job; refused when the programming key would hold more tasks than it can."""
    state, capacity = server.state, server.settings.job_capacity
    if body.programming_key not in state.programming_keys:
        raise unknown("programming_key", body.programming_key)
    if not body.tasks:
        raise invalid("tasks", "A job has tasks.")
    for wanted in body.tasks:
        if wanted.cylinder not in state.cylinders:
            raise unknown("cylinder", wanted.cylinder)
        if not server.sees(wanted.cylinder):
            raise CliqError(403, "domain", "The cylinder is of another domain.", "tasks")
        if find_key(state, wanted.key).kind is not CliqKeyKind.NORMAL and wanted.kind == "list":
            raise CliqError(422, "not_normal", "Only normal keys are listed in cylinders.", "tasks")
    if len({(wanted.cylinder, wanted.key) for wanted in body.tasks}) != len(body.tasks):
        raise invalid("tasks", "A cylinder and key are repeated.")
    loaded = sum(job.open_tasks for job in state.jobs_of(body.programming_key))
    if loaded + len(body.tasks) > capacity:
        raise CliqError(422, "job_full", f"The programming key holds {loaded} of {capacity} tasks.", "tasks")
    tasks = [
        Task(number=number, kind=wanted.kind, cylinder_id=wanted.cylinder, key_id=wanted.key)
        for number, wanted in enumerate(body.tasks, start=1)
    ]
    job = Job(job_id=job_id, programming_key_id=body.programming_key, made_at=server.time.now, tasks=tasks)
    state.jobs[job_id] = job
    state.tasked.update(wanted.key for wanted in body.tasks)
    return job


def drop_task(state: CliqState, job_id: UUID, number: int) -> None:
    """Take a task back while nobody has loaded it; the last one takes the job with it."""
    job = find_job(state, job_id)
    task = next((task for task in job.tasks if task.number == number), None)
    if task is None:
        raise unknown("job", f"{job_id}, task {number}")
    if task.state is not TaskState.WAITING:
        raise wrong_state(f"The task is {task.state}.")
    job.tasks.remove(task)
    if not job.tasks:
        del state.jobs[job_id]


def load(state: CliqState, programming_key_id: UUID) -> list[LoadedTask]:
    """Hand the waiting tasks to a programming key at an updater."""
    loaded = []
    for job in state.jobs_of(programming_key_id):
        for task in job.tasks:
            if task.state is TaskState.WAITING:
                task.state = TaskState.LOADED
                job.state = JobState.LOADED
                written = content(state, state.cylinders[task.cylinder_id], task.kind)
                task.revision = written.revision if written is not None else None
                loaded.append(
                    LoadedTask(
                        job_id=job.job_id,
                        number=task.number,
                        kind=task.kind,
                        cylinder_id=task.cylinder_id,
                        key_id=task.key_id,
                        content=written,
                    )
                )
    return loaded


def settle(server: CliqServer, programming_key_id: UUID, tried: Iterable[LoadedTask]) -> None:
    """A programming key came back and tells what it did; what it did not try stays loaded.

    Where it was pulled out early, the cylinder gets a task that overwrites everything in it (CLIQ Software FAQ).
    """
    state, at = server.state, server.time.now
    torn: set[UUID] = set()
    for outcome in tried:
        job = state.jobs[outcome.job_id]
        task = next(task for task in job.tasks if task.number == outcome.number)
        task.state = TaskState.DONE if outcome.done else TaskState.FAILED
        task.done_at, task.known_at = outcome.done_at, at
        if outcome.torn:
            torn.add(outcome.cylinder_id)
        if outcome.done and outcome.done_at is not None:
            told = Told(outcome.done_at, outcome.kind, outcome.key_id, outcome.content)
            tell(state.cylinders[outcome.cylinder_id], told)
        if not job.open_tasks:
            job.state = JobState.RETURNED
    _reprogram(server, programming_key_id, torn)


def _reprogram(server: CliqServer, programming_key_id: UUID, torn: set[UUID]) -> None:
    state = server.state
    waiting = {
        task.cylinder_id
        for job in state.jobs.values()
        for task in job.tasks
        if task.kind == "reprogram" and task.is_open
    }
    tasks = [
        Task(number=number, kind="reprogram", cylinder_id=cylinder_id, key_id=None)
        for number, cylinder_id in enumerate(sorted(torn - waiting), start=1)
    ]
    if tasks:
        job_id = server.rng.uuid("cliq job", "reprogram", len(state.jobs), server.time.now.isoformat())
        state.jobs[job_id] = Job(
            job_id=job_id, programming_key_id=programming_key_id, made_at=server.time.now, tasks=tasks
        )
