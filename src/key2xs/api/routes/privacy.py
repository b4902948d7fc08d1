"""A person's data: the page about oneself, histories for a stated purpose, one-time codes, legal holds."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission, Purpose
from key2xs.access.history import History
from key2xs.api.acts import HEADER, perform
from key2xs.api.own import Own, read_own
from key2xs.api.paging import Id
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotAllowed
from key2xs.core.ids import PersonId


class HistoryAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which stretch of somebody's history is opened, and what for."""

    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    reason: Annotated[str, msgspec.Meta(max_length=500)]
    begins: datetime
    ends: datetime
    case: Annotated[str, msgspec.Meta(max_length=60)] | None = None


class PastOpening(msgspec.Struct, frozen=True):
    """An opening or refusal."""

    at: datetime | None
    read_at: datetime
    cylinder: UUID | None
    lock: str
    key: UUID | None
    outcome: str
    class_: str = msgspec.field(name="class")
    why: str
    sure: str


class PastKey(msgspec.Struct, frozen=True):
    """A key that the person had."""

    stamp: str
    since: datetime
    until: datetime | None


class PastGrant(msgspec.Struct, frozen=True):
    """A grant of the person."""

    id: UUID
    why: str
    begins: datetime
    ends: datetime
    state: str


class HistoryOut(msgspec.Struct, frozen=True):
    """A history; `look` is the trace that the person sees."""

    look: UUID
    person: UUID
    openings: list[PastOpening]
    keys: list[PastKey]
    grants: list[PastGrant]


class CodeOut(msgspec.Struct, frozen=True):
    """A code that opens one person's own page once, for ten minutes."""

    code: str
    minutes: int


class NewHold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose openings are to keep the name (null: everybody's), until when, and why."""

    reason: Annotated[str, msgspec.Meta(min_length=5, max_length=500)]
    until: datetime
    person: UUID | None = None


class WhyEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it ends."""

    reason: Annotated[str, msgspec.Meta(min_length=5, max_length=500)]


class HoldOut(msgspec.Struct, frozen=True):
    """A legal hold."""

    id: UUID
    person: UUID | None
    reason: str | None
    made_by: UUID
    made_at: datetime
    until: datetime
    ended_at: datetime | None


class HoldList(msgspec.Struct, frozen=True):
    """All holds, the newest first."""

    items: list[HoldOut]


class HoldMade(msgspec.Struct, frozen=True):
    """A hold that began."""

    id: UUID


@get("/api/v1/me", signed_in=True, own=True, tags=["privacy"], summary="What is known of me")
async def me(web: WebPart, caller: CallerPart) -> Own:
    """One's own keys, rights, openings, who looked and why, and the sources."""
    person_id = own_person(caller)
    async with web.services.database.read() as tx:
        return await read_own(tx, web, person_id, web.now)


@post(
    "/api/v1/persons/{person:uuid}/history",
    permission=Permission.IDENTITY_HISTORY_READ,
    status_code=200,
    tags=["privacy"],
    summary="Open a person's history, for a stated purpose",
)
async def history(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    person: Id,
    data: JSONBody[HistoryAsked],
) -> Response[HistoryOut]:
    """Open a stretch of a history. It leaves an entry, and a trace that the person sees."""
    if HEADER in request.headers:
        raise InvalidInput("Idempotency-Key", "is not taken here; looking twice is told twice")

    async def work(tx: Connection) -> HistoryOut:
        await web.identity.person_facts(tx, PersonId(person), web.now)
        asked = Purpose(
            data.purpose, data.reason, web.instant(data.begins), web.instant(data.ends), data.case
        )
        return history_out(await web.access.history.open(tx, PersonId(person), caller, asked, at=web.now))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/persons/{person:uuid}/code",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=201,
    tags=["privacy"],
    summary="Give somebody a code for the page about himself",
)
async def give_code(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, person: Id
) -> Response[CodeOut]:
    """Make a one-time code for somebody who stands at the desk and has no account."""
    if HEADER in request.headers:
        raise InvalidInput("Idempotency-Key", "is not taken here: the answer holds a secret")

    async def work(tx: Connection) -> CodeOut:
        return await make_code(tx, web, caller, PersonId(person))

    return await perform(web, request, caller, work, status=201)


