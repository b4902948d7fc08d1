"""Permits: what they say, what grants came of them, and what was refused."""

from datetime import datetime
from typing import Annotated, Any, cast, get_args
from uuid import UUID

import msgspec
from litestar import get
from litestar.params import QueryParameter

from key2xs.access import Permission
from key2xs.api.paging import USUAL_PAGE, At, Cursor, Limit, Name, after, next_cursor
from key2xs.api.shapes import GrantOut, grant_out
from key2xs.api.web import WebPart
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import PermitId
from key2xs.grants.reads import leases_of_basis
from key2xs.grants.standing import refusals_of_basis
from key2xs.work import PermitFacts, PermitSummary, State, find_permit, list_permits, permit_facts

_STATES = frozenset(get_args(State))


class PermitLine(msgspec.Struct, frozen=True):
    """One line of the list of permits."""

    id: UUID
    source: str
    number: str
    type: str
    area: str
    unit: str | None
    state: str
    cause: str
    revision: int
    valid_from: datetime
    valid_to: datetime
    needs_pull: bool
    findings: int


class PermitPage(msgspec.Struct, frozen=True):
    """Permits, a page of them."""

    items: list[PermitLine]
    next: str | None = None


class Crew(msgspec.Struct, frozen=True):
    """One turn of one person; `person` null: no identity is known."""

    person: UUID | None
    role: str
    signed_on: datetime | None
    signed_off: datetime | None


class StepOut(msgspec.Struct, frozen=True):
    """One step of the job."""

    id: str
    title: str
    state: str
    cylinders: list[UUID]
    planned_from: datetime | None
    planned_to: datetime | None


class RefusalOut(msgspec.Struct, frozen=True):
    """Somebody who gets nothing from this permit, and why."""

    person: UUID
    step: str
    reasons: list[str]
    refused_at: datetime


class PermitOut(msgspec.Struct, frozen=True):
    """A permit as it is now, with everything that came of it."""

    id: UUID
    source: str
    external_id: str
    number: str
    revision: int
    type: str
    state: str
    cause: str
    since: datetime
    live: str
    valid_from: datetime
    valid_to: datetime
    area: str
    unit: str | None
    crew: list[Crew]
    steps: list[StepOut]
    cylinders: list[UUID]
    unmapped: list[dict[str, str]]
    findings: list[str]
    reissued_from: str | None
    reason: str | None
    feed_ok: str
    as_of: datetime | None
    grants: list[GrantOut]
    refusals: list[RefusalOut]


@get("/api/v1/permits", permission=Permission.WORK_PERMIT_READ, tags=["work"], summary="Permits")
async def permits(
    web: WebPart,
    states: Annotated[
        list[str] | None, QueryParameter(name="state", description="Canonical states; all when left out.")
    ] = None,
    area: Annotated[str | None, QueryParameter(max_length=100)] = None,
    at: At = None,
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> PermitPage:
    """Permits as they were at an instant, a page at a time."""
    unknown = sorted(set(states or ()) - _STATES)
    if unknown:
        raise InvalidInput("state", f"must be some of {', '.join(sorted(_STATES))}")
    start: Any = after(cursor)
    async with web.services.database.read() as tx:
        found = await list_permits(
            tx,
            web.instant(at),
            states=cast("list[State] | None", states),
            area=area,
            after=start,
            limit=limit,
        )
    return PermitPage([_line(each) for each in found], next_cursor(found, limit, lambda each: each.id))


@get(
    "/api/v1/permits/{name:str}",
    permission=(Permission.WORK_PERMIT_READ, Permission.GRANTS_LEASE_READ),
    tags=["work"],
    summary="One permit by id or number",
)
async def permit(web: WebPart, name: Name, at: At = None) -> PermitOut:
    """One permit with its crew, grants and refusals."""
    async with web.services.database.read() as tx:
        permit_id = await find_permit(tx, name)
        if permit_id is None:
            raise NotFound("no permit is known by this id or number")
        facts = await permit_facts(tx, permit_id, web.instant(at))
        basis = f"permit:{permit_id}"
        grants = [grant_out(lease) for lease in await leases_of_basis(tx, basis)]
        refusals = [
            RefusalOut(each.person_id, each.step, list(each.reasons), each.refused_at)
            for each in await refusals_of_basis(tx, basis)
        ]
    return _permit_out(permit_id, facts, grants, refusals)


def _line(found: PermitSummary) -> PermitLine:
    return PermitLine(
        id=found.id,
        source=found.source,
        number=found.number,
        type=found.type,
        area=found.area,
        unit=found.unit,
        state=found.state,
        cause=found.cause,
        revision=found.revision,
        valid_from=found.valid_from,
        valid_to=found.valid_to,
        needs_pull=found.needs_pull,
        findings=found.findings,
    )


def _permit_out(
    permit_id: PermitId, facts: PermitFacts, grants: list[GrantOut], refusals: list[RefusalOut]
) -> PermitOut:
    return PermitOut(
        id=permit_id,
        source=facts.source,
        external_id=facts.external_id,
        number=facts.number,
        revision=facts.revision,
        type=facts.type,
        state=facts.state,
        cause=facts.cause,
        since=facts.since,
        live=facts.live,
        valid_from=facts.window[0],
        valid_to=facts.window[1],
        area=facts.area,
        unit=facts.unit,
        crew=[Crew(m.person_id, m.role, m.signed_on, m.signed_off) for m in facts.crew],
        steps=[
            StepOut(s.id, s.title, s.state, sorted(s.cylinders), s.planned_from, s.planned_to)
            for s in facts.steps
        ],
        cylinders=sorted(facts.cylinders),
        unmapped=[{"scheme": u.scheme, "code": u.code, "reason": u.reason} for u in facts.unmapped],
        findings=[f"{finding.code}: {finding.text}" for finding in facts.findings],
        reissued_from=facts.reissued_from,
        reason=facts.reason_code,
        feed_ok=facts.feed_ok,
        as_of=facts.as_of,
        grants=grants,
        refusals=refusals,
    )


HANDLERS = (permits, permit)
