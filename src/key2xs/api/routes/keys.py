"""Keys: finding, handing out, taking back, blocking; and what is still on its way to them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_if_given
from key2xs.api.explaining import find_person
from key2xs.api.paging import USUAL_PAGE, Limit, Name
from key2xs.api.releasing import propose_take_back
from key2xs.api.revoking import Revoked, stop
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.shapes import KeyOut, key_out
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.keys.desk import handing
from key2xs.keys.reads import keys_out, unfinished_keys
from key2xs.keys.types import StoredKey


class KeyList(msgspec.Struct, frozen=True):
    """Keys by stamp."""

    items: list[KeyOut]


class HandOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom a key goes: a person's id, or `scheme:reference`."""

    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class KeyIsOut(msgspec.Struct, frozen=True):
    """A key that somebody has."""

    key: str
    key_id: UUID
    holder: UUID
    since: datetime


class KeysOut(msgspec.Struct, frozen=True):
    """All keys that are out, the longest first."""

    items: list[KeyIsOut]


class TargetOut(msgspec.Struct, frozen=True):
    """A key that is not yet what it should be.

    `progress`: requested, accepted, in_transit, delivered, failed or blocked_with_access.
    """

    key: str
    key_id: UUID
    generation: int
    progress: str
    asked_at: datetime
    accepted_at: datetime | None
    problem: str | None
    block: bool
    grants: list[UUID]
    as_of: datetime | None
    to_visit: int = 0
    """How many locks a programming key has to be brought to."""


class TargetList(msgspec.Struct, frozen=True):
    """Everything on its way or stuck."""

    items: list[TargetOut]


@get("/api/v1/keys", permission=Permission.KEYS_KEY_READ, tags=["keys"], summary="Keys by stamp")
async def keys(
    web: WebPart,
    q: Annotated[str | None, QueryParameter(max_length=100, description="Beginning of the stamp.")] = None,
    limit: Limit = USUAL_PAGE,
) -> KeyList:
    """Keys by stamp, those whose stamp begins with `q` if given."""
    async with web.services.database.read() as tx:
        found = await web.services.registry.list_keys(tx, text=q, limit=limit)
    return KeyList([key_out(each) for each in found])


@get("/api/v1/keys/out", permission=Permission.KEYS_KEY_READ, tags=["keys"], summary="Keys that are out")
async def out(web: WebPart) -> KeysOut:
    """All keys that somebody has."""
    async with web.services.database.read() as tx:
        found = await keys_out(tx, web.now)
    return KeysOut([KeyIsOut(each.key.stamp, each.key.id, each.person_id, each.since) for each in found])


@get(
    "/api/v1/keys/{name:str}",
    permission=Permission.KEYS_KEY_READ,
    tags=["keys"],
    summary="One key by id or stamp",
)
async def key(web: WebPart, name: Name) -> KeyOut:
    """One key with its holder and how far its program is."""
    async with web.services.database.read() as tx:
        return await _shown(tx, web, await web.services.registry.get_key(tx, name))


@post(
    "/api/v1/keys/{name:str}/hand-out",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["keys"],
    summary="Hand a key to a person",
)
async def hand_out(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[HandOut]
) -> Response[KeyOut]:
    """Hand a key to a person. The first hand-out through Key2XS adopts the key: from then on it is written."""

    async def work(tx: Connection) -> KeyOut:
        person_id = await find_person(tx, web, data.person)
        found = await web.services.registry.get_key(tx, name)
        desk = web.services.key_desk
        done = await handing.hand_out(tx, desk, found.id, person_id, actor=caller.actor, at=web.now)
        return await _shown(tx, web, done)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/take-back",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["keys"],
    summary="Take a key back",
)
async def take_back(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    name: Name,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_if_given, described for OpenAPI
) -> Response[Any]:
    """Take a key back; its program is emptied at the next contact.

    Where a safety rule keeps it with its holder (personal locks are on, or the last holder on shift), it is proposed
    instead and waits for a second person (202). A reason may be given; a key that comes back as usual needs none.
    """
    said = await reason_if_given(request)

    async def work(tx: Connection) -> KeyOut | ProposalOut:
        found = await web.services.registry.get_key(tx, name)
        kept = await web.services.key_ends.kept(tx, found, web.now)
        if kept:
            why = said or f"take key {found.stamp} back"
            return proposal_out(await propose_take_back(tx, web, caller, found, kept, reason=why))
        await web.services.custody.take_back(tx, found.id, actor=caller.actor, at=web.now, reason=said)
        await web.services.kill.narrow_key(tx, found.id, web.now)
        return await _shown(tx, web, found)

    return await perform(web, request, caller, work, status=_status)


@post(
    "/api/v1/keys/{name:str}/block",
    permission=Permission.KEYS_KEY_BLOCK,
    status_code=200,
    tags=["keys"],
    summary="Block a key that is lost or stolen",
)
async def block(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[Reason]
) -> Response[Any]:
    """Put a key on the block list. Emergency keys are refused (they never enter one).

    202 with what a revocation says where it is not blocked yet: its holder is at work and the shift leader is told
    first, or a safety rule keeps a part of it.
    """

    async def work(tx: Connection) -> KeyOut | Revoked:
        found = await web.services.registry.get_key(tx, name)
        done = await stop(tx, web, caller, found.subject, reason=data.reason)
        blocked = await web.services.registry.get_key(tx, found.id)
        return done if blocked.blocked_at is None else await _shown(tx, web, blocked)

    return await perform(web, request, caller, work, status=_status)


@get(
    "/api/v1/targets/pending",
    permission=Permission.KEYS_KEY_READ,
    tags=["keys"],
    summary="What is on its way to keys",
)
async def pending(web: WebPart, limit: Limit = USUAL_PAGE) -> TargetList:
    """Keys whose newest program is not proven on them, or that are stuck, the newest wish first."""
    async with web.services.database.read() as tx:
        found = await unfinished_keys(tx, limit=limit)
    return TargetList(
        [
            TargetOut(
                key=each.stamp,
                key_id=each.target.key_id,
                generation=each.target.generation,
                progress=each.target.progress,
                asked_at=each.target.asked_at,
                accepted_at=each.target.accepted_at,
                problem=each.target.problem,
                block=each.target.block,
                grants=list(each.target.grants),
                as_of=each.target.read_at,
                to_visit=len(each.target.to_visit),
            )
            for each in found
        ]
    )


def _status(done: KeyOut | ProposalOut | Revoked) -> int:
    return 200 if isinstance(done, KeyOut) else 202


async def _shown(tx: Connection, web: Web, found: StoredKey) -> KeyOut:
    holder = await web.services.custody.holder_at(tx, found.id, web.now)
    return key_out(found, holder=holder, target=await web.services.targets.find(tx, found.id))


HANDLERS = (keys, out, key, hand_out, take_back, block, pending)
