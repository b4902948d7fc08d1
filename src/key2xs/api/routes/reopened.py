"""Bounds that a finding opened again: which assumption, why, the old and the new answer; and closing one."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import USUAL_PAGE, Id, Limit, OptionalName
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.keys.reopening.reads import StoredBroken, list_broken


class ReopenedOut(msgspec.Struct, frozen=True):
    """One finding. `before` and `after` are the worst answers of what was ended; `closed_by`: *proof* or *person*.

    `key` null: it is about a lock's clock, and so about every key there.
    """

    id: UUID
    key: str | None
    key_system: str
    lock: str | None
    cause: str
    because: str
    assumptions: list[str]
    found_at: datetime
    before: str | None
    before_until: datetime | None
    after: str | None
    after_until: datetime | None
    closed_at: datetime | None
    closed_by: str | None


class ReopenedList(msgspec.Struct, frozen=True):
    """Findings, what stands first, then the newest."""

    items: list[ReopenedOut]


class Settle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was looked at and put right."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


@get(
    "/api/v1/exposure/reopened",
    permission=Permission.KEYS_EXPOSURE_READ,
    tags=["answers"],
    summary="Bounds that a finding opened again",
)
async def reopened(
    web: WebPart,
    key: OptionalName = None,
    closed: Annotated[bool, QueryParameter(description="Also what was closed.")] = False,  # noqa: FBT002 - a parameter of the address
    limit: Limit = USUAL_PAGE,
) -> ReopenedList:
    """Which assumption was found to be wrong, and what became of the bound that rested on it."""
    async with web.services.database.read() as tx:
        key_id = (await web.services.registry.get_key(tx, key)).id if key is not None else None
        found = await list_broken(tx, also_closed=closed, key_id=key_id, limit=limit)
    return ReopenedList([reopened_out(each) for each in found])


@post(
    "/api/v1/exposure/reopened/{finding:uuid}/settle",
    permission=Permission.KEYS_EXPOSURE_SETTLE,
    status_code=200,
    tags=["answers"],
    summary="Say that what opened a bound again was put right",
)
async def settle(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, finding: Id, data: JSONBody[Settle]
) -> Response[ReopenedOut]:
    """From then on bounds that rest on the assumption are published again."""

    async def work(tx: Connection) -> ReopenedOut:
        closed = await web.services.reopenings.close(
            tx, finding, reason=data.reason, actor=caller.actor, at=web.now
        )
        return reopened_out(closed)

    return await perform(web, request, caller, work)


def reopened_out(found: StoredBroken) -> ReopenedOut:
    """Describe one finding."""
    return ReopenedOut(
        id=found.id,
        key=found.stamp,
        key_system=found.system,
        lock=found.marking or found.lock,
        cause=str(found.cause),
        because=found.because,
        assumptions=found.assumptions,
        found_at=found.found_at,
        before=found.before_kind,
        before_until=found.before_until,
        after=found.after_kind,
        after_until=found.after_until,
        closed_at=found.closed_at,
        closed_by=found.closed_by,
    )


HANDLERS = (reopened, settle)
