"""What the tests of this room share: a world with a small plant and some people, and an independent permit system."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from key2xs.core.clock import ManualClock
from key2xs.core.database import Connection, Database
from key2xs.core.ids import PermitId, PersonId
from key2xs.core.vault import Vault
from key2xs.identity import Act, PersonStatement, Profile
from key2xs.work import Desk, Outcome, PermitFacts, permit_facts, receive_event
from key2xs_twin.clients.permits import Member, Permit
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import WebhookSender
from tests.plant.worlds import load

NIGHT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
SOURCE = "eptw"

PLANT = {
    "areas": "code,name\nCDU,Crude\nTANK,Tanks\n",
    "units": "code,name,area\nU1,Unit one,CDU\n",
    "zones": "code,name,criticality\nZ1,Cabinets,2\n",
    "assets": "scheme,id,name\nsap_floc,P-1,Pump\nsap_floc,P-2,Pump\nsap_floc,BARE,No lock\n",
    "access_points": "access_point_id,name,kind,area,unit\nAP1,One,cabinet,CDU,U1\nAP2,Two,cabinet,CDU,U1\n",
    "cylinders": (
        "cylinder_id,locking_system,vendor,access_point_id,online,security_zone\n"
        "c1,g,iloq,AP1,n,Z1\nc2,g,iloq,AP2,n,Z1\n"
    ),
    "asset_cylinders": "asset_scheme,asset_id,cylinder_id,role\nsap_floc,P-1,c1,content\nsap_floc,P-2,c2,content\n",
}


def after(minutes: float) -> datetime:
    """That many minutes after the night began."""
    return NIGHT + timedelta(minutes=minutes)


Change = Callable[[dict[str, Any]], dict[str, Any]]


def without(*path: str | int) -> Change:
    """Take a field out of an event, which then has an id of its own."""

    def change(event: dict[str, Any]) -> dict[str, Any]:
        changed, inner = _reach(event, path)
        del inner[path[-1]]
        return changed

    return change


def having(value: Any, *path: str | int) -> Change:
    """Put a value into an event, which then has an id of its own."""

    def change(event: dict[str, Any]) -> dict[str, Any]:
        changed, inner = _reach(event, path)
        inner[path[-1]] = value
        return changed

    return change


def _reach(event: dict[str, Any], path: tuple[str | int, ...]) -> tuple[dict[str, Any], Any]:
    changed: dict[str, Any] = json.loads(json.dumps(event))
    changed["id"] = f"{event['id']}-x"
    inner: Any = changed
    for name in path[:-1]:
        inner = inner[name]
    return changed, inner


@dataclass
class Outbox:
    """Stands where the permit system's webhook sender would: keeps what it is told."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def put(self, event: dict[str, Any], *, at: datetime) -> None:
        assert at.tzinfo
        self.events.append(event)


@dataclass
class World:
    """Everything a test of this room touches."""

    db: Database
    vault: Vault
    clock: ManualClock
    desk: Desk
    outbox: Outbox = field(default_factory=Outbox)

    def __post_init__(self) -> None:
        self.ptw = PermitSystem(cast("WebhookSender", self.outbox), site="SITEA")

    async def load_plant(self) -> None:
        for kind, text in PLANT.items():
            report = await load(self.db, self.desk.ledger, kind, text)
            assert report.ok, report.errors

    async def person(self, ref: str) -> PersonId:
        statement = PersonStatement("entra", Profile(display_name=ref), active=True, external_id=ref)
        async with self.db.transaction() as tx:
            act = Act("user:test", self.clock.now())
            result = await self.desk.identity.upsert_person_from_source(tx, act, statement)
        return result.person_id

    async def take(
        self, event: dict[str, Any] | bytes, *, at: datetime | None = None, source: str = SOURCE
    ) -> Outcome:
        """Receive one event, at its own time unless told otherwise."""
        if at is None:
            assert isinstance(event, dict)
            at = datetime.fromisoformat(event["time"])
        moment = at

        async def work(tx: Connection) -> Outcome:
            return await receive_event(tx, self.desk, source, event, moment)

        return await self.db.transact(work)

    async def take_all(self, events: Iterable[dict[str, Any]] | None = None) -> list[Outcome]:
        """Receive what the permit system told since the last time."""
        if events is None:
            events, self.outbox.events = self.outbox.events, []
        return [await self.take(event) for event in events]

    async def permit_id(self, permit: Permit | str) -> PermitId:
        name = permit if isinstance(permit, str) else permit.id
        async with self.db.read() as tx:
            return PermitId(await tx.fetchval("SELECT id FROM work_permit WHERE external_id = $1", name))

    async def facts(self, permit: Permit | str, at: datetime) -> PermitFacts:
        permit_id = await self.permit_id(permit)
        async with self.db.read() as tx:
            return await permit_facts(tx, permit_id, at)

    async def kinds(self, prefix: str = "work:") -> list[str]:
        async with self.db.read() as tx:
            rows = await tx.fetch("SELECT kind FROM log_body WHERE kind LIKE $1 ORDER BY seq", f"{prefix}%")
        return [row["kind"] for row in rows]

    def create(self, **more: Any) -> Permit:
        """Request a permit for pump P-1 from 18:00 to 06:00, with one worker."""
        values: dict[str, Any] = {
            "type_": "cold_work",
            "area": "CDU",
            "unit": "U1",
            "assets": ["P-1"],
            "valid_from": NIGHT,
            "valid_to": after(720),
            "at": NIGHT,
            "people": [Member(ref="u1", role="performing_authority")],
        }
        return self.ptw.create(**{**values, **more})

    def go_live(self, permit: Permit, *, at: datetime | None = None, **more: Any) -> None:
        self.ptw.approve(permit.id, by="aa", at=at or after(1))
        self.ptw.go_live(permit.id, by="ia", at=at or after(2), **more)

    async def live_permit(self, **more: Any) -> Permit:
        """A permit that is live and known."""
        permit = self.create(**more)
        self.go_live(permit)
        await self.take_all()
        return permit
