"""An evening at the corner of the refinery, played in process: something of everything that the pages show.

The browser tests look at it, and `scripts/screenshots.py` takes its pictures of it.
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from argon2 import PasswordHasher
from litestar import Litestar

from key2xs.access import Access, make_user
from key2xs.api.app import create_app, stop_streams
from key2xs.core.ids import RequestId
from key2xs.core.postgres import RoleDsns
from key2xs.plant.service import get_cylinder
from key2xs.runtime import Runtime
from key2xs_twin.clients.permits import Member, Permit, Step
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import TinySite, twin_id

from .corner import AREA, UNIT, asset_of, corner

PASSWORD = "a sentence that is long enough"
MINUTE = timedelta(minutes=1)
# The permit system counts as silent after two and a half minutes.
HEARTBEAT = timedelta(minutes=2)

CREW = {
    "u1": "v017", "u2": "v017", "u3": "v022", "u4": "v022", "u5": "own", "u6": "own", "u7": "v022", "u8": "v017",
    "leader": "own", "issuer": "own", "deputy": "own",
}  # fmt: skip
HOLDERS = {"1041": "u1", "1042": "u2", "1043": "u3", "1044": "u4", "1045": "u5", "1046": "u6", "0307": "u7"}


@dataclass
class Showcase:
    """The site, its web application and who may sign in: `leader`, `issuer`, `auditor`, `admin`."""

    spine: Spine
    app: Litestar
    access: Access
    permits: dict[str, Permit] = field(default_factory=dict)
    MINUTE = MINUTE

    async def settle(self) -> None:
        """Let the product take in whatever was told."""
        await self.spine.send()
        await self.spine.settle()

    async def pass_time(self, by: timedelta) -> None:
        """Let time pass while the permit system gives signs of life."""
        until = self.spine.now + by
        while self.spine.now < until:
            await self.spine.advance(min(HEARTBEAT, until - self.spine.now), every=MINUTE)
            self.spine.ptw.heartbeat(at=self.spine.now)
            await self.spine.send()
        await self.spine.settle()

    def key_id(self, stamp: str) -> Any:
        """Return what the twin calls a key."""
        return twin_id(f"key {stamp}")

    def present(self, stamp: str, marking: str) -> bool:
        """Hold a key to a lock in the twin."""
        return self.spine.world.present(twin_id(f"key {stamp}"), twin_id(marking)).ok

    async def permit(
        self,
        name: str,
        *markings: str,
        crew: tuple[str, ...],
        hours: float = 8,
        steps: tuple[Step, ...] = (),
        absent: tuple[str, ...] = (),
        more: tuple[str, ...] = (),
    ) -> Permit:
        """Have a permit issued, with everybody signed on who is not absent."""
        ptw, now = self.spine.ptw, self.spine.now
        permit = ptw.create(
            type_="cold_work",
            area=AREA,
            unit=UNIT,
            assets=[*(asset_of(marking) for marking in markings), *more],
            valid_from=now,
            valid_to=now + timedelta(hours=hours),
            at=now,
            people=[
                Member(ref=ref, role="performing_authority", company=CREW.get(ref, "v017"))
                for ref in (*crew, *absent)
            ],
            steps=list(steps),
        )
        ptw.approve(permit.id, by="issuer", at=now, role="issuing_authority")
        ptw.go_live(permit.id, by="issuer", at=now)
        for ref in crew:
            ptw.sign_on(permit.id, ref, at=now)
        await self.settle()
        self.permits[name] = permit
        return permit


@asynccontextmanager
async def open_showcase(
    dsns: RoleDsns, folder: Path, *, start: datetime = START, site: TinySite | None = None
) -> AsyncIterator[Showcase]:
    """Open the site with its people, keys and accounts; nothing has happened yet."""
    async with open_spine(dsns, folder, start, site=site or corner()) as spine:
        settings = msgspec.structs.replace(spine.services.settings, site_name="Delta Refining")
        services = dataclasses.replace(spine.services, settings=settings)
        # Cheap on purpose: how hard passwords are to guess is tested elsewhere.
        access = Access(
            services.database, services.ledger, services.vault, services.clock, services.wall,
            hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
        )  # fmt: skip
        runtime = Runtime(runner=None, database=services.database)
        made = Showcase(spine, create_app(services, runtime, access), access)
        for ref, company in CREW.items():
            await spine.person(ref, company=company)
        for stamp, ref in HOLDERS.items():
            await spine.hand_out(stamp, ref)
        await _accounts(made)
        await made.pass_time(2 * MINUTE)
        yield made


async def play_evening(show: Showcase) -> None:
    """Play it: work, a refusal, a suspension out of contact, a lost key, an unexplained opening, requests."""
    spine = show.spine
    await show.permit(
        "pumps",
        "4711", "4712", "4713",
        crew=("u1", "u2"),
        hours=7.5,
        steps=(
            Step(id="10", seq=1, title="Rack out feeder 07", state="started", assets=[asset_of("4711"), asset_of("4712")]),
            Step(id="20", seq=2, title="Rack out feeder 08", state="authorised", assets=[asset_of("4713")]),
            Step(id="30", seq=3, title="Megger test", state="waiting", assets=[asset_of("4712")]),
        ),
    )  # fmt: skip
    await show.permit(
        "ups",
        "2218",
        "4711",
        crew=("u3", "u7"),
        absent=("u8",),
        hours=6,
        steps=(
            Step(
                id="10",
                seq=1,
                title="Replace batteries of UPS 1",
                state="started",
                assets=[asset_of("2218"), asset_of("4711")],
            ),
            Step(id="20", seq=2, title="Load test", state="waiting", assets=[asset_of("2218")]),
        ),
    )
    await show.permit(
        "analyser", "2210", crew=("u4",), absent=("u8",), hours=0.9, more=("RTX-CDU-2-AT-3101",)
    )
    await show.permit("valves", "5120", "5121", crew=("u5", "u6"), hours=5)
    await show.pass_time(4 * MINUTE)
    spine.world.sync(twin_id("key 0307"))  # the metal key was held to a programmer
    for stamp, marking in (
        ("1041", "4711"),
        ("1041", "4712"),
        ("1043", "4712"),
        ("1043", "2218"),
        ("1044", "2210"),
    ):
        show.present(stamp, marking)
    await show.pass_time(6 * MINUTE)
    spine.world.cut_network(twin_id("key 1043"))
    spine.ptw.suspend(show.permits["ups"].id, code="weather", at=spine.now)
    await show.settle()
    await show.pass_time(2 * MINUTE)
    show.present("1043", "4711")
    spine.world.open_with_unknown_key(twin_id("4712"))
    show.present("1041", "4712")
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, "1046")
        await spine.services.custody.block(
            tx, key.id, reason="lost at the jetty", actor="user:desk", at=spine.now
        )
    await ask(show, "approved_request", "u6", "AH-3", "Read the analyser before the shift change", 3)
    await ask(show, "emergency", "u5", "LB-17", "Steam leak at E-1105, valve has to be closed by hand", 0.75)
    await show.pass_time(4 * MINUTE)


async def ask(
    show: Showcase, kind: str, ref: str, point: str, reason: str, hours: float, *, by: str = "u6"
) -> RequestId:
    """Have somebody ask for access; `by` asks."""
    spine = show.spine
    async with spine.services.database.transaction() as tx:
        cylinder = await get_cylinder(tx, {"AH-3": "2210", "LB-17": "6003"}[point])
        return await spine.services.requests.ask(
            tx,
            kind=kind,  # type: ignore[arg-type]
            person_id=spine.persons[ref],
            requester_id=spine.persons[by],
            cylinders=[cylinder.id],
            access_points=1,
            starts_at=spine.now,
            ends_at=spine.now + timedelta(hours=hours),
            reason=reason,
            actor="user:desk",
            at=spine.now,
        )


async def _accounts(show: Showcase) -> None:
    spine = show.spine
    accounts: dict[str, tuple[str, str | None]] = {
        "leader": ("shift_leader", "leader"),
        "deputy": ("shift_leader", "deputy"),
        "issuer": ("permit_issuer", "issuer"),
        "auditor": ("auditor", None),
        "manager": ("security_manager", None),
        "admin": ("administrator", None),
        "unlinked": ("shift_leader", None),
    }
    async with spine.services.database.transaction() as tx:
        for login, (role, ref) in accounts.items():
            await show.access.users.make(
                tx,
                login=login,
                roles=[role],
                actor="system:setup",
                at=spine.now,
                person_id=spine.persons[ref] if ref else None,
                password=PASSWORD,
            )
        await make_user(
            tx, show.access, login="visitor", roles=["auditor"], at=spine.now, one_time_password=PASSWORD
        )


@asynccontextmanager
async def serve(app: Litestar) -> AsyncIterator[str]:
    """Serve an application on a free port of this machine; gives its URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    await server.ready.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        await stop_streams(app)
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """Says when it listens, and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    def install_signal_handlers(self) -> None:
        """Leave them to the test run."""
