"""What happens to keys: lost, found, broken, repaired, replaced."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.losing import block_of, end_found
from key2xs.api.paging import Name
from key2xs.api.routes.custody import CustodyOut, custody_of
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.keys.desk import mishaps

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class Lost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where and how, without names; `since` when it was surely there last."""

    reason: _Reason
    since: datetime | None = None


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, without names."""

    reason: _Reason


class By(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key takes its place, by stamp or id."""

    by: _Text
    reason: _Reason


@post("/api/v1/keys/{name:str}/lost", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Report a key lost")  # fmt: skip
async def lost(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Lost]
) -> Response[CustodyOut]:
    """Report a key lost and ask for its block. An emergency key is reported and never blocked."""

    async def work(tx: Connection) -> CustodyOut:
        key = await web.services.registry.get_key(tx, name)
        await mishaps.report_lost(
            tx, web.services.key_desk, key.id, reason=data.reason, actor=caller.actor, at=web.now,
            since=web.instant(data.since, "since") if data.since else None, block=block_of(web, caller, data.reason),
        )  # fmt: skip
        return await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/found",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["custody"],
    summary="Say that a lost key was found",
)
async def found(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[CustodyOut]:
    """The key lies at the desk, with nothing on it. A block stays."""

    async def work(tx: Connection) -> CustodyOut:
        key = await web.services.registry.get_key(tx, name)
        await end_found(tx, web, caller, key.id, data.reason)
        return await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/broken",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["custody"],
    summary="Report a key broken",
)
async def broken(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[CustodyOut]:
    """The key lies at the desk; whoever had it has it no more, and everything on it is removed.

    Refused while a safety rule keeps what only this key carries: hand out another key to the same person first.
    """

    async def work(tx: Connection) -> CustodyOut:
        key = await web.services.registry.get_key(tx, name)
        await web.services.key_ends.require_free(tx, key, web.now)
        await mishaps.report_broken(
            tx, web.services.key_desk, key.id, reason=data.reason, actor=caller.actor, at=web.now
        )
        return await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/repaired",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["custody"],
    summary="Say that a broken key works again",
)
async def repaired(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[CustodyOut]:
    """The key lies at the desk and may be handed out again."""

    async def work(tx: Connection) -> CustodyOut:
        key = await web.services.registry.get_key(tx, name)
        await mishaps.end_report(
            tx, web.services.key_desk, key.id, "repaired", reason=data.reason, actor=caller.actor, at=web.now
        )
        return await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work)


@post("/api/v1/keys/{name:str}/replace", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Let another key take a lost or broken one's place")  # fmt: skip
async def replace(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[By]
) -> Response[CustodyOut]:
    """The old key is out of use for good; its holder has the new one, and what they may open is planned onto it."""

    async def work(tx: Connection) -> CustodyOut:
        old = await web.services.registry.get_key(tx, name)
        new = await web.services.registry.get_key(tx, data.by)
        await mishaps.replace(
            tx, web.services.key_desk, old.id, new.id, reason=data.reason, actor=caller.actor, at=web.now
        )
        return await custody_of(tx, web, str(new.id))

    return await perform(web, request, caller, work)


HANDLERS = (lost, found, broken, repaired, replace)
