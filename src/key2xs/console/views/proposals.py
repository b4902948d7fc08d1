"""Acts that wait for a second person: who proposed what, why, and whom it would touch if confirmed now."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.access import Permission, Principal, Proposal
from key2xs.api.adopting import difference_of
from key2xs.api.routes.governing import confirms, may_see
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.console.words import CONFIRMED_BY, PROPOSALS, named
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CompanyId, PersonId, UserId, ZoneId
from key2xs.grants.bundles import StoredBundle, list_bundles
from key2xs.grants.lists import people_at
from key2xs.grants.reach import Scope
from key2xs.grants.reads import count_states, get_lease
from key2xs.identity import get_company, persons_of_company
from key2xs.keys.adoption.difference import FirstDifference
from key2xs.keys.reads import keys_of_people
from key2xs.plant import list_cylinders

from .outage import paper_affected

_ALL: Final = 100_000  # more locks than any zone has
_CHANGES_SHOWN: Final = 20  # rows of the matrix on one panel; the number of all stands beside them


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something an act touches."""

    label: str
    number: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class ProposalLine:
    """One act that waits. `expires_at` None: it waits until somebody confirms it."""

    id: UUID
    kind: str
    what: str
    reason: str
    proposed_at: datetime
    expires_at: datetime | None
    proposer: Alias | None
    counts: tuple[Count, ...]
    action: str
    """Where its form is sent."""
    is_own: bool
    why_not: str | None
    """Why the reader may not confirm it; None when they may. The API's own functions check again."""
    may_refuse: bool
    difference: FirstDifference | None = None
    """What switching a zone would change now."""
    changed_since: bool = False
    """It is not what the proposer was shown."""
    seen: str = ""
    """The digest of what the counts on the page are of, where confirming names it."""

    @property
    def title(self) -> str:
        """The kind of act, in words."""
        return named(PROPOSALS, self.kind)

    @property
    def short_id(self) -> str:
        """A name for links within a page."""
        return f"p-{self.id}"


async def proposal_lines(tx: Connection, web: Web, reader: Principal) -> list[ProposalLine]:
    """Return what waits for a second person and the reader may see, the first to expire first."""
    at = web.now
    every = await web.access.proposals.list(tx, at, only_open=True)
    found = [each for each in every if may_see(reader, each)]
    lines = [await _proposed(tx, web, each, reader) for each in sorted(found, key=lambda p: p.expires_at)]
    if reader.may(Permission.POLICY_BUNDLE_READ):
        lines += [await _bundle(tx, web, each, reader) for each in waiting_bundles(await list_bundles(tx))]
    return lines


def waiting_bundles(bundles: Collection[StoredBundle]) -> list[StoredBundle]:
    """Return the bundles that were proposed since the rules in force began; older ones were passed over."""
    began = max((each.active_from for each in bundles if each.active_from is not None), default=None)
    return [
        each for each in bundles if each.active_from is None and (began is None or each.uploaded_at >= began)
    ]


async def _proposed(tx: Connection, web: Web, found: Proposal, reader: Principal) -> ProposalLine:
    person_id = await _person_of(tx, web, found.proposed_by)
    is_own = found.proposed_by == reader.user_id
    what, counts = await _affected(tx, web, found)
    difference = None
    if found.kind == "zone_mode" and found.payload["mode"] == "enforce":
        difference = await difference_of(tx, web, ZoneId(UUID(found.payload["zone"])))
    seen, more = "", False
    if found.kind == "mass_action":
        what, counts, seen, more = await _on_many(tx, web, found)
    return ProposalLine(
        id=found.id,
        kind=found.kind,
        what=what,
        reason=found.reason,
        proposed_at=found.proposed_at,
        expires_at=found.expires_at,
        proposer=(await look_up(tx, [person_id], web.now)).of(person_id),
        counts=counts,
        action=f"/requests/proposals/{found.id}",
        is_own=is_own,
        why_not=_why_not(found.kind, confirms(found), found.proposed_by, person_id, reader),
        difference=difference,
        changed_since=more or (difference is not None and difference.digest != found.payload.get("digest")),
        seen=seen,
        may_refuse=is_own or reader.may(confirms(found)),
    )


async def _bundle(tx: Connection, web: Web, found: StoredBundle, reader: Principal) -> ProposalLine:
    person_id = await _person_of(tx, web, found.uploaded_by) if found.uploaded_by else None
    states = await count_states(tx)
    again = sum(number for state, number in states.items() if state != "ended")
    return ProposalLine(
        id=found.id,
        kind="bundle_activation",
        what=f"version {found.version}, {found.hash[:12]}",
        reason=found.comment,
        proposed_at=found.uploaded_at,
        expires_at=None,
        proposer=(await look_up(tx, [person_id], web.now)).of(person_id),
        counts=(Count("Grants decided again", again),),
        action=f"/requests/bundles/{found.id}",
        is_own=found.uploaded_by == reader.user_id,
        why_not=_why_not(
            "bundle_activation", Permission.POLICY_BUNDLE_ACTIVATE, found.uploaded_by, person_id, reader
        ),
        may_refuse=False,
    )


