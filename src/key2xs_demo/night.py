"""The night under way: everything an act may use, and the timetable of acts still to come."""

import heapq
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol, TypeAlias

from key2xs_twin.clients.permits import Member, Permit
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.scim import EntraClient
from key2xs_twin.clients.webhook import Delivery

from .cast import ZONE, Cast, Holder, Place
from .expectations import Book
from .product import JsonObject, Machine, Person
from .timekeeper import NeverQuiet, Timekeeper
from .twin import Twin

Do: TypeAlias = Callable[["Night"], Awaitable[None]]

ISSUER = "u00411"  # signs permits in the e-PTW; the identity system does not know everybody there
TAKEN = frozenset({202, 204})


class Watcher(Protocol):
    """Whoever shows what goes on."""

    def act(self, at: datetime, title: str) -> None:
        """An act begins."""
        ...

    def clock(self, at: datetime) -> None:
        """Domain time moved."""
        ...


@dataclass(order=True, slots=True)
class Planned:
    """One act of the timetable."""

    at: datetime
    number: int
    title: str = field(compare=False)
    do: Do = field(compare=False)


@dataclass
class Night:
    """What acts work with."""

    cast: Cast
    twin: Twin
    machine: Machine
    people: dict[str, Person]
    """Users who signed in, by the part they play: issuer, leader, security, second, ..."""
    ptw: PermitSystem
    scim: EntraClient
    book: Book
    time: Timekeeper
    watcher: Watcher
    persons: dict[str, str] = field(default_factory=dict)
    """Ids in the product by the identity system's reference."""
    scim_ids: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    """What users chose, by their sign-in name."""
    permits: dict[str, Permit] = field(default_factory=dict)
    """Permits by the part they play in the scenario."""
    exposures: list[JsonObject] = field(default_factory=list)
    answers: JsonObject = field(default_factory=dict)
    figures: JsonObject = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    """Seconds of real time from asking for a revocation to a product at rest."""
    _timetable: list[Planned] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)

    @property
    def now(self) -> datetime:
        """Domain time."""
        return self.time.now

    # --- the timetable -------------------------------------------------------------------------------------

    def plan(self, at: datetime, title: str, do: Do) -> None:
        """Put an act on the timetable; one whose time has passed comes next."""
        heapq.heappush(self._timetable, Planned(max(at, self.now), next(self._numbers), title, do))

    def plan_in(self, by: timedelta, title: str, do: Do) -> None:
        """Put an act on the timetable, so long from now."""
        self.plan(self.now + by, title, do)

    async def play_until(self, at: datetime) -> None:
        """Play what is planned up to an instant, and move there."""
        while self._timetable and self._timetable[0].at <= at:
            planned = heapq.heappop(self._timetable)
            await self.time.advance_to(planned.at)
            self.watcher.act(planned.at, planned.title)
            await self._play(planned)
            await self.time.settle()
        await self.time.advance_to(at)

    async def _play(self, planned: Planned) -> None:
        """Play one act. One that breaks off is an expectation that did not hold; the night goes on."""
        try:
            await planned.do(self)
        except NeverQuiet:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an act raises, the others still tell something
            name = planned.title.casefold().replace(" ", "-")
            self.book.check(
                f"plays-through:{name}", "the whole act", f"{type(error).__name__}: {error}", held=False
            )

    # --- what several acts do ------------------------------------------------------------------------------

    @contextmanager
    def revoking(self) -> Iterator[None]:
        """Measure how long a revocation takes in real time; whoever asks waits until the product is at rest."""
        began = time.monotonic()
        yield
        self.delays.append(time.monotonic() - began)

    async def send(self) -> list[Delivery]:
        """Have the permit system send what is due and let the product work it out."""
        sent = await self.ptw.flush(at=self.now)
        await self.time.settle()
        return sent

    async def issue(
        self,
        part: str,
        places: Sequence[Place],
        crew: Sequence[Holder],
        *,
        valid_to: datetime,
        valid_from: datetime | None = None,
        role: str = "performing_authority",
        type_: str = "cold_work",
    ) -> Permit:
        """Issue a permit with everybody signed on."""
        permit = self.ptw.create(
            type_=type_,
            area=places[0].area,
            unit=places[0].unit,
            assets=list(dict.fromkeys(place.asset for place in places)),
            valid_from=valid_from or self.now,
            valid_to=valid_to,
            at=self.now,
            people=[Member(ref=each.ref, role=role, company=each.person.company) for each in crew],
        )
        self.permits[part] = permit
        await self.bring_live(permit, crew)
        return permit

    async def bring_live(self, permit: Permit, crew: Sequence[Holder]) -> None:
        """Sign, issue and have the crew sign on."""
        self.ptw.approve(permit.id, by=ISSUER, at=self.now, role="area_authority")
        self.ptw.go_live(permit.id, by=ISSUER, at=self.now)
        for each in crew:
            self.ptw.sign_on(permit.id, each.ref, at=self.now)
        await self.send()

    async def hand_out(self, holder: Holder) -> None:
        """Hand a key over at the key desk: in the product and, from hand to hand, at the site."""
        person = self.persons[holder.ref]
        await self.people["leader"].post(f"/api/v1/keys/{holder.stamp}/hand-out", {"person": person})
        await self.twin.act("hand_over", key=holder.stamp, person=holder.ref)
        await self.time.settle()

    async def at_updater(self, holder: Holder, updater: str) -> bool:
        """Hold a CLIQ key to an updater until it lets go; whether it was updated."""
        found = await self.twin.act("present_at_updater", key=holder.stamp, updater=updater)
        await self.time.advance(timedelta(minutes=3))
        return bool(found["worked"])

    async def open(self, holder: Holder, place: Place) -> bool:
        """Walk to a lock and hold the key to it."""
        found = await self.twin.act("present", key=holder.stamp, lock=place.marking, person=holder.ref)
        return bool(found["worked"])

    async def key(self, holder: Holder) -> JsonObject:
        """Return what the product says of a key."""
        found: JsonObject = await self.machine.get(f"/api/v1/keys/{holder.stamp}")
        return found

    async def grants(self, holder: Holder, *states: str) -> list[JsonObject]:
        """Return a person's grants, those in some states if given, newest first."""
        query: dict[str, Any] = {"person": self.persons[holder.ref]}
        if states:
            query["state"] = list(states)
        found: list[JsonObject] = (await self.machine.get("/api/v1/grants", **query))["items"]
        return found

    async def states(self, holder: Holder) -> list[str]:
        """Return the states of a person's grants, newest first."""
        return [grant["state"] for grant in await self.grants(holder)]

    async def opener(self, holder: Holder, place: Place) -> JsonObject | None:
        """Return what the product says of one key at one lock, None when it says the key cannot open it."""
        answer = await self.machine.get(f"/api/v1/cylinders/{place.marking}/who-can-open")
        return next((each for each in answer["can_open"] if each["key"] == holder.stamp), None)

    async def permit_state(self, part: str) -> str:
        """Return the state of a permit as the product knows it."""
        found = await self.machine.get(f"/api/v1/permits/{self.permits[part].number}")
        return str(found["state"])


def at_site(at: datetime, form: str = "%H:%M") -> str:
    """Return an instant as a clock at the site shows it."""
    return at.astimezone(ZONE).strftime(form)
