"""Revoking: one grant, one key, one person at once; a whole company only with a second person.

Who and what is affected can be seen first. A dry run looks and changes nothing.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from key2xs.access import Permission, Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import CompanyId, PersonId
from key2xs.grants.mass import Affected
from key2xs.grants.reads import get_lease
from key2xs.identity import persons_of_company

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


class Revoked(msgspec.Struct, frozen=True):
    """Who and what is affected, and what became of it.

    `state`: *dry_run* (nothing happened), *revoked*, or *proposed* (waits for a second person). Keys end as the key
    system lets them: ask for their exposure.
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
    return await _KINDS[named[0]](tx, web, caller, asked, web.now)


async def carry_out(tx: Connection, web: Web, proposal: Proposal, caller: Principal, at: datetime) -> Revoked:
    """End everything of a company after the second person confirmed; looks again, so newer grants end too."""
    company = CompanyId(UUID(proposal.payload["company"]))
    affected = await web.services.mass.look(tx, await persons_of_company(tx, company, at))
    await web.services.mass.end_all(
        tx, affected, subject=f"company:{company}", reason=proposal.reason, actor=caller.actor, at=at
    )
    await web.services.kill.narrow_persons(tx, affected.persons, at)
    return await _told(tx, web, affected, "revoked", f"company:{company}", at)


async def _grant(tx: Connection, web: Web, caller: Principal, asked: Revocation, at: datetime) -> Revoked:
    require(caller, Permission.GRANTS_LEASE_REVOKE)
    if asked.grant is None:
        raise AssertionError  # pragma: no cover - the caller named it
    if not asked.dry_run:
        # The lock first: the grant may be ending by itself at this very moment.
        await web.services.ledger.lock_heads(tx, [f"grant:{asked.grant}"])
    lease = await get_lease(tx, asked.grant)
    if lease is None:
        raise NotFound(f"there is no grant {asked.grant}")
    if lease.state == "ended":
        raise Conflict("the grant has ended already; ended is final")
    if not asked.dry_run:
        await web.services.mass.end_one(tx, lease, reason=asked.reason, actor=caller.actor, at=at)
        await web.services.kill.narrow_persons(tx, [lease.person_id], at)
    return await _told(tx, web, Affected((lease,), ()), _state(asked), f"grant:{lease.id}", at)


async def _key(tx: Connection, web: Web, caller: Principal, asked: Revocation, at: datetime) -> Revoked:
    require(caller, Permission.KEYS_KEY_BLOCK)
    custody = web.services.custody
    key = await web.services.registry.get_key(tx, asked.key or "")
    if asked.dry_run and key.emergency:
        raise Conflict(f"key {key.stamp} is an emergency key; those never enter a block list")
    holder = await custody.holder_at(tx, key.id, at)
    if not asked.dry_run:
        await custody.block(tx, key.id, reason=asked.reason, actor=caller.actor, at=at)
        await web.services.kill.narrow_key(tx, key.id, at)
    target = await web.services.targets.find(tx, key.id)
    return Revoked(
        state=_state(asked),
        what=key.subject,
        at=at,
        people=[holder] if holder else [],
        grants=list(target.grants) if target else [],
        keys=[key.stamp],
        spared=[],
    )


async def _person(tx: Connection, web: Web, caller: Principal, asked: Revocation, at: datetime) -> Revoked:
    require(caller, Permission.GRANTS_LEASE_REVOKE)
    person_id = await find_person(tx, web, asked.person or "")
    affected = await web.services.mass.look(tx, [person_id])
    if not asked.dry_run:
        await web.services.mass.end_all(
            tx, affected, subject=f"person:{person_id}", reason=asked.reason, actor=caller.actor, at=at
        )
        await web.services.kill.narrow_persons(tx, affected.persons, at)
    return await _told(tx, web, affected, _state(asked), f"person:{person_id}", at)


async def _company(tx: Connection, web: Web, caller: Principal, asked: Revocation, at: datetime) -> Revoked:
    require(caller, Permission.GRANTS_SET_PROPOSE)
    company = await company_of(tx, asked.company or "")
    affected = await web.services.mass.look(tx, await persons_of_company(tx, company.id, at))
    what = f"company:{company.id}"
    if asked.dry_run:
        return await _told(tx, web, affected, "dry_run", what, at)
    payload: dict[str, Any] = {"company": str(company.id), "grants_seen": len(affected.leases)}
    proposal = await web.access.proposals.propose(
        tx, caller, "mass_revoke", subject=what, payload=payload, reason=asked.reason, at=at
    )
    return await _told(tx, web, affected, "proposed", what, at, proposal=proposal.id)


async def _told(
    tx: Connection,
    web: Web,
    affected: Affected,
    state: str,
    what: str,
    at: datetime,
    *,
    proposal: UUID | None = None,
) -> Revoked:
    persons: list[PersonId] = sorted(affected.persons)
    keys = await keys_of_persons(tx, web, persons, at)
    return Revoked(
        state=state,
        what=what,
        at=at,
        people=list(persons),
        grants=[lease.id for lease in affected.leases],
        keys=sorted(key.stamp for key in keys),
        spared=[lease.id for lease in affected.spared],
        proposal=proposal,
    )


def _state(asked: Revocation) -> str:
    return "dry_run" if asked.dry_run else "revoked"


_KINDS = {"grant": _grant, "key": _key, "person": _person, "company": _company}
