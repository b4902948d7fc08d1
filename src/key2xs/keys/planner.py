"""From the grants of a key's holder to the program the key should have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, KeySystemId, PersonId
from key2xs.core.sql import load_queries
from key2xs.grants.reads import HeldGrant, grants_of_holder
from key2xs.plant.service import cylinder_facts

from .carry import CannotCarry, GrantToCarry, KeyLimits, KeyPlan, plan_key
from .custody import Custody
from .port import KeyCapabilities, VendorRight
from .program import EMPTY_PROGRAM, Program
from .registry import right_of
from .types import StoredKey

_SQL = load_queries("key2xs.keys")

NOT_ENFORCED = "zone_not_enforced"
NO_LOCK = "no_lock_known"


class SystemSettings(Protocol):
    """What one key system's settings say about programs."""

    offline_expires_after: timedelta
    deliver_ahead: timedelta


@dataclass(frozen=True, slots=True)
class Wanted:
    """The program a key should have now, and why."""

    program: Program
    grants: tuple[GrantId, ...]
    cannot: dict[str, dict[str, Any]]
    plan_again_at: datetime | None
    holder: PersonId | None
    stale: tuple[str, ...] = ()
    """Bases whose grants rest on changed facts: decide them before relying on this."""
    at_most: Program | None = None
    """What may be written instead while nothing may widen."""

    @property
    def to_write(self) -> Program:
        """The program to bring the key to."""
        return self.program if self.at_most is None else self.at_most


class Planner:
    """Plans keys of all systems."""

    def __init__(self, custody: Custody, zone: ZoneInfo) -> None:
        """Rounding to a vendor's grid happens in the site's time zone."""
        self._custody, self._zone = custody, zone

    async def plan(
        self,
        tx: Connection,
        key: StoredKey,
        capabilities: KeyCapabilities,
        *,
        offline_expires_after: timedelta,
        deliver_ahead: timedelta,
        at: datetime,
    ) -> Wanted:
        """Plan one key. A key without holder, blocked or deleted gets the empty program."""
        holder = await self._custody.holder_at(tx, key.id, at)
        if holder is None or key.blocked_at is not None or key.deleted:
            return Wanted(EMPTY_PROGRAM, (), {}, None, holder)
        grants = await grants_of_holder(tx, holder, at, at + deliver_ahead)
        locks, cannot = await self._locks(tx, key.system_id, grants, at)
        asked = [
            GrantToCarry(str(g.id), locks[g.id], g.starts_at, g.ends_at)
            for g in grants
            if locks.get(g.id) and not g.stale
        ]
        catalogue = await self.catalogue(tx, key.system_id)
        plan = plan_key(
            asked, catalogue, _limits(capabilities, self._zone, offline_expires_after, deliver_ahead), at=at
        )
        return _wanted(plan, grants, cannot, holder)

    async def catalogue(self, tx: Connection, system_id: KeySystemId) -> list[VendorRight]:
        """Return the rights of a key system."""
        return [right_of(row) for row in await tx.fetch(_SQL["rights_of_system"], system_id)]

    async def _locks(
        self, tx: Connection, system_id: KeySystemId, grants: Sequence[HeldGrant], at: datetime
    ) -> tuple[dict[GrantId, frozenset[str]], dict[str, dict[str, Any]]]:
        """Return each grant's locks in this system, leaving out zones that are not enforced yet."""
        wanted = sorted({c for grant in grants for c in grant.cylinders})
        facts = await cylinder_facts(tx, wanted, at=at)
        by_cylinder: dict[CylinderId, str] = {
            row["cylinder_id"]: row["external_id"]
            for row in await tx.fetch(_SQL["locks_of_cylinders"], system_id, wanted)
        }
        locks: dict[GrantId, frozenset[str]] = {}
        cannot: dict[str, dict[str, Any]] = {}
        for grant in grants:
            enforced = {c for c in grant.cylinders if c in facts and facts[c].zone_mode == "enforce"}
            here = {c for c in enforced if c in by_cylinder}
            locks[grant.id] = frozenset(by_cylinder[c] for c in here)
            watched = grant.cylinders - enforced
            if watched:
                cannot[str(grant.id)] = {"why": NOT_ENFORCED, "cylinders": [str(c) for c in sorted(watched)]}
        return locks, cannot


def _limits(
    capabilities: KeyCapabilities, zone: ZoneInfo, offline_expires_after: timedelta, deliver_ahead: timedelta
) -> KeyLimits:
    longest = capabilities.max_offline_expiry
    return KeyLimits(
        grid=capabilities.grid,
        zone=ZoneInfo(capabilities.time_zone) if capabilities.time_zone else zone,
        free_slots=capabilities.program_slots,
        offline_expires_after=min(offline_expires_after, longest) if longest is not None else None,
        deliver_ahead=deliver_ahead,
    )


def _wanted(
    plan: KeyPlan, grants: Sequence[HeldGrant], cannot: Mapping[str, dict[str, Any]], holder: PersonId
) -> Wanted:
    problems = dict(cannot)
    problems.update({grant: _cannot_json(why) for grant, why in plan.cannot.items()})
    return Wanted(
        program=plan.program,
        grants=tuple(GrantId(g.id) for g in grants if str(g.id) in plan.carried),
        cannot=problems,
        plan_again_at=plan.plan_again_at,
        holder=holder,
        stale=tuple(sorted({g.unit for g in grants if g.stale})),
    )


def _cannot_json(cannot: CannotCarry) -> dict[str, Any]:
    return {"why": str(cannot.why), "locks": sorted(cannot.locks)}
