"""The whole product and the whole twin in one process, stepped by hand.

Time stands still until a test moves it. `settle` steps every loop until nothing is due and the log is read to its
end, so that a test never waits and never races.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx2

from key2xs.app import followers
from key2xs.connectors.iloq.connector import IloqConnector
from key2xs.core.clock import Clock, ManualClock
from key2xs.core.ids import CylinderId, KeyId, PersonId
from key2xs.core.loops import Loop, heeds, was_idle
from key2xs.core.outside import CliqSystem, KeySystemSettings
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings, parse_settings
from key2xs.identity.scim.app import scim_app
from key2xs.installation import Dsns, Installation, open_installation
from key2xs.keys.types import StoredKey
from key2xs.ledger.readers import read_entries, readers_behind
from key2xs.ledger.sequencer import Sequencer
from key2xs.plant.importer import import_csv
from key2xs.plant.service import get_cylinder, list_zones, set_zone_mode
from key2xs.services import Services
from key2xs.work.webhook import Webhook
from key2xs_twin import cliq
from key2xs_twin.clients.permits import Member, Permit
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.scim import EntraClient, ScimPerson
from key2xs_twin.clients.webhook import WebhookSender, make_secret
from key2xs_twin.iloq.edge import transport
from key2xs_twin.world import World

from .tiny import AREA, UNIT, TinySite, asset_of, tiny_site, twin_id

SCIM_TOKEN = "a-long-enough-token-for-tests"
WEBHOOK_SECRET = make_secret(b"k" * 24)
MOST_STEPS = 5_000
QUALIFIED = ("VCA_BASIC", "SITE_INDUCTION", "LOTO")


@dataclass
class Spine:
    """Product and twin, and the people who use them."""

    installation: Installation
    world: World
    clock: ManualClock
    webhook: Webhook
    scim: EntraClient
    ptw: PermitSystem
    persons: dict[str, PersonId] = field(default_factory=dict)
    scim_ids: dict[str, str] = field(default_factory=dict)
    _due: dict[str, datetime | None] = field(default_factory=dict)
    _heard: int = 0

    @property
    def services(self) -> Services:
        """The product's services."""
        return self.installation.services

    @property
    def now(self) -> datetime:
        """Domain time."""
        return self.clock.now()

    async def settle(self) -> None:
        """Step loops until nothing is due at the present instant, as the runner does.

        Stepped is who is due, whom new entries concern and who follows a step that found work; a loop that is missing
        here would be missing in the product, too, until its poll.
        """
        waking = followers(self.installation)
        # Leases between workers run by real time, of which no due instant tells: reconcilers always look.
        woken = {name for name in self._names() if name not in self._due or name.startswith("reconciler:")}
        for _ in range(MOST_STEPS):
            woken |= {name for name, due in self._due.items() if due is not None and due <= self.now}
            woken |= await self._concerned()
            if not woken and await self._log_is_read():
                return
            woken.add(Sequencer.name)
            for loop in self.installation.loops:
                if loop.name in woken:
                    woken.discard(loop.name)
                    if await self._step(loop):
                        woken.add(loop.name)
                    if not was_idle(loop):
                        woken.update(waking.get(loop.name, ()))
            woken.discard(Sequencer.name)
        message = f"not quiet after {MOST_STEPS} rounds"
        raise AssertionError(message)

    async def settle_distrusting(self) -> list[str]:
        """Settle, then step every loop that slept; return what they slept over.

        That is the kinds of entries they still had to write, and loops that would have come too late.
        """
        await self.settle()
        before, told = await self._end(), dict(self._due)
        await self._settle_all()
        async with self.services.database.read() as tx:
            entries = await read_entries(tx, before, MOST_STEPS)
        late = [
            f"{name} comes at {told.get(name)}, should at {due}"
            for name, due in self._due.items()
            if due is not None and ((known := told.get(name)) is None or known > due)
        ]
        self._due = told
        return [entry.kind for entry in entries] + late

    async def _settle_all(self) -> None:
        for _ in range(MOST_STEPS):
            busy = [loop.name for loop in self.installation.loops if await self._step(loop)]
            if not busy and await self._log_is_read():
                return
        message = f"not quiet after {MOST_STEPS} rounds"
        raise AssertionError(message)

    def _names(self) -> list[str]:
        return [loop.name for loop in self.installation.loops]

    async def _concerned(self) -> set[str]:
        """Name the loops that entries since the last look may concern."""
        async with self.services.database.read() as tx:
            entries = await read_entries(tx, self._heard, MOST_STEPS)
        if not entries:
            return set()
        self._heard = entries[-1].position + 1
        kinds = {entry.kind.rpartition(":")[0] for entry in entries}
        return {loop.name for loop in self.installation.loops if heeds(loop, kinds)}

    async def _end(self) -> int:
        async with self.services.database.read() as tx:
            return await tx.fetchval("SELECT coalesce(max(position) + 1, 0) FROM log_leaf") or 0

    async def _step(self, loop: Loop) -> bool:
        """Step one loop; True when it has more to do now."""
        self._due.pop(loop.name, None)  # one that breaks off is stepped again, whatever it said before
        due = self._due[loop.name] = await loop.step(self.now)
        return due is not None and due <= self.now

    async def advance(self, by: timedelta, *, every: timedelta = timedelta(seconds=20)) -> None:
        """Move time in steps, the twin first, settling the product at each."""
        await self.advance_to(self.now + by, every=every)

    async def advance_to(self, to: datetime, *, every: timedelta = timedelta(seconds=20)) -> None:
        """Move time to an instant in steps, the twin first, settling the product at each."""
        while self.now < to:
            step = min(self.now + every, to)
            self.world.advance_to(step)
            self.clock.advance_to(step)
            await self.settle()

    async def let_pass(self, seconds: float) -> None:
        """Let time pass for somebody who waits in the middle of a step: nobody in a test waits in earnest."""
        by = timedelta(seconds=seconds)
        self.world.advance_to(self.world.now + by)
        self.clock.advance_to(self.clock.now() + by)

    async def person(self, ref: str, **values: Any) -> PersonId:
        """Have the IAM provision somebody by SCIM."""
        given: dict[str, Any] = {
            "user_name": f"{ref}@example.org",
            "external_id": ref,
            "given_name": "Given",
            "family_name": f"Family-{ref}",
            "company": "v017",
            "contract_end": (self.now + timedelta(days=30)).date(),
        } | values
        self.scim_ids[ref] = await self.scim.create_user(ScimPerson(**given))
        async with self.services.database.read() as tx:
            found = await self.services.desk.identity.find_person(tx, "iam", ref)
        assert found is not None
        self.persons[ref] = found
        await self.qualify(ref)
        return found

    async def qualify(self, ref: str, kinds: Sequence[str] = QUALIFIED, *, days: int = 365) -> None:
        """Have the register of qualifications say what somebody may do."""
        rows = [
            {
                "person_scheme": "iam",
                "person_ref": ref,
                "kind": kind,
                "number": f"{kind}-{ref}",
                "valid_to": str((self.now + timedelta(days=days)).date()),
                "checked_at": "",
                "checked_by": "",
            }
            for kind in kinds
        ]
        report = await self.services.database.transact(
            lambda tx: self.services.desk.identity.import_csv(
                tx, "qualifications", rows, at=self.now, actor="user:setup"
            )
        )
        assert not report.errors, report.errors

    async def hand_out(self, stamp: str, ref: str) -> StoredKey:
        """Hand a key to somebody, in the product and in the twin."""
        async with self.services.database.transaction() as tx:
            key = await self.services.registry.get_key(tx, stamp)
            key = await self.services.custody.hand_out(
                tx, key.id, self.persons[ref], actor="user:desk", at=self.now
            )
        if UUID(key.external_id) in self.world.keys:  # a CLIQ key is booked by nobody but us
            self.world.hand_phone(UUID(key.external_id), ref)
        return key

    async def send(self) -> list[int]:
        """Have the permit system send what is due; returns the answers' status codes."""
        return [delivery.status for delivery in await self.ptw.flush(at=self.now)]

    async def live_permit(
        self,
        *markings: str,
        crew: Sequence[str],
        role: str = "performing_authority",
        type_: str = "cold_work",
        hours: float = 8,
    ) -> Permit:
        """Have a permit issued with everybody signed on, and let the product take it in."""
        permit = self.ptw.create(
            type_=type_,
            area=AREA,
            unit=UNIT,
            assets=[asset_of(marking) for marking in markings],
            valid_from=self.now,
            valid_to=self.now + timedelta(hours=hours),
            at=self.now,
            people=[Member(ref=ref, role=role, company="v017") for ref in crew],
        )
        self.ptw.approve(permit.id, by="u00411", at=self.now, role="issuing_authority")
        self.ptw.go_live(permit.id, by="u00411", at=self.now)
        for ref in crew:
            self.ptw.sign_on(permit.id, ref, at=self.now)
        answers = await self.send()
        assert set(answers) <= {202, 204}, answers
        await self.settle()
        return permit

    async def classes(self) -> dict[str, int]:
        """Return how many openings stand in which class."""
        return {
            row["class"]: row["n"]
            for row in await self.fetch("SELECT class, count(*) AS n FROM key_event GROUP BY 1")
        }

    async def states(self) -> list[str]:
        """Return the states of all grants."""
        return [row["state"] for row in await self.fetch("SELECT state FROM grant_lease ORDER BY id")]

    def try_open(self, stamp: str, marking: str) -> bool:
        """Present a key at a lock in the twin."""
        key = twin_id(f"key {int(stamp[1:])}")
        return self.world.present(key, twin_id(marking)).ok

    async def cylinder(self, marking: str) -> CylinderId:
        """Return the product's id of a cylinder."""
        async with self.services.database.read() as tx:
            return (await get_cylinder(tx, marking)).id

    async def who_can_open(self, marking: str) -> dict[str, Any]:
        """Return the product's answer about a cylinder, by stamp."""
        cylinder = await self.cylinder(marking)
        async with self.services.database.read() as tx:
            return {row.stamp: row for row in await self.services.openers.may_open(tx, cylinder, self.now)}

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Look into the database."""
        async with self.services.database.read() as tx:
            return list(await tx.fetch(sql, *arguments))

    async def _log_is_read(self) -> bool:
        async with self.services.database.read() as tx:
            if await tx.fetchval("SELECT count(*) FROM log_pending"):
                return False
            return not any((await readers_behind(tx)).values())


@asynccontextmanager
async def open_spine(
    dsns: RoleDsns,
    folder: Path,
    at: datetime,
    *,
    seed: int = 7,
    site: TinySite | None = None,
    enforce: bool = True,
    world: World | None = None,
    vendor: httpx2.AsyncBaseTransport | None = None,
    prepared: bool = False,
    iloq: Mapping[str, Any] | None = None,
    cliq: Mapping[str, Any] | None = None,
    wall: Clock | None = None,
) -> AsyncIterator[Spine]:
    """Open product and twin on a fresh database and import the tiny site.

    Args:
        dsns: the database's.
        folder: where the installation keeps its files.
        at: the domain's first instant.
        seed: of the twin.
        site: the tiny one if not given.
        enforce: set all security zones to *enforce* and let the connection write.
        world: a twin that exists already, after a restart of the product.
        vendor: leads to the key system in another way than straight into the twin.
        prepared: the database holds a site already; nothing is imported.
        iloq: more settings of the iLOQ system.
        cliq: more settings of the CLIQ system.
        wall: real time, where it is not to stand still.
    """
    site, is_new = site or tiny_site(), world is None
    world = world or World(seed, at, site=site.iloq, cliq=site.cliq)
    clock = ManualClock(at)
    settings = _settings(folder, site, iloq or {}, cliq or {})
    where = Dsns(app=dsns.app, log=dsns.log, read=dsns.read, vault=dsns.vault)
    async with open_installation(
        settings,
        where,
        clock,
        wall=wall or clock,
        transports=lambda system: vendor or _transport(system, world),
    ) as installation:
        services, desk = installation.services, installation.services.desk
        webhook = Webhook(services.database, desk, clock, settings)
        scim = scim_app(
            services.database,
            services.vault,
            clock,
            _authenticate,
            ledger=services.ledger,
            zone=settings.zone,
        )
        async with (
            EntraClient(
                "http://scim.test/scim/entra/v2",
                SCIM_TOKEN,
                httpx2.ASGITransport(app=cast("Any", scim)),
                flag=True,
            ) as client,
        ):
            sender = WebhookSender(
                "http://ptw.test/webhooks/ptw/eptw", [WEBHOOK_SECRET], transport=_WebhookTransport(webhook)
            )
            spine = Spine(installation, world, clock, webhook, client, PermitSystem(sender))
            for connected in installation.connected if wall is None else ():
                connected.budget._sleep = spine.let_pass
            if is_new:
                _skip_the_past(installation)
            if not prepared:
                await _import(spine, site, enforce=enforce)
            yield spine


def _skip_the_past(installation: Installation) -> None:
    """Let the log be read from the hour before: a new world has no past, and a week of it is 168 empty pages."""
    for connected in installation.connected:
        port: Any = connected.port
        if isinstance(port, IloqConnector):
            port._config = replace(port._config, events_back=timedelta(hours=1))


async def _import(spine: Spine, site: TinySite, *, enforce: bool) -> None:
    services = spine.services

    async def run(tx: Any) -> None:
        for kind, rows in site.files.items():
            if kind == "companies":
                report = await spine.services.desk.identity.import_csv(
                    tx, kind, rows, at=spine.now, actor="user:setup"
                )
            else:
                report = await import_csv(tx, services.ledger, kind, rows, at=spine.now, actor="user:setup")
            assert not report.errors, report.errors
        if enforce:
            for zone in await list_zones(tx):
                await set_zone_mode(
                    tx,
                    services.ledger,
                    zone.id,
                    mode="enforce",
                    actor="user:setup",
                    at=spine.now,
                    reason="test",
                )
            for connection in await services.connections.all(tx):
                await services.connections.switch(
                    tx, connection.id, writes=True, reason="test", actor="user:setup", at=spine.now
                )

    await services.database.transact(run)
    await spine.settle()


def _transport(system: KeySystemSettings, world: World) -> httpx2.AsyncBaseTransport:
    return cliq.transport(world) if isinstance(system, CliqSystem) else transport(world)


async def _authenticate(source: str, token: str) -> str | None:
    return f"scim:{source}" if token == SCIM_TOKEN else None


class _WebhookTransport(httpx2.AsyncBaseTransport):
    """Leads the permit system's posts to the product's receiver without a socket."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        answer = await self._webhook.receive("eptw", dict(request.headers), body)
        return httpx2.Response(answer.status, headers=dict(answer.headers or {}))


def _settings(folder: Path, site: TinySite, iloq: Mapping[str, Any], cliq: Mapping[str, Any]) -> Settings:
    account = site.iloq
    return parse_settings(
        {
            "site_code": "RTX",
            "data_dir": str(folder / "var"),
            "permits": [{"name": "eptw", "secrets": [WEBHOOK_SECRET]}],
            "scim": [{"name": "entra", "token": SCIM_TOKEN}],
            "cliq": [
                {
                    "name": "cliq",
                    "base_url": "http://cliq.test",
                    "client": site.cliq.client,
                    "secret": site.cliq.secret,
                    **cliq,
                }
            ]
            if site.cliq is not None
            else [],
            "iloq": [
                {
                    "name": "iloq",
                    "base_url": "http://iloq.test/iloqws",
                    "customer_code": account.customer_code,
                    "user_name": account.user_name,
                    "password": account.password,
                    "lock_group": str(account.lock_group_id),
                    **iloq,
                }
            ],
        }
    )


__all__ = ["KeyId", "Spine", "open_spine"]