@get("/api/v1/holds", permission=Permission.ACCESS_MATRIX_READ, tags=["privacy"], summary="Legal holds")
async def holds(web: WebPart) -> HoldList:
    """All legal holds, the newest first."""
    async with web.services.database.read() as tx:
        return HoldList(
            [
                HoldOut(h.id, h.person_id, h.reason, h.made_by, h.made_at, h.until, h.ended_at)
                for h in await web.access.holds.find_all(tx)
            ]
        )


@post(
    "/api/v1/holds",
    permission=Permission.IDENTITY_HOLD_CHANGE,
    status_code=201,
    tags=["privacy"],
    summary="Keep names in openings longer; takes a second person",
)
async def make_hold(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewHold]
) -> Response[HoldMade]:
    """Hold one person's openings, or everybody's, back from retention."""

    async def work(tx: Connection) -> HoldMade:
        return HoldMade(await put_hold(tx, web, caller, data))

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/holds/{hold:uuid}/end",
    permission=Permission.IDENTITY_HOLD_CHANGE,
    status_code=204,
    tags=["privacy"],
    summary="End a legal hold; takes a second person",
)
async def end_hold(web: WebPart, caller: CallerPart, hold: Id, data: JSONBody[WhyEnd]) -> None:
    """End a hold before its time."""
    await web.services.database.transact(
        lambda tx: web.access.holds.end(tx, caller, hold, reason=data.reason, at=web.now)
    )


async def put_hold(tx: Connection, web: Web, caller: CallerPart, data: NewHold) -> UUID:
    """Make a legal hold and return its id.

    Raises:
        NotFound: nobody has this id.
        InvalidInput: no reason, or an end that is past or too far off.
    """
    if data.person is not None:
        await web.identity.person_facts(tx, PersonId(data.person), web.now)
    return await web.access.holds.make(
        tx,
        caller,
        person_id=PersonId(data.person) if data.person else None,
        reason=data.reason,
        until=web.instant(data.until, "until"),
        at=web.now,
    )


async def make_code(tx: Connection, web: Web, caller: CallerPart, person_id: PersonId) -> CodeOut:
    """Make a code for somebody known, and leave a trace that this person sees: the code opens all of their page.

    Raises:
        NotFound: nobody has this id.
        NotAllowed: a token asks: a person at the desk sees whom the code is for.
    """
    if caller.kind != "session":
        raise NotAllowed("a person signs in for this; a token is nobody")
    await web.identity.person_facts(tx, person_id, web.now)
    await web.access.looks.code(tx, person_id, caller, at=web.now)
    return CodeOut(await web.access.codes.make(tx, person_id, caller), 10)


def own_person(caller: CallerPart) -> PersonId:
    """Return the person an account is.

    Raises:
        NotAllowed: it is no person's, or a token's: nobody's page is for programs.
    """
    if caller.kind == "token":
        raise NotAllowed("a person signs in for this; a token is nobody")
    if caller.person_id is None:
        raise NotAllowed("your user is not linked to a person; ask the administrator")
    return caller.person_id


def history_out(found: History) -> HistoryOut:
    """Describe a history."""
    return HistoryOut(
        look=found.look.id,
        person=found.look.person_id,
        openings=[
            PastOpening(
                e.occurred_at, e.arrived_at, e.cylinder_id, e.lock_external_id, e.key_id, e.outcome,
                e.event_class, e.why, e.certainty,
            )
            for e in found.openings
        ],
        keys=[PastKey(k.stamp, k.since, k.until) for k in found.keys],
        grants=[
            PastGrant(g.id, g.reference or g.basis_ref, g.starts_at, g.ends_at, g.state) for g in found.grants
        ],
    )  # fmt: skip


HANDLERS = (me, history, give_code, holds, make_hold, end_hold)
