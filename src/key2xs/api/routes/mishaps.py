"""What happens to keys: lost, found, unblocked, broken, repaired, replaced."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.handing_back import end_for_good
from key2xs.api.losing import block_of, end_found
from key2xs.api.paging import Name
from key2xs.api.routes.custody import CustodyOut, act_on_key, custody_of
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.shapes import KeyOut, key_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.keys.desk import mishaps
from key2xs.keys.returning import return_of
from key2xs.keys.types import StoredKey

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


class HandedBack(msgspec.Struct, frozen=True):
    """How far handing a key back at its maker is. Ended without `gone`: somebody got it again, or it was blocked."""

    key: str
    asked_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    gone: bool


@post("/api/v1/keys/{name:str}/lost", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Report a key lost")  # fmt: skip
async def lost(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Lost]
) -> Response[CustodyOut]:
    """Report a key lost and ask for its block. An emergency key is reported and never blocked.

    Nothing new goes onto a key that is reported, from that moment on.
    """

    async def act(tx: Connection, key: StoredKey) -> None:
        await mishaps.report_lost(
            tx, web.services.key_desk, key.id, reason=data.reason, actor=caller.actor, at=web.now,
            since=web.instant(data.since, "since") if data.since else None, block=block_of(web, caller, data.reason),
        )  # fmt: skip

    return await act_on_key(web, request, caller, name, act)


@post(
    "/api/v1/keys/{name:str}/found",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["custody"],
    summary="Say that a lost key was found",
)
async def found(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[Any]:
    """The key lies at the desk, with nothing on it. A block stays until it is lifted.

    Where a safety rule keeps what only this key carries (personal locks are on, or the last holder on shift), it goes back
    to its holder, and taking it from them is proposed and waits for a second person (202).
    """

    async def work(tx: Connection) -> CustodyOut | ProposalOut:
        key = await web.services.registry.get_key(tx, name)
        proposal = await end_found(tx, web, caller, key.id, data.reason)
        return proposal_out(proposal) if proposal else await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work, status=_status)


@post(
    "/api/v1/keys/{name:str}/unblock",
    permission=Permission.KEYS_KEY_UNBLOCK,
    status_code=202,
    tags=["custody"],
    summary="Let a found key come off the block list",
)
async def unblock(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[KeyOut]:
    """Ask for it; `unblock_asked_at` is set and the key stays blocked until it is carried out.

    The key is emptied first. Then the block list without it is sent (iLOQ), or a programming key is carried to every
    cylinder that holds the block (CLIQ: see its `block-visits`). It gives no access back: whoever gets the key needs a new
    basis for everything that ended.
    """

    async def work(tx: Connection) -> KeyOut:
        key = await web.services.registry.get_key(tx, name)
        asked = await mishaps.ask_unblock(
            tx, web.services.key_desk, key.id, reason=data.reason, actor=caller.actor, at=web.now
        )
        return key_out(asked, target=await web.services.targets.find(tx, key.id))

    return await perform(web, request, caller, work, status=202)


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

    async def act(tx: Connection, key: StoredKey) -> None:
        await web.services.key_ends.require_free(tx, key, web.now)
        await mishaps.report_broken(
            tx, web.services.key_desk, key.id, reason=data.reason, actor=caller.actor, at=web.now
        )

    return await act_on_key(web, request, caller, name, act)


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

    async def act(tx: Connection, key: StoredKey) -> None:
        await mishaps.end_report(
            tx, web.services.key_desk, key.id, "repaired", reason=data.reason, actor=caller.actor, at=web.now
        )

    return await act_on_key(web, request, caller, name, act)


@post("/api/v1/keys/{name:str}/replace", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Let another key take a lost or broken one's place")  # fmt: skip
async def replace(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[By]
) -> Response[CustodyOut]:
    """The old key is out of use for good; its holder has the new one, and what they may open is planned onto it.

    Refused while a safety rule keeps what only the old key carries and the new one is of another key system.
    """

    async def work(tx: Connection) -> CustodyOut:
        old = await web.services.registry.get_key(tx, name)
        new = await web.services.registry.get_key(tx, data.by)
        await mishaps.replace(
            tx, web.services.key_desk, old.id, new.id, reason=data.reason, actor=caller.actor, at=web.now,
            guard=web.services.key_ends.require_free,
        )  # fmt: skip
        return await custody_of(tx, web, str(new.id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/hand-back",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=202,
    tags=["custody"],
    summary="Hand a key back at its maker for good",
)
async def hand_back(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[HandedBack]:
    """For a phone key or RFID tag that is not coming back into use. It deletes the key at its maker.

    The key is emptied first; its return is sent when it is proven empty. Refused while somebody has it.
    """

    async def work(tx: Connection) -> HandedBack:
        key = await web.services.registry.get_key(tx, name)
        await end_for_good(tx, web.services, key, reason=data.reason, actor=caller.actor, at=web.now)
        return await _handed_back(tx, key)

    return await perform(web, request, caller, work, status=202)


@get(
    "/api/v1/keys/{name:str}/hand-back",
    permission=Permission.KEYS_KEY_READ,
    tags=["custody"],
    summary="How far handing a key back is",
)
async def hand_back_state(web: WebPart, name: Name) -> HandedBack:
    """Asked, sent when the key is proven empty, and gone when its maker's books no longer hold it."""
    async with web.services.database.read() as tx:
        return await _handed_back(tx, await web.services.registry.get_key(tx, name))


async def _handed_back(tx: Connection, key: StoredKey) -> HandedBack:
    found = await return_of(tx, key.id)
    if found is None:
        raise NotFound(f"nobody asked to hand key {key.stamp} back")
    return HandedBack(key.stamp, found.asked_at, found.sent_at, found.ended_at, found.gone)


def _status(done: CustodyOut | ProposalOut) -> int:
    return 200 if isinstance(done, CustodyOut) else 202


HANDLERS = (lost, found, unblock, broken, repaired, replace, hand_back, hand_back_state)
