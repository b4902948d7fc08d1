"""How everything stands, and the demo's clock."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.web import WebPart
from key2xs.core.errors import Conflict, NotFound
from key2xs.grants.reads import count_states
from key2xs.keys.reads import system_ages
from key2xs.ledger.log import find_head
from key2xs.ledger.readers import readers_behind
from key2xs.work import source_status

LONGEST_WAIT: Final = 60.0  # seconds; a client asks again


class SystemOut(msgspec.Struct, frozen=True):
    """A key system, and how old what we know of it is."""

    name: str
    vendor: str
    log_read_at: datetime | None
    listed_at: datetime | None
    sees_everything: bool
    interface: str
    """Documented by its maker, or simulated."""


class SourceOut(msgspec.Struct, frozen=True):
    """A permit system; counts of live permits that differ mean that messages were lost."""

    name: str
    feed_ok: str
    heard_at: datetime | None
    live_there: int | None
    live_here: int


class LogOut(msgspec.Struct, frozen=True):
    """Where the log stands."""

    origin: str
    size: int
    vkey: str


class Status(msgspec.Struct, frozen=True):
    """How everything stands, with the age of all data."""

    site: str
    now: datetime
    narrow_only: str | None
    log: LogOut | None
    key_systems: list[SystemOut]
    permit_sources: list[SourceOut]
    readers_behind: dict[str, int]
    loops_failing: dict[str, str]
    grants: dict[str, int]


class DemoStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The instant that is to be now, and how many seconds of real time the answer may wait for quiet."""

    to: datetime
    within: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_WAIT)] = 0.0


class Quiet(msgspec.Struct, frozen=True):
    """Whether nothing is under way, and what is if not."""

    quiet: bool
    busy: list[str]
    now: datetime
    next_due: datetime | None


@get(
    "/api/v1/status",
    permission=Permission.SYSTEM_STATUS_READ,
    tags=["system"],
    summary="How everything stands",
)
async def status(web: WebPart) -> Status:
    """Ages of all data, readers behind, failing loops, the log."""
    now = web.now
    async with web.services.database.read() as tx:
        systems, sources = await system_ages(tx), await source_status(tx, now)
        behind, grants = await readers_behind(tx), await count_states(tx)
        try:
            head = await find_head(tx)
        except NotFound:
            head = None
    return Status(
        site=web.services.settings.site_name,
        now=now,
        narrow_only=head.narrow_only_why if head else "the log is not open yet",
        log=LogOut(head.origin, head.size, head.vkey) if head else None,
        key_systems=[
            SystemOut(s.name, s.vendor, s.log_read_at, s.listed_at, s.visibility_complete, s.interface)
            for s in systems
        ],
        permit_sources=[SourceOut(s.name, s.feed_ok, s.heard_at, s.live_there, s.live_here) for s in sources],
        readers_behind={name: count for name, count in behind.items() if count},
        loops_failing=web.runtime.all_problems(),
        grants=grants,
    )


@post(
    "/api/v1/demo/time",
    permission=Permission.DEMO_TIME_STEP,
    status_code=200,
    tags=["demo"],
    summary="Step the demo's clock",
)
async def step_time(web: WebPart, data: JSONBody[DemoStep]) -> Quiet:
    """Move domain time forward. Exists in the demo only."""
    demo = web.runtime.demo_time
    if demo is None:
        raise NotFound("this is not a demo")
    to = web.instant(data.to, "to")
    try:
        await demo.advance_to(to)
    except ValueError as error:
        raise Conflict(str(error)) from error
    return await _quiet(web, data.within)


@get(
    "/api/v1/demo/quiet",
    permission=Permission.DEMO_TIME_STEP,
    tags=["demo"],
    summary="Whether the demo's clock may be stepped",
)
async def quiet(
    web: WebPart,
    within: Annotated[
        float, QueryParameter(ge=0, le=LONGEST_WAIT, description="Seconds to wait for quiet.")
    ] = 0.0,
) -> Quiet:
    """Tell what is under way, at once or when nothing is any more. Exists in the demo only."""
    if web.runtime.demo_time is None:
        raise NotFound("this is not a demo")
    return await _quiet(web, within)


async def _quiet(web: WebPart, within: float) -> Quiet:
    busy = await web.runtime.settle(within)
    return Quiet(not busy, busy, web.now, web.runtime.next_due())


HANDLERS: tuple[Any, ...] = (status,)
DEMO_HANDLERS: tuple[Any, ...] = (step_time, quiet)
