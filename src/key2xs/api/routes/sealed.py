"""Emergency keys under seal."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_if_given, reason_of
from key2xs.api.explaining import find_person
from key2xs.api.paging import Id, Name
from key2xs.api.papering import Reason, Who, person_of
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import KeyId, PersonId
from key2xs.keys.sealed_types import SealedKey, SealUse

Asked = Request[Any, Any, Any]
Text = Annotated[str, msgspec.Meta(max_length=60)]


class SealedOut(msgspec.Struct, frozen=True):
    """An emergency key: sealed, broken, or recalled."""

    key: UUID
    stamp: str
    state: str
    seal: str
    place: str
    since: datetime
    checked_at: datetime
    check_due_at: datetime


class UseOut(msgspec.Struct, frozen=True):
    """One time that a seal was broken."""

    id: UUID
    key: UUID
    stamp: str
    seal: str
    broken_at: datetime
    taken_by: UUID
    second: UUID
    reason: str
    recall_due_at: datetime
    recalled_at: datetime | None
    returned_at: datetime | None
    new_seal: str | None
    review_due_at: datetime
    reviewed_at: datetime | None
    outcome: str | None
    overdue: str | None


class SealedList(msgspec.Struct, frozen=True):
    """All keys under seal, and the uses that nobody reviewed yet."""

    items: list[SealedOut]
    uses: list[UseOut]


class NewSeal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number on the seal and where the key lies."""

    seal: Text
    place: Text = ""


