"""Safety: what a rule holds, stops that wait for the shift leader, who may be inside, who did not report."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_if_given, reason_of
from key2xs.api.explaining import find_person
from key2xs.api.paging import Id
from key2xs.api.releasing import propose_release
from key2xs.api.revoking import by_of
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.grants.holding import held_leases
from key2xs.grants.types import Lease
from key2xs.incidents.inside import Question
from key2xs.incidents.kill_types import Waiting
from key2xs.incidents.watches import Watch
from key2xs.work.presence import missed_checkins

SHIFT_LEADER = "shift_leader"


class HoldOut(msgspec.Struct, frozen=True):
    """Access that goes on because a safety rule keeps it. `ended_by`: clock, facts, identity, person or two_people."""

    grant: UUID
    person: UUID
    basis: str
    rule: str
    why: str
    ended_by: str
    since: datetime
    until: datetime
    """Until when it is on the key; a rule that still asks for it prolongs it."""
    cylinders: list[UUID]


class HoldList(msgspec.Struct, frozen=True):
    """Everything that is held, the longest first."""

    items: list[HoldOut]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class StopOut(msgspec.Struct, frozen=True):
    """A stop that a person asked for. *waiting*: it proceeds at `proceeds_at` at the latest."""

    id: UUID
    what: str
    subject: str
    people: list[UUID]
    reason: str
    asked_by: str
    asked_at: datetime
    proceeds_at: datetime
    state: str


class StopList(msgspec.Struct, frozen=True):
    """Stops that are not done, the next one first."""

    items: list[StopOut]


class QuestionOut(msgspec.Struct, frozen=True):
    """Somebody may be behind a lock that may bar a way out."""

    id: UUID
    access_point: UUID
    grant: UUID
    person: UUID
    cause: str
    because: str
    egress_free: str
    opened_at: datetime | None
    asked_at: datetime
    ends_at: datetime
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None


class QuestionList(msgspec.Struct, frozen=True):
    """Questions without the answer that everybody is out, the first to end first."""

    items: list[QuestionOut]


class AnswerIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """*out*: everybody is out. *inside*: somebody is still inside, and I see to it."""

    answer: Literal["out", "inside"]


class WatchOut(msgspec.Struct, frozen=True):
    """Somebody who works alone. `missed_at` is set while nobody has reported since a check-in was due."""

    id: UUID
    person: UUID
    place: str
    every_minutes: int
    started_at: datetime
    seen_at: datetime | None
    due_at: datetime
    missed_at: datetime | None
    ended_at: datetime | None


class MissedOut(msgspec.Struct, frozen=True):
    """A check-in that a permit asks for and that was not made; it is recorded in the permit system."""

    permit: UUID
    number: str
    person: UUID | None
    due_at: datetime


class CheckIns(msgspec.Struct, frozen=True):
    """People who work alone, and check-ins of permits that were missed."""

    watches: list[WatchOut]
    missed: list[MissedOut]


class NewWatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Watch over somebody: a person's id or `scheme:reference`, how often they report, and where they are (no names)."""

    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    every_minutes: int
    place: Annotated[str, msgspec.Meta(max_length=80)] = ""


_TAGS = ["safety"]


@get(
    "/api/v1/safety/holds",
    permission=Permission.GRANTS_LEASE_READ,
    tags=_TAGS,
    summary="What safety rules hold",
)
async def holds(web: WebPart) -> HoldList:
    """Access that ended and goes on because a safety rule keeps it, with the rule and the reason."""
    async with web.services.database.read() as tx:
        return HoldList([_hold(lease) for lease in await held_leases(tx)])


@post(
    "/api/v1/safety/holds/{grant:uuid}/release",
    permission=Permission.SAFETY_HOLD_RELEASE,
    status_code=202,
    tags=_TAGS,
    summary="Propose to end what a safety rule holds",
)
async def release(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, grant: Id, data: JSONBody[Why]
) -> Response[ProposalOut]:
    """Propose it; a second person confirms under `/proposals`, and only then it ends."""

    async def work(tx: Connection) -> ProposalOut:
        return proposal_out(await propose_release(tx, web, caller, grant, reason=data.reason))

    return await perform(web, request, caller, work, status=202)


@get("/api/v1/safety/stops", permission=Permission.GRANTS_LEASE_READ, tags=_TAGS, summary="Stops that wait")
async def stops(web: WebPart) -> StopList:
    """Stops of somebody at work: the shift leader is told first, and they proceed for sure when the time is up."""
    async with web.services.database.read() as tx:
        return StopList([_stop(each) for each in await web.services.kills.open(tx)])


@post(
    "/api/v1/safety/stops/{stop:uuid}/proceed",
    permission=Permission.SAFETY_HOLD_RELEASE,
    status_code=200,
    tags=_TAGS,
    summary="Let a stop proceed now",
)
async def proceed(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    stop: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_if_given, described for OpenAPI
) -> Response[StopOut]:
    """The shift leader was told and says go. Whoever asked for the stop cannot, unless they are the shift leader.

    The reason of the stop stands; one for letting it proceed at once may be given.
    """
    why = await reason_if_given(request)

    async def work(tx: Connection) -> StopOut:
        leads = SHIFT_LEADER in caller.roles
        return _stop(
            await web.services.kills.proceed_now(
                tx, stop, by=by_of(caller), at=web.now, is_shift_leader=leads, reason=why
            )
        )

    return await perform(web, request, caller, work)


