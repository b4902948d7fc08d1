"""Reading permits: what other rooms and pages ask."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import CylinderId, PermitId, PersonId, parse_id
from key2xs.core.tri import Tri, tri
from key2xs.plant import (
    AssetMapping,
    MappedCylinder,
    Unmapped,
    cylinder_facts,
    cylinders_of_access_points,
    cylinders_of_assets,
    normalise,
)

from .desk import SQL
from .document import point_scheme
from .feed import feed_ok
from .paper_form import CYLINDER
from .payload import Problem
from .permits import PermitRow, instant
from .states import State
from .timeline import Place
from .types import (
    Approval,
    CheckIn,
    CrewMember,
    GasStanding,
    GasTest,
    HeldMessage,
    Isolation,
    IsolationPoint,
    PermitFacts,
    PermitSummary,
    PersonalLock,
    Step,
    StepState,
)

_STEP_STATES = frozenset(get_args(StepState))
_GAS = frozenset({"safe", "unsafe"})
# Kinds of points that are access points of our plant under their own code.
_POINT_KINDS = ("access_point", "lock_box", "manway", "isolation_point")
_PAGE = 200

People = Mapping[UUID, PersonId | None]


async def permit_facts(
    tx: Connection, permit_id: PermitId, at: datetime, *, known_at: int | None = None
) -> PermitFacts:
    """Return everything about a permit at `at`, as known now or as known at an entry's number.

    Raises:
        NotFound: no such permit, or nothing was known of it then.
    """
    row = await tx.fetchrow(SQL["get_permit"], permit_id)
    held = await tx.fetchrow(SQL["state_at"], permit_id, at, known_at)
    if row is None or held is None or held["doc"] is None:
        raise NotFound(f"no permit {permit_id} at that instant")
    permit, doc = PermitRow.read(row), held["doc"]
    people = await _people(tx, doc)
    withheld = frozenset((scheme, code) for scheme, code in held["withheld"])
    mapping = await _map_scope(tx, doc, withheld, at)
    approvals = tuple(_approval(each, people) for each in doc["approvals"])
    fresh, heard_at = await feed_ok(tx, permit.source, at)
    state: State = held["state"]
    return PermitFacts(
        permit_id=permit.id,
        source=permit.source,
        external_id=permit.external_id,
        number=doc["permit"]["number"],
        revision=doc["permit"]["revision"],
        type=permit.type,
        state=state,
        cause=held["cause"],
        since=held["since"],
        live=_live(state),
        window=(held["valid_from"], held["valid_to"]),
        basis_at=_basis_at(state, held["since"], approvals),
        site=doc["scope"]["site"],
        area=doc["scope"]["area"],
        unit=doc["scope"]["unit"],
        work=doc["work"],
        crew=tuple(_member(each, people) for each in doc["people"]),
        steps=tuple(_step(each, doc, mapping, withheld) for each in doc["steps"]),
        assets=tuple((each["scheme"], each["id"]) for each in doc["scope"]["assets"]),
        cylinders=mapping.cylinders,
        cylinders_by_code={code: _ids(mapping, code) for code in mapping.found},
        unmapped=mapping.unmapped,
        withheld=tuple(sorted(withheld)),
        approvals=approvals,
        isolations=tuple(_isolation(each, people) for each in doc["isolations"]),
        gas_tests=tuple(_gas_test(each, people) for each in doc["gas_tests"]),
        personal_locks=tuple(_locks(doc, people)),
        checkins=tuple(_checkin(each, people) for each in doc["checkins"]),
        reissued_from=doc["permit"]["parent"],
        reason_code=doc["reason"]["code"] if doc["reason"] else None,
        findings=permit.findings,
        needs_pull=permit.needs_pull,
        feed_ok=fresh,
        as_of=heard_at,
        heads=tuple(sorted({f"permit:{permit_id}", *mapping.heads})),
        lock_boxes=tuple(box["id"] for box in doc["lock_boxes"]),
    )


async def find_permit(tx: Connection, name: PermitId | str) -> PermitId | None:
    """Return the permit with that id, number, or id at its source.

    Raises:
        Conflict: the number belongs to several permits.
    """
    made = name if isinstance(name, UUID) else parse_id(name)
    if made is not None and await tx.fetchval(SQL["get_permit"], made):
        return PermitId(made)
    rows = await tx.fetch(SQL["name_permit"], str(name))
    if len(rows) > 1:
        raise Conflict(f"several permits are called {name}; use the id")
    return PermitId(rows[0]["id"]) if rows else None


async def list_permits(
    tx: Connection,
    at: datetime,
    *,
    states: Sequence[State] | None = None,
    area: str | None = None,
    after: PermitId | None = None,
    ids: Sequence[PermitId] | None = None,
    limit: int = _PAGE,
) -> list[PermitSummary]:
    """Return permits with their state at `at`, in the order of their ids, a page at a time."""
    rows = await tx.fetch(
        SQL["list_permits"],
        at,
        list(states) if states is not None else None,
        normalise(area) if area is not None else None,
        after,
        list(ids) if ids is not None else None,
        limit,
    )
    return [PermitSummary(**row) for row in rows]


async def permits_of_person(tx: Connection, person_id: PersonId) -> list[PermitId]:
    """Return the permits whose newest event names a person, in any state."""
    return [PermitId(row["permit_id"]) for row in await tx.fetch(SQL["permits_of_person"], person_id)]


async def live_permits_of_person(tx: Connection, person_id: PersonId, at: datetime) -> list[PermitSummary]:
    """Return the live permits whose newest event names a person; whether they are signed on is in the crew."""
    ids = await permits_of_person(tx, person_id)
    return await list_permits(tx, at, states=["live"], ids=ids) if ids else []


async def held_messages(tx: Connection, *, limit: int = 100) -> list[HeldMessage]:
    """Return messages that were refused or parked, newest first."""
    return [
        HeldMessage(
            id=row["id"],
            source=row["source"],
            event_id=row["event_id"],
            type=row["type"],
            permit_id=row["permit_id"],
            received_at=row["received_at"],
            outcome=row["outcome"],
            problems=msgspec.convert(row["problems"], tuple[Problem, ...]),
        )
        for row in await tx.fetch(SQL["held_messages"], limit)
    ]


def _utc(text: str) -> datetime:
    """Read an instant; permit systems send them with their own offset, decisions are made in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _live(state: State) -> Tri:
    return tri(None if state == "unknown" else state == "live")