def _why_not(
    kind: str, needed: Permission, proposed_by: UserId | None, proposer: PersonId | None, reader: Principal
) -> str | None:
    if proposed_by == reader.user_id:
        return "you proposed it, so a second person confirms"
    if not reader.may(needed):
        return f"your role looks on; {named(CONFIRMED_BY, kind)}"
    if reader.person_id is None:
        return "your account is not linked to a person, so nobody can tell that you are a second one"
    if proposed_by is not None and proposer is None:
        return "the account that proposed it is not linked to a person; have somebody else propose it"
    if proposer == reader.person_id:
        return "you proposed it with another account, so a second person confirms"
    return None


async def _affected(tx: Connection, web: Web, found: Proposal) -> tuple[str, tuple[Count, ...]]:
    """Say what an act is about and count what it would touch now."""
    if found.kind == "mass_revoke":
        return await _company(tx, web, CompanyId(UUID(found.payload["company"])))
    if found.kind == "zone_mode":
        return await _zone(tx, web, found)
    if found.kind == "adopt_keys":
        where = found.payload["name"] + (f", zone {found.payload['code']}" if found.payload["code"] else "")
        return where, (Count("Keys", found.payload["keys"], "counted when it was proposed"),)
    if found.kind == "paper_permit":
        text, counts = await paper_affected(tx, web, found)
        return text, tuple(Count(label, number) for label, number in counts)
    if found.kind in {"release_hold", "remove_last_holder"}:
        return await _held(tx, web, found)
    return _said(found)


async def _on_many(tx: Connection, web: Web, found: Proposal) -> tuple[str, tuple[Count, ...], str, bool]:
    """Count what an act on many would reach now, and tell whether that is more than its proposer was shown."""
    scope = Scope(found.payload["kind"], found.payload["ref"])
    world, digest, more = await web.services.looks.since(tx, scope, found.payload["digest"], web.now)
    counts = (
        Count("People", len(world.persons)),
        Count("Grants that end", len(world.ending)),
        Count("Keys", len(world.keys)),
        Count("Left alone", len(world.spared), "emergency grants"),
        Count("Last holders on shift", len(world.last)),
    )
    return found.payload["name"], counts, digest, more.is_any


def _said(found: Proposal) -> tuple[str, tuple[Count, ...]]:
    """Say what an act is about that carries its own words."""
    if found.kind == "drift_policy":
        payload = found.payload
        return f"zone {payload['code']}: {payload['before']} becomes {payload['policy']}", ()
    if found.kind == "source_down":
        return f"{found.payload['source']}: nothing new comes of it, and paper permits may be written", ()
    if found.kind == "mass_lift":
        return f"{found.payload['name']}: new access may be given again; nothing that ended comes back", ()
    if found.kind in {"act", "history"}:
        said = ", ".join(f"{name} {value}" for name, value in found.payload["shown"].items())
        return f"{found.payload['permission']} at {found.payload['path']}" + (f": {said}" if said else ""), ()
    if found.kind == "authority_matrix":
        changes = found.payload["changes"]
        return "; ".join(changes[:_CHANGES_SHOWN]), (Count("Rows that change", len(changes)),)
    return found.subject, ()


async def _held(tx: Connection, web: Web, found: Proposal) -> tuple[str, tuple[Count, ...]]:
    if found.payload.get("key"):
        key = await web.services.registry.get_key(tx, found.payload["key"])
        return f"take key {key.stamp} back", ()
    leases = [await get_lease(tx, UUID(grant)) for grant in found.payload["grants"]]
    held = [lease for lease in leases if lease is not None and lease.state != "ended"]
    people = await look_up(tx, [lease.person_id for lease in held], web.now)
    who = ", ".join(sorted({str(people.of(lease.person_id)) for lease in held}))
    why = {lease.hold.why for lease in held if lease.hold is not None}
    locks = len({c for lease in held for c in lease.cylinders})
    return f"{who}: {'; '.join(sorted(why))}" if why else who, (Count("Locks", locks),)


async def _company(tx: Connection, web: Web, company_id: CompanyId) -> tuple[str, tuple[Count, ...]]:
    company = await get_company(tx, company_id)
    people = await persons_of_company(tx, company_id, web.now)
    affected = await web.services.mass.look(tx, people)
    counts = [
        Count("People", len(affected.persons), f"of {len(people)} under contract"),
        Count("Grants that end", len(affected.leases)),
        Count("Keys out", await _keys(tx, web, affected.persons)),
    ]
    if affected.spared:
        counts.append(Count("Left alone", len(affected.spared), "emergency grants"))
    return company.name if company else str(company_id), tuple(counts)


async def _zone(tx: Connection, web: Web, found: Proposal) -> tuple[str, tuple[Count, ...]]:
    zone_id = ZoneId(UUID(found.payload["zone"]))
    places = await list_cylinders(tx, zone_id=zone_id, limit=_ALL)
    grants = await people_at(tx, [place.id for place in places])
    what = f"{found.payload['code']}: from {found.payload['before']} to {found.payload['mode']}"
    return what, (
        Count("Locks", len(places)),
        Count("People", len(grants)),
        Count("Grants", sum(grants.values())),
        Count("Keys out", await _keys(tx, web, grants)),
    )


async def _keys(tx: Connection, web: Web, people: Collection[PersonId]) -> int:
    found = await keys_of_people(tx, people, web.now)
    return len({key.id for keys in found.values() for key, _ in keys})


async def _person_of(tx: Connection, web: Web, user_id: UserId) -> PersonId | None:
    try:
        return (await web.access.users.get(tx, user_id)).person_id
    except NotFound:
        return None
