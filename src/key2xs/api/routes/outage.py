"""Running without a system: what still works and until when, warnings, and exercises."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.incidents.drills import Drill, list_drills, record_drill
from key2xs.incidents.outage import Outage, read_outage
from key2xs.incidents.warnings import open_warnings

Names = Annotated[
    list[str] | None,
    QueryParameter(
        name="down",
        description="What to take for down as well: `keys:iloq`, `permits:eptw`, `network`, `this`.",
    ),
]


class DependencyOut(msgspec.Struct, frozen=True):
    """One thing Key2XS leans on: up, down or unknown."""

    name: str
    kind: str
    label: str
    state: str
    since: datetime | None
    why: str
    assumed: bool


class RoleOut(msgspec.Struct, frozen=True):
    """A duty role in a unit. `sure` of `locks` surely open now, all of them until `until`."""

    unit: str
    role: str
    people: int
    locks: int
    sure: int
    until: datetime | None


class KeyOut(msgspec.Struct, frozen=True):
    """A key that is out. `until`: the first of its locks is lost then; null: none of them is sure."""

    stamp: str
    system: str
    person: UUID
    locks: int
    unsure: int
    until: datetime | None
    last: datetime | None


class PermitEndOut(msgspec.Struct, frozen=True):
    """A permit under which somebody has access, and when the first of it ends."""

    permit: UUID
    reference: str
    people: int
    until: datetime


class WarningOut(msgspec.Struct, frozen=True):
    """What people are warned of; `due_at` null: it has happened already."""

    kind: str
    subject: str
    text: str
    due_at: datetime | None
    raised_at: datetime


class OutageOut(msgspec.Struct, frozen=True):
    """What stops, what goes on, and until when."""

    at: datetime
    dependencies: list[DependencyOut]
    first: RoleOut | None
    roles: list[RoleOut]
    keys: list[KeyOut]
    permits: list[PermitEndOut]
    shifts_known_until: datetime | None
    warnings: list[WarningOut]


class DrillOut(msgspec.Struct, frozen=True):
    """An exercise that was held."""

    id: UUID
    scenario: str
    held_at: datetime
    people: int
    passed: bool
    outcome: str
    next_due_at: datetime | None


class DrillList(msgspec.Struct, frozen=True):
    """Exercises, the newest first."""

    items: list[DrillOut]


class NewDrill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An exercise and what was learnt. Scenario: people, permits, keys, siem, network, this, sealed_key or other."""

    scenario: Annotated[str, msgspec.Meta(max_length=40)]
    people: int
    passed: bool
    outcome: Annotated[str, msgspec.Meta(max_length=2000)]
    held_at: datetime | None = None


@get(
    "/api/v1/outage",
    permission=Permission.SYSTEM_STATUS_READ,
    tags=["outage"],
    summary="What still works, and until when, if something is down",
)
async def outage(web: WebPart, down: Names = None) -> OutageOut:
    """For what is down now, and for what is only asked about: `?down=keys:iloq&down=permits:eptw`."""
    async with web.services.database.read() as tx:
        found = await read_outage(
            tx, web.services.settings, web.now, problems=web.runtime.all_problems(), assume=down or ()
        )
        warnings = await open_warnings(tx)
    return OutageOut(
        at=found.at,
        dependencies=[
            DependencyOut(
                each.name, each.kind, each.label, each.state, each.since, each.why, each.name in found.assumed
            )
            for each in found.dependencies
        ],
        first=_role(found.first) if found.first else None,
        roles=[_role(each) for each in found.roles],
        keys=_keys(found),
        permits=[
            PermitEndOut(each.permit_id, each.reference, each.people, each.until) for each in found.permits
        ],
        shifts_known_until=found.shifts_until,
        warnings=[WarningOut(w.kind, w.subject, w.text, w.due_at, w.raised_at) for w in warnings],
    )


@get("/api/v1/drills", permission=Permission.SYSTEM_STATUS_READ, tags=["outage"], summary="Exercises")
async def drills(web: WebPart) -> DrillList:
    """Exercises of running without a system, the newest first."""
    async with web.services.database.read() as tx:
        return DrillList([_drill(each) for each in await list_drills(tx)])


@post(
    "/api/v1/drills",
    permission=Permission.KEYS_SEALED_USE,
    status_code=201,
    tags=["outage"],
    summary="Record an exercise",
)
async def record(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewDrill]
) -> Response[DrillOut]:
    """Who held which exercise when, and what came of it."""

    async def work(tx: Connection) -> DrillOut:
        made = await record_drill(
            tx,
            web.services.ledger,
            web.services.settings.continuity,
            scenario=data.scenario,
            held_at=web.instant(data.held_at, "held_at"),
            people=data.people,
            passed=data.passed,
            outcome=data.outcome,
            actor=caller.actor,
            at=web.now,
        )
        return _drill(made)

    return await perform(web, request, caller, work, status=201)


def _role(found: Any) -> RoleOut:
    return RoleOut(found.unit, found.role, found.people, found.cylinders, found.sure, found.until)


def _keys(found: Outage) -> list[KeyOut]:
    return [
        KeyOut(
            each.stamp,
            found.systems[each.system_id],
            each.person_id,
            each.cylinders,
            each.unsure,
            each.until,
            each.last,
        )
        for each in found.keys
    ]


def _drill(found: Drill) -> DrillOut:
    return DrillOut(
        found.id, found.scenario, found.held_at, found.people, found.passed, found.outcome, found.next_due_at
    )


HANDLERS = (outage, drills, record)