class SealSeen(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number that stands on the seal; why somebody looked, if not as usual."""

    seal: Text


class Broken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who took the key, who stood beside, when and why. People: an id, or `scheme:reference`."""

    taken_by: Who
    second: Who
    reason: Reason
    broken_at: datetime | None = None


class Reviewed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found."""

    outcome: Annotated[str, msgspec.Meta(min_length=3, max_length=2000)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Reason


@get("/api/v1/sealed-keys", permission=Permission.KEYS_KEY_READ, tags=["sealed"], summary="Keys under seal")
async def sealed_keys(web: WebPart) -> SealedList:
    """All emergency keys under seal, and the uses that nobody reviewed yet."""
    async with web.services.database.read() as tx:
        keys, uses = await web.services.sealed.all(tx), await web.services.sealed.uses(tx)
    return SealedList([_sealed(each) for each in keys], [_use(each, web.now) for each in uses])


@post(
    "/api/v1/sealed-keys/{name:str}/seal",
    permission=Permission.KEYS_SEALED_USE,
    status_code=200,
    tags=["sealed"],
    summary="Put a key under seal, or under a new one",
)
async def seal(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[NewSeal]
) -> Response[SealedOut]:
    """For the first time, or when it came back after its seal was broken."""

    async def work(tx: Connection) -> SealedOut:
        key_id, sealed = await _key(tx, web, name), web.services.sealed
        if any(each.key_id == key_id and each.state != "sealed" for each in await sealed.all(tx)):
            done = await sealed.seal_again(
                tx, key_id, seal=data.seal, place=data.place, actor=caller.actor, at=web.now
            )
        else:
            done = await sealed.seal(
                tx, key_id, seal=data.seal, place=data.place, actor=caller.actor, at=web.now
            )
        return _sealed(done)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/sealed-keys/{name:str}/check",
    permission=Permission.KEYS_SEALED_USE,
    status_code=200,
    tags=["sealed"],
    summary="Note that its seal is whole",
)
async def check(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[SealSeen]
) -> Response[SealedOut]:
    """By the number that stands on it: another number means that the seal was broken."""
    why = await reason_if_given(request)

    async def work(tx: Connection) -> SealedOut:
        key_id = await _key(tx, web, name)
        done = await web.services.sealed.check(
            tx, key_id, seal=data.seal, actor=caller.actor, at=web.now, reason=why
        )
        return _sealed(done)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/sealed-keys/{name:str}/break",
    permission=Permission.KEYS_SEALED_USE,
    status_code=200,
    tags=["sealed"],
    summary="Note that its seal was broken",
)
async def break_seal(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Broken]
) -> Response[UseOut]:
    """At once or afterwards: an emergency waits for nobody. Two people are named."""

    async def work(tx: Connection) -> UseOut:
        done = await web.services.sealed.break_seal(
            tx,
            await _key(tx, web, name),
            taken_by=await _who(tx, web, data.taken_by, "taken_by"),
            second=await _who(tx, web, data.second, "second"),
            reason=data.reason,
            broken_at=web.instant(data.broken_at, "broken_at"),
            actor=caller.actor,
            at=web.now,
        )
        return _use(done, web.now)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/sealed-keys/{name:str}/recall",
    permission=Permission.KEYS_SEALED_USE,
    status_code=200,
    tags=["sealed"],
    summary="Call it back",
)
async def recall(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    name: Name,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[SealedOut]:
    """The emergency is over; it comes back under a new seal."""
    why = await reason_of(request)

    async def work(tx: Connection) -> SealedOut:
        key_id = await _key(tx, web, name)
        done = await web.services.sealed.recall(tx, key_id, actor=caller.actor, at=web.now, reason=why)
        return _sealed(done)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/sealed-keys/{name:str}/withdraw",
    permission=Permission.KEYS_SEALED_USE,
    status_code=204,
    tags=["sealed"],
    summary="Keep it under seal no longer",
)
async def withdraw(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[None]:
    """It stays an emergency key."""

    async def work(tx: Connection) -> None:
        key_id = await _key(tx, web, name)
        await web.services.sealed.withdraw(tx, key_id, reason=data.reason, actor=caller.actor, at=web.now)

    return await perform(web, request, caller, work, status=204)


@post(
    "/api/v1/sealed-keys/uses/{use:uuid}/review",
    permission=Permission.KEYS_SEALED_USE,
    status_code=200,
    tags=["sealed"],
    summary="Review a use, as somebody else",
)
async def review(
    web: WebPart, request: Asked, caller: CallerPart, use: Id, data: JSONBody[Reviewed]
) -> Response[UseOut]:
    """Whoever broke the seal does not review it."""
    reviewer = person_of(caller)

    async def work(tx: Connection) -> UseOut:
        done = await web.services.sealed.review(
            tx,
            use,
            reviewer=reviewer,
            outcome=data.outcome,
            actor=caller.actor,
            at=web.now,
        )
        return _use(done, web.now)

    return await perform(web, request, caller, work)


async def _key(tx: Connection, web: Web, name: str) -> KeyId:
    return (await web.services.registry.get_key(tx, name)).id


async def _who(tx: Connection, web: Web, name: str, field: str) -> PersonId:
    try:
        return await find_person(tx, web, name)
    except NotFound as error:
        raise InvalidInput(field, "is nobody the identity system knows") from error


def _sealed(found: SealedKey) -> SealedOut:
    return SealedOut(
        key=found.key_id,
        stamp=found.stamp,
        state=found.state,
        seal=found.seal,
        place=found.place,
        since=found.since,
        checked_at=found.checked_at,
        check_due_at=found.check_due_at,
    )


def _use(found: SealUse, at: datetime) -> UseOut:
    return UseOut(
        id=found.id,
        key=found.key_id,
        stamp=found.stamp,
        seal=found.seal,
        broken_at=found.broken_at,
        taken_by=found.taken_by,
        second=found.second_id,
        reason=found.reason,
        recall_due_at=found.recall_due_at,
        recalled_at=found.recalled_at,
        returned_at=found.returned_at,
        new_seal=found.new_seal,
        review_due_at=found.review_due_at,
        reviewed_at=found.reviewed_at,
        outcome=found.outcome,
        overdue=found.overdue(at),
    )


HANDLERS = (sealed_keys, seal, check, break_seal, recall, withdraw, review)
