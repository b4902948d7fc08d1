"""Weeks and months of a site's life: shifts come and go, keys are programmed, carried, held to locks, forgotten and found.

Nobody watches here, so the vendor's administrator gives the rights at the beginning of each shift. What a day holds:

* whoever comes on shift gets a program for the shift, on a phone by air, on a fob at the FobApp, on a CLIQ key at an updater
* everybody walks round and opens; now and then somebody tries a lock that is not his
* some phones lose the network for an hour; each day one key stays in a drawer until its holder's next shift
* once a week a share of the locks and cylinders is read
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from key2xs_twin.devices.kinds import KeyKind
from key2xs_twin.physics import Physics
from key2xs_twin.site import generate_site
from key2xs_twin.site.ids import uuid_of
from key2xs_twin.world import World

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import date
    from uuid import UUID

    from key2xs_twin.site import Site
    from key2xs_twin.site.model import Sizes

TEAMS = 5  # for three shifts a day: a fifth of the keys is out at a time
OPENINGS = (3, 9)  # of one person on one shift
POINTS_OF_A_SHIFT = 4  # rights that somebody gets for a shift
NOT_HIS = 0.03  # share of attempts at a lock that is not his
NETWORK_LOST = 0.02  # share of phones on a shift
OFFLINE_S = 10 * 3600
CLIQ_MINUTES = 720
READ_EACH_WEEK = 0.1  # share of locks
MOST_BEFORE = timedelta(minutes=20)  # how long before the shift somebody's key is programmed
SECONDS_OF_A_WALK = 60  # between the programming and the first door


@dataclass(slots=True)
class Life:
    """Lives on a site whose world stands at local midnight; the same site and seed live the same life."""

    world: World
    site: Site
    _acts: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list, init=False)
    _rng: random.Random = field(init=False)
    _iloq: list[UUID] = field(init=False)
    _cliq: list[UUID] = field(init=False)
    _updaters: list[UUID] = field(init=False)
    _rights: list[tuple[UUID, tuple[UUID, ...]]] = field(init=False)
    _locks: list[UUID] = field(init=False)
    _cylinders: list[UUID] = field(init=False)

    def __post_init__(self) -> None:
        world, site = self.world, self.site
        self._rng = world.rng.stream("life")
        self._iloq = [uuid_of(key.id) for key in site.keys if key.purpose in {"personal", "pool"}]
        self._cliq = [uuid_of(key.id) for key in site.cliq_keys if key.kind != "normal"]
        self._updaters = [uuid_of(each.id) for each in site.updaters if each.kind == "wall"]
        self._rights = [
            (uuid_of(right.id), tuple(uuid_of(each) for each in right.cylinder_ids))
            for right in site.rights
            if right.api
        ]

        self._locks, self._cylinders = list(world.locks), list(world.cliq_field.cylinders)

    def live(self, days: int) -> None:
        """Live so many days."""
        zone = ZoneInfo(self.site.time_zone)
        first = self.world.now.astimezone(zone).date()
        for number in range(days):
            self._live_day(first + timedelta(days=number), zone, number)

    def _live_day(self, day: date, zone: ZoneInfo, number: int) -> None:
        begins = [datetime(day.year, day.month, day.day, hour, tzinfo=zone) for hour in (7, 15, 23)]
        for shift, begin in enumerate(begins):
            self._come_on_shift(begin.astimezone(UTC), (number * 3 + shift) % TEAMS)
        if number % 7 == 6:
            self._read_locks(begins[0].astimezone(UTC))
        acts, self._acts = sorted(self._acts, key=lambda each: each[:2]), []
        for at, _, act in acts:
            self.world.advance_to(
                max(at, self.world.now)
            )  # who comes early for the morning does so when it is day
            act()

    def _come_on_shift(self, begin: datetime, team: int) -> None:
        rng = self._rng
        drawer = rng.randrange(len(self._iloq))
        for index in range(team, len(self._iloq), TEAMS):
            if index != drawer:
                self._shift_of_an_iloq_key(begin, self._iloq[index])
        for index in range(team, len(self._cliq), TEAMS):
            self._shift_of_a_cliq_key(begin, self._cliq[index])

    def _shift_of_an_iloq_key(self, begin: datetime, key_id: UUID) -> None:
        rng, world = self._rng, self.world
        kind = world.keys[key_id].kind
        given = rng.sample(self._rights, POINTS_OF_A_SHIFT)
        at = begin - MOST_BEFORE * rng.random()
        rights = [right for right, _ in given]

        def program() -> None:
            expires = None if kind is KeyKind.METAL else OFFLINE_S
            world.out_of_band.change_rights(key_id, rights, offline_expiration_seconds=expires)
            world.out_of_band.order(key_id)
            if kind is not KeyKind.PHONE:
                world.sync(key_id)

        self._plan(at, program)
        self._walk(at, key_id, [lock for _, locks in given for lock in locks], self._locks)
        if kind is KeyKind.PHONE and rng.random() < NETWORK_LOST:
            self._plan(begin + timedelta(hours=1), partial(world.cut_network, key_id))
            self._plan(begin + timedelta(hours=2), partial(world.restore_network, key_id))

    def _shift_of_a_cliq_key(self, begin: datetime, key_id: UUID) -> None:
        rng, world = self._rng, self.world
        given = rng.sample(self._cylinders, POINTS_OF_A_SHIFT)
        at = begin - MOST_BEFORE * rng.random()
        updater = rng.choice(self._updaters)

        def program() -> None:
            world.cliq_out_of_band.change_plan(key_id, given, revalidation_minutes=CLIQ_MINUTES)
            world.cliq_out_of_band.send(key_id)
            world.present_at_updater(key_id, updater)

        self._plan(at, program)
        self._walk(at, key_id, given, self._cylinders)

    def _walk(self, begin: datetime, key_id: UUID, his: Sequence[UUID], every: Sequence[UUID]) -> None:
        rng = self._rng
        for _ in range(rng.randint(*OPENINGS)):
            lock_id = rng.choice(every if rng.random() < NOT_HIS else his)
            at = begin + timedelta(seconds=SECONDS_OF_A_WALK + rng.randrange(8 * 3600))
            self._plan(at, partial(self.world.present, key_id, lock_id))

    def _read_locks(self, begin: datetime) -> None:
        world = self.world
        every = [*self._locks, *self._cylinders]
        for lock_id in self._rng.sample(every, int(len(every) * READ_EACH_WEEK)):
            at = begin + timedelta(seconds=self._rng.randrange(8 * 3600))
            self._plan(at, partial(world.programmer_visit, lock_id))

    def _plan(self, at: datetime, act: Callable[[], object]) -> None:
        self._acts.append((at, len(self._acts), act))


def live_days(size: str | Sizes, seed: int, days: int, *, exact: bool = False) -> World:
    """Make a site's world at the midnight before its rota, and live."""
    site = generate_site(size, seed)
    midnight = datetime.combine(site.first_day, time.min, ZoneInfo(site.time_zone)).astimezone(UTC)
    physics = Physics.exact() if exact else Physics()
    world = World(seed, midnight, physics=physics, site=site.iloq_inventory(), cliq=site.cliq_inventory())
    Life(world, site).live(days)
    return world
