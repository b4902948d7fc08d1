"""Permits on paper, for when the permit system is down."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said as SaidWhy, perform, reason_of
from key2xs.api.auth import require_person
from key2xs.api.explaining import find_person
from key2xs.api.paging import Id, Name
from key2xs.api.papering import NewPaper, Reason, Who, propose_down, propose_paper
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import PermitId
from key2xs.incidents.warnings import papers_to_enter
from key2xs.work import PaperPermit, declare_back, sources_declared_down

Asked = Request[Any, Any, Any]


class PaperOut(msgspec.Struct, frozen=True):
    """A permit on paper and what became of it."""

    permit: UUID
    number: str
    stands_for: str
    issuing: UUID
    performing: UUID
    issued_at: datetime
    ends_at: datetime
    closed_at: datetime | None
    in_force: bool
    to_enter: bool
    """The permit system is back, and it was not entered there yet."""
    entered_as: str | None
    entered_at: datetime | None


class DownOut(msgspec.Struct, frozen=True):
    """A permit system that two people declared down."""

    source: str
    since: datetime
    until: datetime
    reason: str


class PaperList(msgspec.Struct, frozen=True):
    """Permits on paper, the newest first, and the permit systems declared down."""

    items: list[PaperOut]
    declared_down: list[DownOut]


class SignOff(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who stopped working: an id, or `scheme:reference`."""

    person: Who


class Entered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number it has in the permit system."""

    number: Annotated[str, msgspec.Meta(max_length=120)]


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Reason


@get(
    "/api/v1/paper-permits",
    permission=Permission.WORK_PERMIT_READ,
    tags=["paper"],
    summary="Permits on paper",
)
async def papers(web: WebPart, all: FromQuery[bool] = False) -> PaperList:  # noqa: A002, FBT002 - a query parameter
    """Permits on paper that are in force or have to be entered; with `all` every one."""
    async with web.services.database.read() as tx:
        waiting = {each.permit_id for each in await papers_to_enter(tx, web.services.paper, web.now)}
        found = await web.services.paper.list(tx, all_of_them=all)
        down = await sources_declared_down(tx, web.now)
    return PaperList(
        [_paper(each, web.now, waiting) for each in found],
        [DownOut(each.source, each.since, each.until, each.reason) for each in down.values()],
    )


@post(
    "/api/v1/paper-permits",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=202,
    tags=["paper"],
    summary="Write a permit on paper; a second person confirms it",
)
async def write(
    web: WebPart, request: Asked, caller: CallerPart, data: JSONBody[NewPaper]
) -> Response[ProposalOut]:
    """Only while the permit system is silent or declared down. Access begins when a second person confirms."""

    async def work(tx: Connection) -> ProposalOut:
        return proposal_out(await propose_paper(tx, web, caller, data))

    return await perform(web, request, caller, work, status=202)


@post(
    "/api/v1/paper-permits/{permit:uuid}/sign-off",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=200,
    tags=["paper"],
    summary="Note that somebody stopped working under it",
)
async def sign_off(
    web: WebPart, request: Asked, caller: CallerPart, permit: Id, data: JSONBody[SignOff]
) -> Response[PaperOut]:
    """Their access under it ends."""

    async def work(tx: Connection) -> PaperOut:
        try:
            person = await find_person(tx, web, data.person)
        except NotFound as error:
            raise InvalidInput("person", "is nobody the identity system knows") from error
        await web.services.paper.sign_off(tx, PermitId(permit), person, actor=caller.actor, at=web.now)
        return _paper(await web.services.paper.get(tx, PermitId(permit)), web.now)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/paper-permits/{permit:uuid}/close",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=200,
    tags=["paper"],
    summary="Close it: the work is done",
)
async def close(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    permit: Id,
    data: JSONBody[SaidWhy | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[PaperOut]:
    """All access under it ends. It still has to be entered in the permit system."""
    why = await reason_of(request)

    async def work(tx: Connection) -> PaperOut:
        await web.services.paper.close(tx, PermitId(permit), actor=caller.actor, at=web.now, reason=why)
        return _paper(await web.services.paper.get(tx, PermitId(permit)), web.now)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/paper-permits/{permit:uuid}/enter",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=200,
    tags=["paper"],
    summary="Note its number in the permit system that is back",
)
async def enter(
    web: WebPart, request: Asked, caller: CallerPart, permit: Id, data: JSONBody[Entered]
) -> Response[PaperOut]:
    """Closes the sheet; work that goes on has to be in force in the permit system already, so that nothing is lost."""

    async def work(tx: Connection) -> PaperOut:
        done = await web.services.paper.enter(
            tx, PermitId(permit), data.number, actor=caller.actor, at=web.now
        )
        return _paper(done, web.now)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/permit-sources/{name:str}/declare-down",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=202,
    tags=["paper"],
    summary="Declare a permit system down; a second person confirms it",
)
async def down(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Said]
) -> Response[ProposalOut]:
    """From then on nothing new comes of it, and permits may be written on paper."""

    async def work(tx: Connection) -> ProposalOut:
        return proposal_out(await propose_down(tx, web, caller, name, reason=data.reason))

    return await perform(web, request, caller, work, status=202)


@post(
    "/api/v1/permit-sources/{name:str}/declare-back",
    permission=Permission.WORK_PAPER_WRITE,
    status_code=200,
    tags=["paper"],
    summary="Say that a permit system is back",
)
async def back(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    name: Name,
    data: JSONBody[SaidWhy | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[PaperList]:
    """Every permit is decided on its own again; permits on paper go on to their end and have to be entered."""
    require_person(caller)
    why = await reason_of(request)

    async def work(tx: Connection) -> PaperList:
        await declare_back(tx, web.services.desk, name, actor=caller.actor, at=web.now, reason=why)
        found = await web.services.paper.list(tx)
        return PaperList([_paper(each, web.now) for each in found], [])

    return await perform(web, request, caller, work)


def _paper(found: PaperPermit, at: datetime, waiting: set[PermitId] | None = None) -> PaperOut:
    return PaperOut(
        permit=found.permit_id,
        number=found.number,
        stands_for=found.stands_for,
        issuing=found.issuing_id,
        performing=found.performing_id,
        issued_at=found.issued_at,
        ends_at=found.ends_at,
        closed_at=found.closed_at,
        in_force=found.is_in_force(at),
        to_enter=found.permit_id in (waiting or ()),
        entered_as=found.entered_as,
        entered_at=found.entered_at,
    )


HANDLERS = (papers, write, sign_off, close, enter, down, back)
