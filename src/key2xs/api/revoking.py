"""Revoking: one grant, one key, one person; a whole company only with a second person.

Who and what is affected can be seen first: a dry run looks and changes nothing. The safety rules come before: whoever
is at work is told of through the shift leader (S5), and what a rule keeps is held, visibly (S3, S4).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from key2xs.access import Permission, Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CompanyId, PersonId
from key2xs.grants.holding import Kept
from key2xs.identity import persons_of_company
from key2xs.incidents.kill_types import Asked, By, Waiting

from .auth import require
from .explaining import find_person
from .exposing import keys_of_persons
from .routes.answers import company_of
from .web import Web


class Revocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to revoke, exactly one of the four, and why."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
    grant: UUID | None = None
    key: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    company: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    dry_run: bool = False


class HeldOut(msgspec.Struct, frozen=True):
    """What a safety rule keeps, and why. It ends when the rule is met, or when two people release it."""

    grant: UUID
    person: UUID
    rule: str
    why: str
    cylinders: list[UUID]


class Revoked(msgspec.Struct, frozen=True):
    """Who and what is affected, and what became of it.

    `state`: *dry_run* (nothing happened), *revoked*, *waiting* (the shift leader is told first; it proceeds at
    `proceeds_at` at the latest), or *proposed* (waits for a second person). Keys end as the key system lets them: ask
    for their exposure. `proposal` with *revoked* or *waiting*: what the last holder on shift has goes when a second
    person confirms.
    """

    state: str
    what: str
    at: datetime
    people: list[UUID]
    grants: list[UUID]
    keys: list[str]
    spared: list[UUID]
    """Emergency grants, which no mass action touches."""
    proposal: UUID | None = None
    at_work: list[UUID] = []
    """Those signed on to a permit or on duty: the shift leader is told first."""
    held: list[HeldOut] = []
    """What a safety rule keeps, or would keep."""
    stop: UUID | None = None
    """The stop that waits."""
    proceeds_at: datetime | None = None


async def revoke(tx: Connection, web: Web, caller: Principal, asked: Revocation) -> Revoked:
    """Revoke, propose or only look.

    Raises:
        InvalidInput: not exactly one thing is named.
        NotAllowed: the caller may not do this.
        NotFound: there is no such thing.
        Conflict: it is so already.
    """
    named = [name for name in ("grant", "key", "person", "company") if getattr(asked, name) is not None]
    if len(named) != 1:
        raise InvalidInput("grant", "name exactly one of grant, key, person and company")
    if named[0] == "company":
        return await _company(tx, web, caller, asked, web.now)
    subject = await _subject(tx, web, caller, asked)
    if asked.dry_run:
        return await _told(
            tx, web, await web.services.kills.look(tx, subject, web.now), "dry_run", subject, web.now
        )
    return await stop(tx, web, caller, subject, reason=asked.reason)


async def stop(tx: Connection, web: Web, caller: Principal, subject: str, *, reason: str) -> Revoked:
    """End a grant, a key or a person's access; propose what takes a second person.

    Raises:
        NotFound: there is no such thing.
        Conflict: it is so already.
    """
    at = web.now
    done = await web.services.kills.ask(tx, subject, reason=reason, by=by_of(caller), at=at)
    last = [kept for kept in done.kept if kept.rule == "S4"]
    proposal = None
    if last:
        payload = {
            "grants": [str(kept.lease.id) for kept in last],
            "stop": str(done.waiting.id) if done.waiting else None,
        }
        made = await web.access.proposals.propose(
            tx, caller, "remove_last_holder", subject=subject, payload=payload, reason=reason, at=at
        )
        proposal = made.id
    state = "waiting" if done.waiting is not None and done.waiting.state == "waiting" else "revoked"
    return await _told(tx, web, done, state, subject, at, proposal=proposal)


async def carry_out(tx: Connection, web: Web, proposal: Proposal, caller: Principal, at: datetime) -> Revoked:
    """End everything of a company after the second person confirmed; looks again, so newer grants end too."""
    company = CompanyId(UUID(proposal.payload["company"]))
    people = await persons_of_company(tx, company, at)
    done = await web.services.kills.ask(
        tx,
        f"company:{company}",
        reason=proposal.reason,
        by=By(caller.actor, proposal.proposed_by),
        at=at,
        people=people,
        two_people=True,
    )
    state = "waiting" if done.waiting is not None else "revoked"
    return await _told(tx, web, done, state, f"company:{company}", at)


async def _subject(tx: Connection, web: Web, caller: Principal, asked: Revocation) -> str:
    if asked.key is not None:
        require(caller, Permission.KEYS_KEY_BLOCK)
        return (await web.services.registry.get_key(tx, asked.key)).subject
    require(caller, Permission.GRANTS_LEASE_REVOKE)
    if asked.grant is not None:
        return f"grant:{asked.grant}"
    return f"person:{await find_person(tx, web, asked.person or '')}"


async def _company(tx: Connection, web: Web, caller: Principal, asked: Revocation, at: datetime) -> Revoked:
    require(caller, Permission.GRANTS_SET_PROPOSE)
    company = await company_of(tx, asked.company or "")
    what, people = f"company:{company.id}", await persons_of_company(tx, company.id, at)
    looked = await web.services.kills.look(tx, what, at, people=people, two_people=True)
    if asked.dry_run:
        return await _told(tx, web, looked, "dry_run", what, at)
    payload: dict[str, Any] = {"company": str(company.id), "grants_seen": len(looked.affected.leases)}
    proposal = await web.access.proposals.propose(
        tx, caller, "mass_revoke", subject=what, payload=payload, reason=asked.reason, at=at
    )
    return await _told(tx, web, looked, "proposed", what, at, proposal=proposal.id)


async def _told(
    tx: Connection,
    web: Web,
    done: Asked,
    state: str,
    what: str,
    at: datetime,
    *,
    proposal: UUID | None = None,
) -> Revoked:
    people: Sequence[PersonId] = sorted(done.about or done.affected.persons)
    if what.startswith("key:"):
        stamps = [(await web.services.registry.get_key(tx, what.partition(":")[2])).stamp]
    else:
        stamps = sorted(key.stamp for key in await keys_of_persons(tx, web, people, at))
    return Revoked(
        state=state,
        what=what,
        at=at,
        people=list(people),
        grants=await _grants(tx, web, done, what),
        keys=stamps,
        spared=[lease.id for lease in done.affected.spared],
        proposal=proposal,
        at_work=[each.person_id for each in done.at_work],
        held=held_out(done.kept),
        stop=done.waiting.id if done.waiting else None,
        proceeds_at=_proceeds(done.waiting),
    )


async def _grants(tx: Connection, web: Web, done: Asked, what: str) -> list[UUID]:
    if not what.startswith("key:"):
        return [lease.id for lease in done.affected.leases]
    key = await web.services.registry.get_key(tx, what.partition(":")[2])
    target = await web.services.targets.find(tx, key.id)
    return list(target.grants) if target else []


def by_of(caller: Principal) -> By:
    """Return who asks, as the kills want it."""
    return By(caller.actor, caller.user_id)


def held_out(kept: Iterable[Kept]) -> list[HeldOut]:
    """Describe what a rule keeps."""
    return [
        HeldOut(each.lease.id, each.lease.person_id, each.rule, each.why, sorted(each.cylinders))
        for each in kept
    ]


def _proceeds(waiting: Waiting | None) -> datetime | None:
    return waiting.proceeds_at if waiting is not None and waiting.state == "waiting" else None