def _basis_at(state: State, since: datetime, approvals: Iterable[Approval]) -> datetime | None:
    """Return when the present right to work arose. `since` alone would move with every small change."""
    if state != "live":
        return None
    signed = [approval.at for approval in approvals if approval.approves]
    return max(signed, default=since)


async def _people(tx: Connection, doc: Mapping[str, Any]) -> People:
    parties = {UUID(party) for party in _parties(doc)}
    rows = await tx.fetch(SQL["party_persons"], list(parties))
    return {row["id"]: row["person_id"] for row in rows}


def _parties(doc: Mapping[str, Any]) -> Iterable[str]:
    items = [*doc["people"], *doc["approvals"], *doc["gas_tests"], *doc["checkins"]]
    items += [point for isolation in doc["isolations"] for point in isolation["points"]]
    items += [lock for box in doc["lock_boxes"] for lock in box["personal_locks"]]
    return [item["party"] for item in items if item["party"]]


async def _map_scope(
    tx: Connection, doc: Mapping[str, Any], withheld: frozenset[Place], at: datetime
) -> AssetMapping:
    """Turn the scope into cylinders, without what waits for a signature. Points come under their own scheme."""
    assets = [(each["scheme"], each["id"]) for each in doc["scope"]["assets"]]
    mapped = await cylinders_of_assets(tx, [code for code in assets if code not in withheld], at=at)
    points = [
        (point_scheme(each["kind"]), each["id"])
        for each in doc["scope"]["points"]
        if (point_scheme(each["kind"]), each["id"]) not in withheld
    ]
    ours = [code for scheme, code in points if scheme.removeprefix("point:") in _POINT_KINDS]
    at_points = await cylinders_of_access_points(tx, ours, at=at)
    single = {
        code: CylinderId(made)
        for scheme, code in points
        if scheme == point_scheme(CYLINDER) and (made := parse_id(code))
    }
    known = await cylinder_facts(tx, single.values(), at=at) if single else {}
    strange = tuple(
        Unmapped(scheme, code, "unknown")
        for scheme, code in points
        if scheme.removeprefix("point:") not in _POINT_KINDS
        and not (code in single and single[code] in known)
    )
    locks = {
        (point_scheme(CYLINDER), code): (MappedCylinder(each, "content"),)
        for code, each in single.items()
        if each in known
    }
    return AssetMapping(
        found={**mapped.found, **at_points.found, **locks},
        unmapped=(*mapped.unmapped, *at_points.unmapped, *strange),
        heads=(*mapped.heads, *at_points.heads, *(f"cylinder:{each}" for each in single.values())),
    )


