"""Deciding a stored grant again from the facts as they were known then (P9).

People, permits and cylinders are read as known at the decision's entry; the policy bundle by its hash. What an asset
or a unit maps to is read as it is known now, because the plant keeps no second time axis for it: a grant whose map was
corrected since replays as *different*, and says so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, GrantId, PermitId
from key2xs.core.settings import Leases
from key2xs.core.sql import load_queries
from key2xs.identity.facts import person_facts
from key2xs.plant.service import cylinder_facts, cylinders_of_unit
from key2xs.work.facts import permit_facts

from .bundles import get_bundle_by_hash
from .look import Look
from .requests import request_of
from .store import lease_of, reasons_json
from .types import KeyFacts, Lease, Wish
from .wishes import duty_wish, permit_wishes, request_wish

_SQL = load_queries("key2xs.grants")

Outcome: TypeAlias = Literal["same", "different", "erased", "held"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a stored decision compares with the one that the same facts give now.

    `held`: a safety rule kept the grant, policy was not asked. `erased`: the holder's data was erased since.
    """

    outcome: Outcome
    why: str
    decided_at: datetime
    bundle: str


async def replay(tx: Connection, keys: KeyFacts, leases: Leases, grant_id: GrantId) -> Replayed:
    """Decide a stored grant again.

    Args:
        tx: a transaction.
        keys: the key that would carry it.
        leases: how long leases may be.
        grant_id: which one, open or ended.

    Raises:
        NotFound: there is no such grant, or no bundle of the hash it names.
    """
    row = await tx.fetchrow(_SQL["decision"], grant_id)
    if row is None:
        message = f"there is no grant {grant_id}"
        raise NotFound(message)
    lease, at = lease_of(row), row["decided_at"]
    if not row["bundle"]:
        return Replayed("held", "a safety rule held it; policy was not asked", at, "")
    if row["erased"]:
        return Replayed("erased", "the holder's data was erased since", at, row["bundle"])
    wish = await _wish(tx, lease, leases, at, row["known_at"])
    if wish is None:
        return Replayed("different", "the facts as known then ask for no such grant", at, row["bundle"])
    person = await person_facts(tx, lease.person_id, at, known_at=row["known_at"])
    cylinders = await cylinder_facts(tx, sorted(wish.cylinders), at=at, known_at=row["known_at"])
    carried = await keys.key_of(tx, lease.person_id, wish.cylinders, at)
    bundle = await get_bundle_by_hash(tx, row["bundle"])
    verdict = Look(wish, person, cylinders, carried, bundle, at).verdict()
    return _compare(lease, row, verdict.allowed, reasons_json(verdict.reasons))


def _compare(lease: Lease, row: Any, allowed: frozenset[CylinderId], reasons: list[Any]) -> Replayed:
    decided_at, bundle = row["decided_at"], row["bundle"]
    if not lease.cylinders <= allowed:
        missing = len(lease.cylinders - allowed)
        return Replayed("different", f"{missing} of its cylinders would be refused", decided_at, bundle)
    if reasons != row["reasons"]:
        return Replayed("different", "the reasons differ", decided_at, bundle)
    return Replayed("same", "the same facts give the same decision", decided_at, bundle)


async def _wish(tx: Connection, lease: Lease, leases: Leases, at: datetime, known_at: int) -> Wish | None:
    noun, _, name = lease.basis_ref.partition(":")
    if noun == "permit":
        facts = await permit_facts(tx, PermitId(UUID(name)), at, known_at=known_at)
        found = {wish.key: wish for wish in permit_wishes(facts, at, leases)}
        return found.get(lease.key)
    if noun == "duty":
        person = await person_facts(tx, lease.person_id, at, known_at=known_at)
        for duty in person.duties:
            if f"{duty.role}:{duty.unit_id}" == name:
                cylinders = frozenset(await cylinders_of_unit(tx, duty.unit_id, at=at))
                return duty_wish(lease.person_id, duty, cylinders, at, leases)
        return None
    row = await tx.fetchrow(_SQL["find_request"], UUID(name))
    if row is None:
        return None
    request = request_of(row)
    facts_now = await cylinder_facts(tx, sorted(request.cylinders), at=at, known_at=known_at)
    points = len({fact.access_point_id for fact in facts_now.values()})
    return request_wish(request, row["decided_at"] or request.asked_at, points, leases)
