"""Grants, revoking them, and requests for access that no permit gives."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.auth import require_person
from key2xs.api.explaining import find_person
from key2xs.api.paging import USUAL_PAGE, Cursor, Id, Limit, after, next_cursor
from key2xs.api.places import require_decider
from key2xs.api.revoking import Revocation, Revoked, revoke
from key2xs.api.shapes import GrantOut, grant_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.clock import require_utc
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import CylinderId, GrantId, PersonId, RequestId
from key2xs.grants.lists import list_leases
from key2xs.grants.reads import get_lease
from key2xs.grants.types import GrantState, Request as AccessRequest
from key2xs.plant import get_cylinder

_STATES = frozenset(get_args(GrantState))


class GrantPage(msgspec.Struct, frozen=True):
    """Grants, the newest first, a page of them."""

    items: list[GrantOut]
    next: str | None = None


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Access that no permit and no duty gives. An emergency opens one access point for at most an hour."""

    kind: Literal["approved_request", "emergency"]
    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    cylinders: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(min_length=1, max_length=10)
    ]
    ends_at: datetime
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
    starts_at: datetime | None = None


class Decide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word on a request."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class RequestOut(msgspec.Struct, frozen=True):
    """A request and where it stands."""

    id: UUID
    kind: str
    person: UUID
    requester: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    state: str
    asked_at: datetime
    cylinders: list[UUID]
    approvers: list[UUID]


class RequestList(msgspec.Struct, frozen=True):
    """Requests that wait for somebody."""

    items: list[RequestOut]


@get("/api/v1/grants", permission=Permission.GRANTS_LEASE_READ, tags=["grants"], summary="Grants")
async def grants(
    web: WebPart,
    states: Annotated[
        list[str] | None, QueryParameter(name="state", description="scheduled, active, held, ended.")
    ] = None,
    person: FromQuery[UUID | None] = None,
    cylinder: FromQuery[UUID | None] = None,
    basis: Annotated[str | None, QueryParameter(max_length=200)] = None,
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> GrantPage:
    """Grants, the newest first, a page at a time."""
    if set(states or ()) - _STATES:
        raise InvalidInput("state", f"must be some of {', '.join(sorted(_STATES))}")
    start = after(cursor)
    async with web.services.database.read() as tx:
        found = await list_leases(
            tx,
            states=states,  # type: ignore[arg-type]
            person_id=PersonId(person) if person else None,
            basis_ref=basis,
            cylinder_id=CylinderId(cylinder) if cylinder else None,
            after=GrantId(start) if start else None,
            limit=limit,
        )
    return GrantPage([grant_out(each) for each in found], next_cursor(found, limit, lambda each: each.id))


@get(
    "/api/v1/grants/{grant:uuid}",
    permission=Permission.GRANTS_LEASE_READ,
    tags=["grants"],
    summary="One grant",
)
async def grant(web: WebPart, grant: Id) -> GrantOut:
    """One grant, open or ended."""
    async with web.services.database.read() as tx:
        lease = await get_lease(tx, grant)
    if lease is None:
        raise NotFound(f"there is no grant {grant}")
    return grant_out(lease)


@post(
    "/api/v1/revoke",
    permission=(Permission.GRANTS_LEASE_READ,),
    rehearses=True,
    status_code=200,
    tags=["grants"],
    summary="Revoke a grant, a key, a person or a company",
)
async def revoke_(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[Revocation]
) -> Response[Revoked]:
    """One grant, key or person at once. A company waits for a second person (202). `dry_run` only looks."""

    def status(done: Revoked) -> int:
        return 202 if done.state == "proposed" else 200

    return await perform(
        web,
        request,
        caller,
        lambda tx: revoke(tx, web, caller, data),
        status=status,
        dry_run=data.dry_run,
    )


@post(
    "/api/v1/grants/{grant:uuid}/revoke",
    permission=Permission.GRANTS_LEASE_REVOKE,
    status_code=200,
    tags=["grants"],
    summary="Revoke one grant",
)
async def revoke_grant(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, grant: Id, data: JSONBody[Decide]
) -> Response[Revoked]:
    """End one grant for good."""
    if len(data.reason.strip()) < 3:
        raise InvalidInput("reason", "say why")
    asked = Revocation(reason=data.reason, grant=grant)
    return await perform(web, request, caller, lambda tx: revoke(tx, web, caller, asked))


@get(
    "/api/v1/requests",
    permission=Permission.GRANTS_LEASE_READ,
    tags=["requests"],
    summary="Requests that wait for somebody",
)
async def requests(web: WebPart) -> RequestList:
    """Requests without a decision, the oldest first."""
    async with web.services.database.read() as tx:
        return RequestList([_out(each) for each in await web.services.requests.waiting(tx)])


@get(
    "/api/v1/requests/{asked:uuid}",
    permission=Permission.GRANTS_LEASE_READ,
    tags=["requests"],
    summary="One request",
)
async def one_request(web: WebPart, asked: Id) -> RequestOut:
    """One request and where it stands."""
    async with web.services.database.read() as tx:
        return _out(await web.services.requests.find(tx, RequestId(asked)))


@post(
    "/api/v1/requests",
    permission=Permission.GRANTS_REQUEST_ASK,
    status_code=201,
    tags=["requests"],
    summary="Ask for access",
)
async def ask(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[Ask]
) -> Response[RequestOut]:
    """Ask for access, for oneself or another. Needs one approver, an emergency two; never the holder."""
    requester = require_person(caller).person_id
    if requester is None:
        raise AssertionError  # pragma: no cover - just required
    at = web.now
    starts_at = max(web.instant(data.starts_at, "starts_at"), at)
    ends_at = web.instant(data.ends_at, "ends_at")

    async def work(tx: Connection) -> RequestOut:
        person_id = await find_person(tx, web, data.person)
        places = [await get_cylinder(tx, name) for name in data.cylinders]
        request_id = await web.services.requests.ask(
            tx,
            kind=data.kind,
            person_id=person_id,
            requester_id=requester,
            cylinders=[place.id for place in places],
            access_points=len({place.access_point_id for place in places}),
            starts_at=require_utc(starts_at),
            ends_at=ends_at,
            reason=data.reason,
            actor=caller.actor,
            at=at,
        )
        return _out(await web.services.requests.find(tx, request_id))

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/requests/{asked:uuid}/approve",
    permission=Permission.GRANTS_REQUEST_APPROVE,
    by_unit=True,
    status_code=200,
    tags=["requests"],
    summary="Approve a request",
)
async def approve(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, asked: Id, data: JSONBody[Decide]
) -> Response[RequestOut]:
    """Approve. Whoever asks does not, and whoever would hold the key never."""
    return await _decide(web, request, caller, asked, data, approve=True)


