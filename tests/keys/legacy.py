"""A site with a past: keys that carry rights from before Key2XS, on a product that has only looked so far."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from key2xs.core.ids import KeySystemId, ZoneId
from key2xs.keys.types import StoredKey
from key2xs.plant.service import list_zones, set_zone_mode
from key2xs_twin.iloq.inventory import KeyKind, RightType, SecurityAccessSpec
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine, open_spine
from tests.support.tiny import TinySite, tiny_site, twin_id

STANDARD = "right operators"
"""A right of the vendor's old kind that opens C3 and C5: it may be read, never sent."""


def legacy_site() -> TinySite:
    """K001 opens C1 and C3, K002 (a fob) C1 and C2 by one right, K003 nothing, K004 C3 and C5 by an old right."""
    site = tiny_site()
    iloq = site.iloq
    rights_of = {
        "K001": {twin_id("right C1"), twin_id("right C3")},
        "K002": {twin_id("right wide")},
        "K004": {twin_id(STANDARD)},
    }
    keys = tuple(
        replace(
            key,
            kind=KeyKind.FOB if key.stamp == "K002" else key.kind,
            security_access_ids=frozenset(rights_of.get(key.stamp, ())),
            programmed=key.stamp in rights_of,
            offline_expiration_seconds=0,
        )
        for key in iloq.keys
    )
    locks = tuple(
        replace(lock, security_access_ids=lock.security_access_ids | {twin_id(STANDARD)})
        if lock.stamp in {"C3", "C5"}
        else lock
        for lock in iloq.locks
    )
    old = SecurityAccessSpec(id=twin_id(STANDARD), name="Operators", type=RightType.STANDARD)
    made = replace(iloq, keys=keys, locks=locks, security_accesses=(*iloq.security_accesses, old))
    return TinySite(made, site.files)


@dataclass
class Legacy:
    """The site, and what people do to take it over."""

    spine: Spine
    make: ClassVar[Callable[[], TinySite]] = staticmethod(legacy_site)

    async def key(self, stamp: str) -> StoredKey:
        """Return a key."""
        async with self.spine.services.database.read() as tx:
            return await self.spine.services.registry.get_key(tx, stamp)

    async def system(self) -> KeySystemId:
        """Return the key system whose keys these are."""
        async with self.spine.services.database.read() as tx:
            return (await self.spine.services.registry.get_key(tx, "K001")).system_id

    async def write(self, *, on: bool = True) -> None:
        """Let the connection write, or not."""
        system = await self.system()
        async with self.spine.services.database.transaction() as tx:
            await self.spine.services.connections.switch(
                tx, system, writes=on, reason="test", actor="user:a", at=self.spine.now
            )
        await self.spine.settle()

    async def adopt_all(self, *, zone: ZoneId | None = None, settle: bool = True) -> UUID:
        """Adopt everything by a run."""
        system = await self.system()
        async with self.spine.services.database.transaction() as tx:
            run = await self.spine.services.adoption.start(
                tx, system, zone, started_by="user:a", confirmed_by="user:b", reason="test", at=self.spine.now
            )
        if settle:
            await self.spine.settle()
        return run

    async def zone(self, code: str) -> ZoneId:
        """Return a zone by its code."""
        async with self.spine.services.database.read() as tx:
            return next(zone.id for zone in await list_zones(tx) if zone.code == code)

    async def mode(self, code: str, mode: str, *, settle: bool = True) -> None:
        """Switch a zone's mode."""
        zone = await self.zone(code)
        async with self.spine.services.database.transaction() as tx:
            await set_zone_mode(
                tx, self.spine.services.ledger, zone, mode=mode,  # type: ignore[arg-type]
                actor="user:a", at=self.spine.now, reason="test",
            )  # fmt: skip
        if settle:
            await self.spine.settle()

    def planned(self, stamp: str) -> set[str]:
        """Return the names of the rights in the vendor's plan of a key."""
        state = self.spine.world.iloq.state
        plan = state.keys[twin_id(f"key {int(stamp[1:])}")].plan
        return {state.rights[right].name for right in plan.right_ids}

    def vendor(self) -> str:
        """Return everything the vendor holds about keys, byte for byte."""
        state = self.spine.world.iloq.state
        return repr(
            sorted(
                (str(k), repr(r.plan), repr(r.programmed), str(r.programming_state))
                for k, r in state.keys.items()
            )
        )

    def writes(self) -> int:
        """Return how many calls changed or ordered something at the vendor."""
        calls = self.spine.world.iloq.calls
        return sum(
            count for name, count in calls.items() if name.startswith(("PUT ", "POST Keys", "POST Black"))
        )

    async def standing(self, stamp: str) -> dict[str, Any]:
        """Return the standing rights of a key by name: why it ended, or None."""
        rows = await self.spine.fetch(
            "SELECT vendor_right.name, standing.why FROM key_standing AS standing "
            "JOIN key_key AS key ON key.id = standing.key_id "
            "JOIN key_right AS vendor_right ON vendor_right.external_id = standing.right_id "
            "WHERE key.stamp = $1 ORDER BY standing.since",
            stamp,
        )
        return {row["name"]: row["why"] for row in rows}

    async def wait(self, minutes: float, *, steps: int = 2) -> None:
        """Let time pass."""
        await self.spine.advance(timedelta(minutes=minutes), every=timedelta(minutes=minutes / steps))


L = TypeVar("L", bound=Legacy)


@dataclass(frozen=True)
class _Prepared:
    database: str
    folder: Path
    persons: dict[str, Any]
    scim_ids: dict[str, str]


_PREPARED: dict[tuple[int, bool, type[Legacy]], _Prepared] = {}


@asynccontextmanager
async def open_legacy(databases: DatabaseServer, *, adopted: bool = True) -> AsyncIterator[Legacy]:
    """Open the site: listed and read, all zones in *observe*, two people known.

    As on its first day: connected read-only and nothing adopted. Or with every key adopted and writing switched on.
    """
    async with open_legacy_of(Legacy, databases, adopted=adopted) as site:
        yield site


@asynccontextmanager
async def open_legacy_of(kind: type[L], databases: DatabaseServer, *, adopted: bool) -> AsyncIterator[L]:
    """Open the site of a make. The stage is set once a run and copied."""
    place = (id(databases), adopted, kind)
    if place not in _PREPARED:
        _PREPARED[place] = await _prepare(databases, kind, adopted=adopted)
    prepared = _PREPARED[place]
    folder = Path(tempfile.mkdtemp(prefix="key2xs-legacy-"))
    shutil.copytree(prepared.folder, folder, dirs_exist_ok=True)
    try:
        with databases.fresh(prepared.database) as dsns:
            async with open_spine(dsns, folder, START, site=kind.make(), prepared=True) as spine:
                spine.persons.update(prepared.persons)
                spine.scim_ids.update(prepared.scim_ids)
                await spine.settle()
                yield kind(spine)
    finally:
        shutil.rmtree(folder)


async def _prepare(databases: DatabaseServer, kind: type[Legacy], *, adopted: bool) -> _Prepared:
    name, dsns = databases.create()
    folder = Path(tempfile.mkdtemp(prefix="key2xs-legacy-"))
    async with open_spine(dsns, folder, START, site=kind.make(), enforce=False) as spine:
        for ref in ("u1", "u2"):
            await spine.person(ref)
        await spine.settle()
        if adopted:
            site = kind(spine)
            await site.adopt_all()
            await site.write()
        return _Prepared(name, folder, dict(spine.persons), dict(spine.scim_ids))
