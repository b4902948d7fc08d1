"""Jobs for programming keys over the simulated interface."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from key2xs_twin.cliq import jobs, render
from key2xs_twin.cliq.errors import invalid, unknown
from key2xs_twin.cliq.keys import find_key
from key2xs_twin.cliq.routes import NO_CONTENT, Call, created, route
from key2xs_twin.cliq.shapes import JobBody, decode
from key2xs_twin.cliq.state import JobState


@route("POST", "jobs", body=True)
def make_job(call: Call) -> Any:
    """A new job."""
    server = call.server
    body = decode(call.request.body, JobBody)
    job_id = server.rng.uuid("cliq job", server.calls["POST jobs"])
    job = jobs.make(server, body, job_id)
    return created(201, render.job(job))


@route("GET", "jobs", "open", "key")
def get_jobs(call: Call) -> Any:
    """Jobs, oldest first; ``open`` says whether they are done with."""
    state, wanted, key = call.server.state, call.query("open"), call.query("key")
    if wanted not in {None, "true", "false"}:
        raise invalid("open", "true or false.")
    found = list(state.jobs.values())
    if wanted is not None:
        found = [job for job in found if (job.state is not JobState.RETURNED) is (wanted == "true")]
    if key is not None:
        record = find_key(state, _as_id(key))
        about = {
            task.cylinder_id for job in found for task in job.tasks if task.key_id == record.key_id
        }  # a task that overwrites everything there is about the key, too
        found = [
            job
            for job in found
            if any(
                task.key_id == record.key_id or (task.key_id is None and task.cylinder_id in about)
                for task in job.tasks
            )
        ]
    return {"items": [render.job(job) for job in found]}


def _as_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise unknown("key", text) from None


@route("GET", "jobs/*")
def get_job(call: Call) -> Any:
    """One job."""
    return render.job(jobs.find_job(call.server.state, call.id("job")))


@route("DELETE", "jobs/*/tasks/*")
def drop_task(call: Call) -> Any:
    """Take a waiting task back."""
    number = call.words[1]
    if not number.isascii() or not number.isdigit():
        raise unknown("job", f"task {number}")
    jobs.drop_task(call.server.state, call.id("job"), int(number))
    return NO_CONTENT