@post(
    "/api/v1/requests/{asked:uuid}/refuse",
    permission=Permission.GRANTS_REQUEST_APPROVE,
    by_unit=True,
    status_code=200,
    tags=["requests"],
    summary="Refuse a request",
)
async def refuse(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, asked: Id, data: JSONBody[Decide]
) -> Response[RequestOut]:
    """Refuse, for good."""
    return await _decide(web, request, caller, asked, data, approve=False)


async def _decide(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    asked: Id,
    data: JSONBody[Decide],
    *,
    approve: bool,
) -> Response[RequestOut]:
    approver = require_person(caller).person_id
    if approver is None:
        raise AssertionError  # pragma: no cover - just required

    async def work(tx: Connection) -> RequestOut:
        await require_decider(tx, web, caller, RequestId(asked), approve=approve)
        done = await web.services.requests.decide(
            tx,
            RequestId(asked),
            approver_id=approver,
            approve=approve,
            reason=data.reason,
            actor=caller.actor,
            at=web.now,
        )
        return _out(done)

    return await perform(web, request, caller, work)


def _out(found: AccessRequest) -> RequestOut:
    return RequestOut(
        id=found.id,
        kind=found.kind,
        person=found.person_id,
        requester=found.requester_id,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        reason=found.reason,
        state=found.state,
        asked_at=found.asked_at,
        cylinders=sorted(found.cylinders),
        approvers=sorted(found.approvers),
    )


HANDLERS = (grants, grant, revoke_, revoke_grant, requests, one_request, ask, approve, refuse)
