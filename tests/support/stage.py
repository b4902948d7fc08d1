"""A stage that is set once a run and copied for every history, and a product on it that can die and start again."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import uvloop

from key2xs.core.crash import SimulatedCrash
from key2xs.core.ids import PersonId
from key2xs.core.postgres import RoleDsns
from key2xs_twin.physics import Physics
from key2xs_twin.world import World

from .database import DatabaseServer
from .spine import Spine, open_spine
from .tiny import TinySite, tiny_site

PEOPLE = ("u1", "u2", "u3", "u4")


@dataclass(frozen=True)
class Prepared:
    """A database with the tiny site and its people in it, to be copied, and the files that belong to it."""

    database: str
    folder: Path
    at: datetime
    persons: dict[str, PersonId]
    scim_ids: dict[str, str]


_PREPARED: dict[tuple[int, Callable[[], TinySite]], Prepared] = {}


async def prepared_stage(
    databases: DatabaseServer, at: datetime, site: Callable[[], TinySite] = tiny_site
) -> Prepared:
    """Return the run's prepared stage of a site, setting it at first use."""
    found = _PREPARED.get((id(databases), site))
    if found is None:
        database, dsns = databases.create()
        folder = Path(tempfile.mkdtemp(prefix="key2xs-stage-"))
        found = _PREPARED[id(databases), site] = await _prepare(database, dsns, folder, at, site())
    return found


async def _prepare(database: str, dsns: RoleDsns, folder: Path, at: datetime, site: TinySite) -> Prepared:
    async with open_spine(dsns, folder, at, site=site) as spine:
        for ref in PEOPLE:
            await spine.person(ref)
        await spine.settle()
        return Prepared(database, folder, at, dict(spine.persons), dict(spine.scim_ids))


@dataclass
class Stage:
    """Product and twin on a copy of the prepared stage. `crash` ends the product as a power cut would."""

    dsns: RoleDsns
    folder: Path
    prepared: Prepared
    world: World
    vendor: httpx2.AsyncBaseTransport | None = None
    site: TinySite = field(default_factory=tiny_site)
    iloq: Mapping[str, Any] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)
    _spine: Spine | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def spine(self) -> Spine:
        """The product as it runs now."""
        assert self._spine is not None
        return self._spine

    async def start(self) -> Spine:
        """Start the product; the twin and the people's systems have gone on meanwhile."""
        before, self._open = self._spine, AsyncExitStack()
        at = before.now if before else self.prepared.at
        opening = open_spine(
            self.dsns,
            self.folder,
            at,
            site=self.site,
            world=self.world,
            vendor=self.vendor,
            prepared=True,
            iloq=self.iloq,
        )
        self._spine = spine = await self._open.enter_async_context(opening)
        if before is None:
            spine.persons.update(self.prepared.persons)
            spine.scim_ids.update(self.prepared.scim_ids)
        else:
            spine.persons, spine.scim_ids = before.persons, before.scim_ids
            spine.ptw.sender.queue, spine.ptw.sender.chaos = before.ptw.sender.queue, before.ptw.sender.chaos
            before.ptw.sender, spine.ptw = spine.ptw.sender, before.ptw
        return spine

    async def stop(self) -> None:
        """End the product in good order."""
        await self._open.aclose()

    async def crash(self) -> Spine:
        """End the product without a word to anybody, and start it again."""
        installation = self.spine.installation
        # With its connections gone it can neither sign out at the vendor nor tidy up.
        await installation.services.database.close()
        await installation.log_database.close()
        with contextlib.suppress(Exception):
            await self._open.aclose()
        return await self.start()

    async def surely(self, act: Callable[[Spine], Awaitable[Any]]) -> Any:
        """Carry an act out; when the product dies over it, the caller sees no answer and asks again."""
        while True:
            try:
                return await act(self.spine)
            except SimulatedCrash as crash:
                self.crashes.append(str(crash))
                await self.crash()

    async def send(self) -> None:
        """Have the permit system send what is due; what met a dying product is sent again."""
        waiting = list(self.spine.ptw.sender.queue)
        try:
            await self.spine.send()
        except SimulatedCrash as crash:
            self.crashes.append(str(crash))
            await self.crash()
            self.spine.ptw.sender.queue = waiting
            await self.send()

    async def settle(self) -> None:
        """Settle; a simulated crash on the way is followed by a start, and by settling again."""
        while True:
            try:
                return await self.spine.settle()
            except SimulatedCrash as crash:
                self.crashes.append(str(crash))
                await self.crash()


@contextlib.asynccontextmanager
async def open_stage(
    databases: DatabaseServer,
    at: datetime,
    *,
    seed: int = 7,
    physics: Physics | None = None,
    vendor: Any = None,
    site: Callable[[], TinySite] = tiny_site,
    iloq: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stage]:
    """Copy the prepared stage and start the product on it.

    Args:
        databases: the run's server.
        at: when the stage was set; always the same in one run.
        seed: of the twin.
        physics: of the twin.
        vendor: makes the way to the key system from the twin.
        site: what is on the stage.
        iloq: more settings of the iLOQ system.
    """
    prepared, made = await prepared_stage(databases, at, site), site()
    folder = Path(tempfile.mkdtemp(prefix="key2xs-history-"))
    shutil.copytree(prepared.folder, folder, dirs_exist_ok=True)
    try:
        with databases.fresh(prepared.database) as dsns:
            world = World(seed, at, physics=physics, site=made.iloq, cliq=made.cliq)
            stage = Stage(dsns, folder, prepared, world, vendor(world) if vendor else None, made, iloq or {})
            await stage.start()
            try:
                yield stage
            finally:
                await stage.stop()
    finally:
        shutil.rmtree(folder)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of its own, from a test that is not a coroutine."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