def _ids(mapping: AssetMapping, code: Place) -> frozenset[CylinderId]:
    return frozenset(link.cylinder_id for link in mapping.found.get(code, ()))


def _step(
    step: Mapping[str, Any], doc: Mapping[str, Any], mapping: AssetMapping, withheld: frozenset[Place]
) -> Step:
    """Read a step. It covers only assets of the scope: what it names beyond that was never signed for."""
    scope = [(each["scheme"], each["id"]) for each in doc["scope"]["assets"]]
    named = [_named_assets(each, scope) for each in step["assets"]]
    assets = tuple(dict.fromkeys(code for codes in named for code in codes if code not in withheld))
    return Step(
        id=step["id"],
        title=step["title"],
        state=step["state"] if step["state"] in _STEP_STATES else "unknown",
        assets=assets,
        cylinders=frozenset(made for code in assets for made in _ids(mapping, code)),
        roles=frozenset(step["roles"]),
        needs_isolation=tri(step["needs_isolation"]),
        planned_from=instant(step["planned_from"]),
        planned_to=instant(step["planned_to"]),
    )


def _named_assets(named: Any, scope: Sequence[Place]) -> list[Place]:
    if isinstance(named, str):
        fits = [code for code in scope if code[1] == named]
        return fits if len(fits) == 1 else []  # the same id under two schemes: not guessed between
    return [code for code in scope if code == (named["scheme"], named["id"])]


def _member(member: Mapping[str, Any], people: People) -> CrewMember:
    party = UUID(member["party"])
    return CrewMember(
        party_id=party,
        person_id=people.get(party),
        role=member["role"],
        company=member["company"],
        crew=member["crew"],
        signed_on=instant(member["signed_on"]),
        signed_off=instant(member["signed_off"]),
    )


def _approval(approval: Mapping[str, Any], people: People) -> Approval:
    party = UUID(approval["party"])
    at = _utc(approval["at"])
    return Approval(approval["role"], party, people.get(party), at, approval["decision"])


def _isolation(isolation: Mapping[str, Any], people: People) -> Isolation:
    points = tuple(
        IsolationPoint(
            id=point["id"],
            asset=point["asset"],
            state=point["state"],
            lock_no=point["lock_no"],
            verified_by=people.get(UUID(point["party"])) if point["party"] else None,
            verified_at=instant(point["verified_at"]),
        )
        for point in isolation["points"]
    )
    return Isolation(isolation["certificate"], isolation["state"], points)


def _gas_test(test: Mapping[str, Any], people: People) -> GasTest:
    standing: GasStanding = test["result"] if test["result"] in _GAS else "unknown"
    tester = people.get(UUID(test["party"])) if test["party"] else None
    return GasTest(_utc(test["at"]), instant(test["valid_to"]), standing, tester)


def _locks(doc: Mapping[str, Any], people: People) -> Iterable[PersonalLock]:
    for box in doc["lock_boxes"]:
        for lock in box["personal_locks"]:
            party = UUID(lock["party"])
            on_at = _utc(lock["on_at"])
            yield PersonalLock(box["id"], party, people.get(party), on_at, instant(lock["off_at"]))


def _checkin(checkin: Mapping[str, Any], people: People) -> CheckIn:
    party = UUID(checkin["party"])
    due_at = _utc(checkin["due_at"])
    return CheckIn(party, people.get(party), due_at, instant(checkin["at"]))
