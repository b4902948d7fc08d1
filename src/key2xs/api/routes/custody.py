"""Custody beyond the counter: hand to hand, crews, lost and broken keys, due times, who is out, what does not fit."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from key2xs.access import Permission, Principal
from key2xs.api.acts import perform
from key2xs.api.explaining import find_person
from key2xs.api.paging import Name
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.keys.desk import due, findings, handing, leaving, lists, mishaps, transfers
from key2xs.keys.desk.crews import make_crew
from key2xs.keys.types import StoredKey
from key2xs.plant import find_unit

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class To(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets the key: a person's id, or `scheme:reference`."""

    person: _Text
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class ToCrew(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A crew: its leader, who answers for the key, and everybody else in it."""

    leader: _Text
    crew: _Text
    members: Annotated[list[_Text], msgspec.Meta(min_length=1, max_length=60)]
    due_at: datetime | None = None


class DueAt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When it is due back; null: not at all."""

    due_at: datetime | None
    reason: _Reason


class Exit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is at the gate."""

    person: _Text


class ShiftChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit whose outgoing team hands its keys over, or the keys one by one with who gets each."""

    unit: _Text | None = None
    keys: Annotated[list[tuple[_Text, _Text]], msgspec.Meta(max_length=500)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = "change of shifts"
    dry_run: bool = False


class Settled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it was settled; `holder` where two people may have the key."""

    reason: _Reason
    holder: UUID | None = None


class CustodyOut(msgspec.Struct, frozen=True):
    """A key that is out. `certainty`: sure, crew, lost or between. `step`: how far the escalation is."""

    key: str
    key_id: UUID
    holder: UUID | None
    since: datetime | None = None
    due_at: datetime | None = None
    overdue: bool = False
    step: str | None = None
    crew: str | None = None
    crew_size: int | None = None
    certainty: str = "unknown"
    report: str | None = None
    company: str | None = None
    areas: list[str] = []


class CustodyList(msgspec.Struct, frozen=True):
    """Keys that are out, as known at `at`."""

    at: datetime
    items: list[CustodyOut]


class LineOut(msgspec.Struct, frozen=True):
    """One key of a change of shifts; `why_not` names what stands against it."""

    key: str
    key_id: UUID
    giver: UUID | None
    receiver: UUID | None
    why_not: str


class ShiftOut(msgspec.Struct, frozen=True):
    """What became of each key, or would."""

    dry_run: bool
    items: list[LineOut]


class ExitOut(msgspec.Struct, frozen=True):
    """Whether somebody may leave, and the keys to bring back first."""

    may_leave: bool
    keys: list[str]


class FindingOut(msgspec.Struct, frozen=True):
    """Something that does not fit. `person` is whom the newer word names, `holder` who had the key."""

    id: UUID
    kind: str
    key: str | None
    cabinet: str | None
    at: datetime
    person: UUID | None
    holder: UUID | None
    settled_at: datetime | None


class FindingList(msgspec.Struct, frozen=True):
    """What a person should look at, the newest first."""

    items: list[FindingOut]


@post("/api/v1/keys/{name:str}/transfer", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Pass a key from its holder to somebody else")  # fmt: skip
async def transfer(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[To]
) -> Response[CustodyOut]:
    """Pass a key on. Nothing its giver may open goes along: what it opens is decided anew, from what the receiver may."""

    async def act(tx: Connection, key: StoredKey) -> None:
        receiver = await find_person(tx, web, data.person)
        await transfers.transfer(
            tx, web.services.key_desk, key.id, receiver, actor=caller.actor, at=web.now, reason=data.reason,
            guard=web.services.key_ends.require_free,
        )  # fmt: skip

    return await act_on_key(web, request, caller, name, act)


@post("/api/v1/keys/{name:str}/crew", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Hand a key to the leader of a crew")  # fmt: skip
async def crew(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[ToCrew]
) -> Response[CustodyOut]:
    """Hand a key to a crew. Its leader answers for it; openings say that it is the key of one of so many."""

    async def act(tx: Connection, key: StoredKey) -> None:
        leader = await find_person(tx, web, data.leader)
        members = [await find_person(tx, web, each) for each in data.members]
        await handing.hand_out(
            tx, web.services.key_desk, key.id, leader, actor=caller.actor, at=web.now,
            crew=make_crew(data.crew, leader, members), due_at=_instant(web, data.due_at),
        )  # fmt: skip

    return await act_on_key(web, request, caller, name, act)


@post("/api/v1/keys/{name:str}/undo", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Take back one's own hand-out by mistake")  # fmt: skip
async def undo(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name
) -> Response[CustodyOut]:
    """Take a hand-out back while it is fresh; the log keeps both, with the reason *mistake*."""

    async def act(tx: Connection, key: StoredKey) -> None:
        await handing.undo(tx, web.services.key_desk, key.id, actor=caller.actor, at=web.now)

    return await act_on_key(web, request, caller, name, act)


@post("/api/v1/keys/{name:str}/due", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Say when a key is due back")  # fmt: skip
async def due_back(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[DueAt]
) -> Response[CustodyOut]:
    """Move the time at which a key is due back; the escalation begins anew."""

    async def act(tx: Connection, key: StoredKey) -> None:
        await due.move_due(
            tx, web.services.key_desk, key.id, _instant(web, data.due_at), reason=data.reason,
            actor=caller.actor, at=web.now,
        )  # fmt: skip

    return await act_on_key(web, request, caller, name, act)


@get(
    "/api/v1/custody/out", permission=Permission.KEYS_KEY_READ, tags=["custody"], summary="Keys that are out"
)
async def out(web: WebPart) -> CustodyList:
    """All keys that somebody has, with due time, crew and how sure it is; the longest out first."""
    async with web.services.database.read() as tx:
        found = await lists.keys_out(tx, web.now)
    return CustodyList(web.now, [_line(each, web.now) for each in found])


@get("/api/v1/custody/out.csv", permission=Permission.KEYS_KEY_READ, tags=["custody"],
     summary="Keys that are out, as a file", media_type="text/csv")  # fmt: skip
async def out_csv(web: WebPart) -> Response[str]:
    """The same as a file. People stand by their id."""
    async with web.services.database.read() as tx:
        text = lists.as_csv(await lists.keys_out(tx, web.now), web.now)
    return Response(text, media_type="text/csv; charset=utf-8")


@get("/api/v1/custody/overdue", permission=Permission.KEYS_KEY_READ, tags=["custody"], summary="Overdue keys")
async def overdue(web: WebPart) -> CustodyList:
    """Keys that should be back, the longest overdue first. Lost ones are not asked back."""
    async with web.services.database.read() as tx:
        found = await lists.overdue(tx, web.now)
    return CustodyList(web.now, [_line(each, web.now) for each in found])


@post("/api/v1/custody/shift-transfer", permission=Permission.KEYS_CUSTODY_CHANGE, rehearses=True, status_code=200,
      tags=["custody"], summary="Hand a team's keys to the next team")  # fmt: skip
async def shift_transfer(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[ShiftChange]
) -> Response[ShiftOut]:
    """Hand over the keys of a unit's outgoing team, or these keys. Each is decided on its own; refusals are named."""
    if (data.unit is None) == (data.keys is None):
        raise InvalidInput("unit", "name a unit or the keys, and only one of the two")

    async def work(tx: Connection) -> ShiftOut:
        desk, at = web.services.key_desk, web.now
        if data.unit is not None:
            unit = await find_unit(tx, data.unit)
            if unit is None:
                raise NotFound(f"there is no unit {data.unit}")
            lines = await transfers.propose_change(tx, desk, unit.id, at)
        else:
            lines = [await _wanted(tx, web, *each) for each in data.keys or ()]
        if not data.dry_run:
            wanted = [(line.key_id, line.receiver) for line in lines if line.receiver is not None]
            left = [line for line in lines if line.receiver is None]
            reason = data.reason
            lines = left + await transfers.transfer_many(
                tx,
                desk,
                wanted,
                actor=caller.actor,
                at=at,
                reason=reason,
                guard=web.services.key_ends.require_free,
            )
        return ShiftOut(
            data.dry_run,
            [LineOut(each.stamp, each.key_id, each.giver, each.receiver, each.why_not) for each in lines],
        )

    return await perform(web, request, caller, work, dry_run=data.dry_run)


@post("/api/v1/custody/exit-check", permission=Permission.KEYS_CUSTODY_CHANGE, status_code=200,
      tags=["custody"], summary="Ask whether somebody leaves with keys")  # fmt: skip
async def exit_check(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[Exit]
) -> Response[ExitOut]:
    """Ask at the gate. Keys that would leave are noted for the key desk until they come back."""

    async def work(tx: Connection) -> ExitOut:
        person = await find_person(tx, web, data.person)
        found = await leaving.check_exit(tx, web.services.key_desk, person, actor=caller.actor, at=web.now)
        return ExitOut(found.may_leave, sorted(key.stamp for key in found.keys))

    return await perform(web, request, caller, work)


@get("/api/v1/custody/findings", permission=Permission.KEYS_KEY_READ, tags=["custody"],
     summary="What does not fit together")  # fmt: skip
async def open_findings(web: WebPart) -> FindingList:
    """Keys handed out twice, returned by others, taken from a cabinet out of schedule, and the like."""
    async with web.services.database.read() as tx:
        found = await findings.open_findings(tx)
    return FindingList([_finding(each) for each in found])


@post("/api/v1/custody/findings/{finding:uuid}/settle", permission=Permission.KEYS_CUSTODY_CHANGE,
      status_code=200, tags=["custody"], summary="Settle what does not fit")  # fmt: skip
async def settle(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    finding: FromPath[UUID],
    data: JSONBody[Settled],
) -> Response[FindingOut]:
    """Settle a finding; where two people may have a key, say which of the two has it."""

    async def work(tx: Connection) -> FindingOut:
        return _finding(
            await findings.settle(
                tx, web.services.key_desk, finding, reason=data.reason, actor=caller.actor, at=web.now,
                holder=data.holder,  # type: ignore[arg-type]
            )
        )  # fmt: skip

    return await perform(web, request, caller, work)


async def _wanted(tx: Connection, web: Web, key: str, person: str) -> transfers.Line:
    found = await web.services.registry.get_key(tx, key)
    return transfers.Line(found.id, found.stamp, None, await find_person(tx, web, person))


async def act_on_key(
    web: Web,
    request: Request[Any, Any, Any],
    caller: Principal,
    name: str,
    act: Callable[[Connection, StoredKey], Awaitable[None]],
) -> Response[CustodyOut]:
    """Do something with a key, and answer with where it is afterwards."""

    async def work(tx: Connection) -> CustodyOut:
        key = await web.services.registry.get_key(tx, name)
        await act(tx, key)
        return await custody_of(tx, web, str(key.id))

    return await perform(web, request, caller, work)


async def custody_of(tx: Connection, web: Web, name: str) -> CustodyOut:
    """Return where a key is now."""
    key = await web.services.registry.get_key(tx, name)
    had = await web.services.custody.custodian_at(tx, key.id, web.now)
    if had.person_id is not None:
        for line in await lists.keys_out(tx, web.now, persons=[had.person_id]):
            if line.key.id == key.id:
                return _line(line, web.now)
    report = await mishaps.open_report(tx, key.id, web.services.ledger)
    return CustodyOut(
        key.stamp, key.id, had.person_id, certainty=had.certainty, report=report.kind if report else None
    )


def _line(line: lists.OutLine, at: datetime) -> CustodyOut:
    return CustodyOut(
        key=line.key.stamp,
        key_id=line.key.id,
        holder=line.person_id,
        since=line.since,
        due_at=line.due_at,
        overdue=line.is_overdue(at),
        step=line.step,
        crew=line.crew,
        crew_size=line.crew_size,
        certainty=line.certainty,
        report=line.report,
        company=line.company,
        areas=list(line.areas),
    )


def _finding(each: findings.Finding) -> FindingOut:
    return FindingOut(
        each.id, each.kind, each.stamp, each.cabinet, each.at, each.person_id, each.holder_id, each.settled_at
    )


def _instant(web: Web, at: datetime | None, name: str = "due_at") -> datetime | None:
    return None if at is None else web.instant(at, name)


HANDLERS = (
    transfer, crew, undo, due_back, out, out_csv, overdue, shift_transfer, exit_check,
    open_findings, settle,
)  # fmt: skip
