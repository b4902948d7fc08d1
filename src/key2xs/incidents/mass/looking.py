"""Looking before an act on many: who and what is affected, what the safety rules say, how fast it could be.

Nothing changes by it. What was shown is kept with its digest, so that the act that follows can tell whether it would
reach anybody whom nobody has looked at.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.holding import Holding
from key2xs.grants.reach import STAYS_STOPPED, Scope, emergency_crew, people_of_scope, reach
from key2xs.grants.store import LeaseStore
from key2xs.incidents.inside import WaysOut
from key2xs.incidents.kill_types import at_work
from key2xs.keys.exposure_types import ExposureKind
from key2xs.keys.live import keys_with_ids
from key2xs.keys.many import ManyKey, follow_keys, keys_nobody_has, keys_of_many
from key2xs.keys.openers import Openers
from key2xs.ledger import Ledger

from .types import Changed, Exposures, Preview, SystemLoad, World

_SQL = load_queries("key2xs.incidents.mass")

CALLS_A_KEY: Final = 4  # read, write, order, read back; both connectors. An estimate, and shown as one.
MOST_EXPOSURES: Final = 200  # some two seconds; for more keys no latest instant is claimed

Shown = Mapping[str, Any]
"""What was shown, as stored."""


class Looks:
    """Looks, and keeps what was shown."""

    def __init__(
        self,
        ledger: Ledger,
        holding: Holding,
        ways_out: WaysOut,
        openers: Openers,
        *,
        wait: timedelta,
        rates: Mapping[str, float | None],
    ) -> None:
        """`wait`: how long people at work are waited for; `rates`: calls a second by key system, where one is set."""
        self._store, self._holding = LeaseStore(ledger), holding
        self._ways_out, self._openers, self._wait, self._rates = ways_out, openers, wait, rates

    async def world(self, tx: Connection, scope: Scope, at: datetime) -> World:
        """Return what an act would reach now; changes nothing.

        Raises:
            InvalidInput: the scope's id is none.
        """
        found = await reach(tx, scope, at)
        ending = tuple(each for each in found if not each.spared and each.state != "held" and each.part)
        # Only somebody on duty is ever the last holder on shift.
        on_duty = [each.id for each in ending if each.basis_ref.startswith("duty:")]
        leases = await self._store.find_open(tx, ids=on_duty) if on_duty else []
        last = [kept for kept in await self._holding.look(tx, leases, "person", at) if kept.rule == "S4"]
        keys = await _keys(tx, scope, {each.person_id for each in ending}, at)
        ends_standing = scope.kind in {"company", "everyone"}
        return World(
            ending=ending,
            spared=tuple(each for each in found if each.spared),
            held=tuple(each for each in found if each.state == "held" and not each.spared),
            keys=tuple(keys),
            standing=tuple(key for key in keys if key.standing) if ends_standing else (),
            last=frozenset(kept.lease.id for kept in last),
        )

    async def look(self, tx: Connection, scope: Scope, at: datetime) -> Preview:
        """Return everything that is shown before the act; changes nothing."""
        world = await self.world(tx, scope, at)
        parts = {each.id: each.part for each in world.ending}
        leases = await self._store.find_open(tx, ids=list(parts)) if parts else []
        kept = await self._holding.look(tx, leases, "two_people", at)
        working = await at_work(tx, world.persons, at)
        begins_at = at + self._wait if working else at
        return Preview(
            scope=scope,
            at=at,
            digest=digest_of(_shown(world)),
            world=world,
            kept=tuple(each for each in kept if each.cylinders & parts[each.lease.id]),
            at_work=tuple(working),
            waits_until=begins_at if working else None,
            inside=tuple(await self._ways_out.look(tx, leases, at)),
            systems=tuple(self._loads(world.keys)),
            exposures=await self._exposures(tx, world.keys, begins_at),
        )

    async def keep(self, tx: Connection, scope: Scope, world: World, at: datetime) -> str:
        """Keep what was shown, so that it can be told later what changed; returns its digest."""
        shown = _shown(world)
        digest = digest_of(shown)
        await tx.execute(_SQL["insert_look"], new_id(), scope.kind, scope.ref, at, digest, shown)
        return digest

    async def shown(self, tx: Connection, scope: Scope, digest: str) -> Shown:
        """Return what was shown under a digest.

        Raises:
            Conflict: nobody was shown that.
        """
        found: Shown | None = await tx.fetchval(_SQL["find_look"], scope.kind, scope.ref, digest)
        if found is None:
            raise Conflict(
                "it is not what was looked at, or nobody looked: look again, and go by what is shown then"
            )
        return found

    async def require_shown(
        self, tx: Connection, scope: Scope, digests: Sequence[str], at: datetime
    ) -> World:
        """Return the world, if all that the act would reach was shown under one of these digests.

        That something fell away since is no reason to wait: nobody is reached who was not looked at.

        Raises:
            Conflict: it would reach more; says what.
        """
        world = await self.world(tx, scope, at)
        if digest_of(_shown(world)) in digests:
            return world
        differences = [changed(world, await self.shown(tx, scope, digest)) for digest in digests]
        if any(not each.is_any for each in differences):
            return world
        raise Conflict(f"it changed since it was looked at: {differences[-1]}. Look again before it is done")

    async def since(
        self, tx: Connection, scope: Scope, digest: str, at: datetime
    ) -> tuple[World, str, Changed]:
        """Return the world now, what it is known by, and what it reaches that was not shown under a digest."""
        world = await self.world(tx, scope, at)
        return world, digest_of(_shown(world)), changed(world, await self.shown(tx, scope, digest))

    def _loads(self, keys: Sequence[ManyKey]) -> list[SystemLoad]:
        counts = Counter(key.system for key in keys if key.adopted)
        loads = []
        for system, number in sorted(counts.items()):
            calls, rate = number * CALLS_A_KEY, self._rates.get(system)
            least = timedelta(seconds=calls / rate) if rate else None
            loads.append(SystemLoad(system, number, calls, least))
        return loads

    async def _exposures(self, tx: Connection, keys: Sequence[ManyKey], at: datetime) -> Exposures:
        stored = await keys_with_ids(tx, [key.id for key in keys[:MOST_EXPOSURES]])
        found = [await self._openers.exposure_of(tx, key, at, as_if_revoked=True) for key in stored.values()]
        steps = await follow_keys(tx, list(stored), at)
        kinds = Counter(each.kind for each in found)
        ends = [each.at for each in found if each.at is not None]
        no_bound = kinds[ExposureKind.NO_BOUND]
        return Exposures(
            keys=len(keys),
            checked=len(found),
            proven=kinds[ExposureKind.PROVEN_END],
            bounded=kinds[ExposureKind.BOUND],
            no_bound=no_bound,
            latest=max(ends, default=None) if not no_bound and len(found) == len(keys) else None,
            as_of=min((step.read_at for step in steps if step.read_at is not None), default=None),
        )


def changed(world: World, shown: Shown) -> Changed:
    """Return what an act would reach now that was not shown."""
    grants = {
        each.id
        for each in world.ending
        if not {str(c) for c in each.part} <= set(shown["grants"].get(str(each.id), ()))
    }
    people = {str(each) for each in world.persons} - set(shown["people"])
    keys = {str(key.id) for key in world.keys} - set(shown["keys"])
    last = {str(each) for each in world.last} - set(shown["last"])
    return Changed(len(grants), len(people), len(keys), len(last))


def digest_of(shown: Shown) -> str:
    """Return what a look is known by: equal for equal people, grants, keys and last holders."""
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:32]


def stays_stopped(scope: Scope) -> bool:
    """Tell whether new grants stay refused after the act is finished, until two people lift that."""
    return scope.kind in STAYS_STOPPED


def _shown(world: World) -> dict[str, Any]:
    return {
        "grants": {str(each.id): sorted(str(c) for c in each.part) for each in world.ending},
        "people": sorted(str(each) for each in world.persons),
        "keys": sorted(str(key.id) for key in world.keys),
        "last": sorted(str(each) for each in world.last),
    }


async def _keys(tx: Connection, scope: Scope, persons: set[PersonId], at: datetime) -> list[ManyKey]:
    """Return the keys an act is about; never one for emergencies, and none of the emergency crew with *everyone*."""
    if scope.kind == "everyone":
        crew = await emergency_crew(tx, at)
        found = [*await keys_of_many(tx, None, at), *await keys_nobody_has(tx, at)]
        return [key for key in found if not key.emergency and key.person_id not in crew]
    about = persons | set(await people_of_scope(tx, scope, at))
    return [key for key in await keys_of_many(tx, about, at) if not key.emergency]
