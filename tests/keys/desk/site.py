"""The tiny site with fobs instead of phones, two companies, and acts at its key desk in a line each."""

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, PersonId
from key2xs.core.outside import CabinetSource
from key2xs.core.secret import Secret
from key2xs.identity import Act, Duty
from key2xs.keys.desk import handing
from key2xs.keys.desk.cabinets.events import CabinetEvent
from key2xs.keys.desk.cabinets.taking import Taken, take_events
from key2xs.keys.desk.certainty import Custodian
from key2xs.keys.desk.parts import KeyDesk
from key2xs.keys.port import Inventory, KeyKind as PortKind, ProgrammingState, VendorKey
from key2xs.plant.service import list_units
from key2xs_twin.iloq.inventory import KeyKind
from key2xs_twin.world import World
from tests.support.spine import Spine, open_spine
from tests.support.tiny import TinySite, tiny_site, twin_id

PEOPLE = ("u1", "u2", "u3", "u4")
SECRET = "whsec_" + "C" * 43 + "="
CABINETS = CabinetSource("north", (Secret(SECRET),), "personnel_no")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def personnel_no(ref: str) -> str:
    """What stands on somebody's badge."""
    return f"0000{ref[1:]}"


def fob_site() -> TinySite:
    """The tiny site; its keys lie at the desk and go from hand to hand."""
    site = tiny_site()
    fobs = tuple(dataclasses.replace(key, kind=KeyKind.FOB, phone_no="", email="") for key in site.iloq.keys)
    return dataclasses.replace(site, iloq=dataclasses.replace(site.iloq, keys=fobs))


@dataclass
class Desk:
    """The product with its key desk, and the twin."""

    spine: Spine

    @property
    def parts(self) -> KeyDesk:
        """What acts at the desk need; it knows one system of cabinets."""
        return dataclasses.replace(self.spine.services.key_desk, cabinets=(CABINETS,))

    @property
    def now(self) -> datetime:
        """Domain time."""
        return self.spine.now

    def person(self, ref: str) -> PersonId:
        """Somebody."""
        return self.spine.persons[ref]

    def pass_time(self, by: timedelta) -> None:
        """Let time pass for the product alone, without stepping anything."""
        self.spine.clock.advance_to(self.now + by)

    async def do(self, act: Any) -> Any:
        """Do something in a transaction of its own."""
        return await self.spine.services.database.transact(act)

    async def key(self, stamp: str) -> KeyId:
        """The id of a key."""
        async with self.spine.services.database.read() as tx:
            return (await self.spine.services.registry.get_key(tx, stamp)).id

    async def hand_out(self, stamp: str, ref: str, *, actor: str = "user:desk", **more: Any) -> None:
        """Hand a key out over the counter."""
        key = await self.key(stamp)
        await self.do(
            lambda tx: handing.hand_out(
                tx, self.parts, key, self.person(ref), actor=actor, at=self.now, **more
            )
        )

    async def take_back(self, stamp: str) -> None:
        """Take a key back."""
        key = await self.key(stamp)
        await self.do(lambda tx: handing.take_back(tx, self.parts, key, actor="user:desk", at=self.now))

    async def holder(self, stamp: str, at: datetime | None = None) -> str | None:
        """Who has a key, by reference."""
        return self.ref((await self.custodian(stamp, at)).person_id)

    async def custodian(self, stamp: str, at: datetime | None = None) -> Custodian:
        """Who had a key, and how sure that is."""
        key = await self.key(stamp)
        async with self.spine.services.database.read() as tx:
            return await self.spine.services.custody.custodian_at(tx, key, at or self.now)

    async def spans(self, stamp: str) -> list[tuple[str | None, datetime, datetime | None]]:
        """Who had a key when, as known now."""
        rows = await self.spine.fetch(
            "SELECT person_id, lower(during) AS a, upper(during) AS b FROM key_custody"
            " WHERE key_id = $1 AND upper_inf(known) ORDER BY 2",
            await self.key(stamp),
        )
        return [(self.ref(row["person_id"]), row["a"], row["b"]) for row in rows]

    async def findings(self) -> list[str]:
        """The kinds of all open findings."""
        rows = await self.spine.fetch(
            "SELECT kind FROM key_finding WHERE settled_at IS NULL ORDER BY at, kind"
        )
        return [row["kind"] for row in rows]

    async def kinds(self, prefix: str) -> list[str]:
        """The kinds of all entries that begin so, in order."""
        rows = await self.spine.fetch(
            "SELECT kind FROM log_body WHERE kind LIKE $1 || '%' ORDER BY seq", prefix
        )
        return [row["kind"] for row in rows]

    def ref(self, person_id: PersonId | None) -> str | None:
        """Somebody's reference."""
        known = {person: ref for ref, person in self.spine.persons.items()}
        return known.get(person_id) if person_id else None

    def event(
        self, id_: str, kind: str, at: datetime, stamp: str | None = None, ref: str | None = None
    ) -> CabinetEvent:
        """What the cabinet tells."""
        who = personnel_no(ref) if ref in self.spine.persons else ref
        return CabinetEvent(id_, kind, at, "NORTH-1", "12", stamp, who)  # type: ignore[arg-type]

    async def tell(self, *events: CabinetEvent) -> list[Taken]:
        """Have the cabinet tell something, now."""

        async def work(tx: Connection) -> list[Taken]:
            return await take_events(tx, self.parts, CABINETS, events, self.now)

        found: list[Taken] = await self.do(work)
        return found

    async def on_duty(self, ref: str, starts: datetime, ends: datetime, role: str = "operator") -> None:
        """Put somebody on duty in the only unit."""

        async def work(tx: Connection) -> None:
            unit = (await list_units(tx))[0]
            duty = Duty(role, unit.id, starts, ends)
            await self.parts.identity.put_duty(tx, Act("user:setup", self.now), self.person(ref), duty)

        await self.do(work)

    async def second_system(self, stamps: Sequence[str]) -> None:
        """Connect another key system whose keys carry these stamps."""
        registry = self.spine.services.registry

        async def work(tx: Connection) -> None:
            system = await registry.ensure_system(tx, "cliq-main", "cliq", self.now)
            keys = tuple(
                VendorKey(f"cliq-{stamp}", stamp, PortKind.DYNAMIC, ProgrammingState.PROGRAMMED)
                for stamp in stamps
            )
            await registry.take_inventory(
                tx, system.id, Inventory(keys, (), (), self.now, visibility_complete=True), self.now
            )

        await self.do(work)


def open_desk(
    dsns: Any, folder: Path, at: datetime, *, prepared: bool = False
) -> AbstractAsyncContextManager[Spine]:
    """Open product and twin on the site with fobs."""
    site = fob_site()
    return open_spine(dsns, folder, at, site=site, world=World(7, at, site=site.iloq), prepared=prepared)


def fob(stamp: str) -> Any:
    """The twin's id of a key."""
    return twin_id(f"key {int(stamp[1:])}")