@post(
    "/api/v1/safety/stops/{stop:uuid}/withdraw",
    permission=Permission.GRANTS_LEASE_READ,
    status_code=200,
    tags=_TAGS,
    summary="Take back a stop one asked for",
)
async def withdraw(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    stop: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[StopOut]:
    """Only whoever asked takes it back, and only while it waits."""
    why = await reason_of(request)

    async def work(tx: Connection) -> StopOut:
        done = await web.services.kills.withdraw(tx, stop, by=by_of(caller), at=web.now, reason=why)
        return _stop(done)

    return await perform(web, request, caller, work)


@get(
    "/api/v1/safety/inside", permission=Permission.GRANTS_LEASE_READ, tags=_TAGS, summary="Who may be inside"
)
async def inside(web: WebPart) -> QuestionList:
    """People who may be behind a lock that may bar a way out, and whose access ends or ended."""
    async with web.services.database.read() as tx:
        return QuestionList([_question(each) for each in await web.services.ways_out.open(tx, web.now)])


@post(
    "/api/v1/safety/inside/{question:uuid}",
    permission=Permission.SAFETY_CHECKIN_RECORD,
    status_code=200,
    tags=_TAGS,
    summary="Say whether everybody is out",
)
async def answer(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, question: Id, data: JSONBody[AnswerIn]
) -> Response[QuestionOut]:
    """The answer is recorded; it prolongs nothing."""

    async def work(tx: Connection) -> QuestionOut:
        return _question(
            await web.services.ways_out.answer(tx, question, data.answer, actor=caller.actor, at=web.now)
        )

    return await perform(web, request, caller, work)


@get("/api/v1/safety/check-ins", permission=Permission.GRANTS_LEASE_READ, tags=_TAGS, summary="Check-ins")
async def check_ins(web: WebPart) -> CheckIns:
    """People who work alone and report, those who are missed first, and missed check-ins of permits."""
    async with web.services.database.read() as tx:
        watches = await web.services.watches.running(tx)
        missed = await missed_checkins(tx, web.now)
    return CheckIns(
        [_watch(each) for each in watches],
        [MissedOut(each.permit_id, each.number, each.person_id, each.due_at) for each in missed],
    )


@post(
    "/api/v1/safety/watches",
    permission=Permission.SAFETY_CHECKIN_RECORD,
    status_code=201,
    tags=_TAGS,
    summary="Watch over somebody who works alone",
)
async def start_watch(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewWatch]
) -> Response[WatchOut]:
    """They report every so many minutes; missing one alarms and takes nothing away."""

    async def work(tx: Connection) -> WatchOut:
        person_id = await find_person(tx, web, data.person)
        return _watch(
            await web.services.watches.start(
                tx,
                person_id,
                every_minutes=data.every_minutes,
                place=data.place,
                actor=caller.actor,
                at=web.now,
            )
        )

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/safety/watches/{watch:uuid}/seen",
    permission=Permission.SAFETY_CHECKIN_RECORD,
    status_code=200,
    tags=_TAGS,
    summary="Record a check-in",
)
async def seen(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, watch: Id
) -> Response[WatchOut]:
    """They reported; the next report is due a whole pace from now."""

    async def work(tx: Connection) -> WatchOut:
        return _watch(await web.services.watches.seen(tx, watch, actor=caller.actor, at=web.now))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/safety/watches/{watch:uuid}/end",
    permission=Permission.SAFETY_CHECKIN_RECORD,
    status_code=200,
    tags=_TAGS,
    summary="End a watch",
)
async def end_watch(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, watch: Id
) -> Response[WatchOut]:
    """They are back."""

    async def work(tx: Connection) -> WatchOut:
        return _watch(await web.services.watches.end(tx, watch, actor=caller.actor, at=web.now))

    return await perform(web, request, caller, work)


def _hold(lease: Lease) -> HoldOut:
    if lease.hold is None:
        raise AssertionError  # pragma: no cover - the database refuses a held lease without its rule
    return HoldOut(
        grant=lease.id,
        person=lease.person_id,
        basis=lease.basis_ref,
        rule=lease.hold.rule,
        why=lease.hold.why,
        ended_by=lease.hold.act,
        since=lease.hold.since,
        until=lease.ends_at,
        cylinders=sorted(lease.cylinders),
    )


def _stop(kill: Waiting) -> StopOut:
    return StopOut(
        id=kill.id,
        what=kill.what,
        subject=kill.subject,
        people=list(kill.people),
        reason=kill.reason,
        asked_by=kill.asked_by,
        asked_at=kill.asked_at,
        proceeds_at=kill.proceeds_at,
        state=kill.state,
    )


def _question(found: Question) -> QuestionOut:
    return QuestionOut(
        id=found.id,
        access_point=found.access_point_id,
        grant=found.grant_id,
        person=found.person_id,
        cause=found.cause,
        because=found.because,
        egress_free=found.egress_free,
        opened_at=found.opened_at,
        asked_at=found.asked_at,
        ends_at=found.ends_at,
        answer=found.answer,
        answered_by=found.answered_by,
        answered_at=found.answered_at,
    )


def _watch(found: Watch) -> WatchOut:
    return WatchOut(
        id=found.id,
        person=found.person_id,
        place=found.place,
        every_minutes=found.every_minutes,
        started_at=found.started_at,
        seen_at=found.seen_at,
        due_at=found.due_at,
        missed_at=found.missed_at,
        ended_at=found.ended_at,
    )


HANDLERS = (
    holds, release, stops, proceed, withdraw, inside, answer, check_ins, start_watch, seen, end_watch,
)  # fmt: skip
