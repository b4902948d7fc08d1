"""People who walk and open: acts as data, named as people name things (stamps, markings), played at virtual times.

The same acts serve scripts in tests, the demo's scenario and the control interface.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from key2xs_twin.devices.things import Opening
    from key2xs_twin.world import World


class _Act(msgspec.Struct, frozen=True, tag_field="act", forbid_unknown_fields=True, kw_only=True):
    """Something somebody does. Things are named by what is printed on them, or by their vendor id."""


class Present(_Act, frozen=True, tag="present", kw_only=True):
    """Hold a key to a lock; a named person walks there first."""

    key: str
    lock: str
    person: str = ""


class Sync(_Act, frozen=True, tag="sync", kw_only=True):
    """Bring a key to the server: FobApp, programmer, or a phone's own network."""

    key: str


class CutNetwork(_Act, frozen=True, tag="cut_network", kw_only=True):
    """A phone or an online lock loses its network."""

    thing: str


class RestoreNetwork(_Act, frozen=True, tag="restore_network", kw_only=True):
    """The network is back."""

    thing: str


class HandOver(_Act, frozen=True, tag="hand_over", kw_only=True):
    """Give a key to a person; no book changes by that."""

    key: str
    person: str


class Lose(_Act, frozen=True, tag="lose", kw_only=True):
    """The holder no longer has the key; it goes on working."""

    key: str


class Move(_Act, frozen=True, tag="move", kw_only=True):
    """Walk to a place."""

    person: str
    place: str


class ProgrammerVisit(_Act, frozen=True, tag="programmer_visit", kw_only=True):
    """Somebody holds a programmer to a lock."""

    lock: str


class UnexplainedOpening(_Act, frozen=True, tag="unexplained_opening", kw_only=True):
    """A lock opens though nobody was let in: with a key in nobody's books (a row), or mechanically (no row)."""

    lock: str
    how: Literal["mechanical", "unknown_key"] = "unknown_key"


class SetClock(_Act, frozen=True, tag="set_clock", kw_only=True):
    """Make a device's clock wrong by so many seconds."""

    thing: str
    offset_s: float


class OutOfBand(_Act, frozen=True, tag="out_of_band", kw_only=True):
    """The vendor's administrator works behind the product's back; `what` says how, the rest as it needs."""

    what: Literal[
        "change_rights",
        "order",
        "change_lock_rights",
        "hand_to",
        "block",
        "unblock",
        "delete",
        "fail_programming",
    ]
    key: str = ""
    lock: str = ""
    person: str = ""  # external person id; empty: nobody
    rights: list[str] | None = None  # names or ids
    offline_expiration_seconds: int | None = None
    starts_lg: datetime | None = None
    ends_lg: datetime | None = None
    clear_dates: bool = False


Act: TypeAlias = (
    Present
    | Sync
    | CutNetwork
    | RestoreNetwork
    | HandOver
    | Lose
    | Move
    | ProgrammerVisit
    | UnexplainedOpening
    | SetClock
    | OutOfBand
)


@dataclass(frozen=True, slots=True)
class Done:
    """An act as it happened. `worked`: it opened, it reached the server; None where there is no yes or no."""

    at: datetime
    act: Act
    worked: bool | None = None
    opening: Opening | None = None


class NotFoundError(LookupError):
    """No key, lock, right or person has this name."""


class Directory:
    """Finds things in a world by stamp, marking, name or id; looks each time, so new things are found too."""

    def __init__(self, world: World) -> None:
        self._world = world

    def key(self, name: str) -> UUID:
        """A key by its stamp or its id."""
        records = self._world.iloq.state.keys
        found = _as_id(name)
        if found in records:
            return found
        return _only("key", name, (k for k, record in records.items() if record.stamp == name))

    def lock(self, name: str) -> UUID:
        """A lock by its marking or its id."""
        locks = self._world.locks
        found = _as_id(name)
        if found in locks:
            return found
        return _only("lock", name, (k for k, device in locks.items() if device.stamp == name))

    def thing(self, name: str) -> UUID:
        """A key or a lock."""
        try:
            return self.lock(name)
        except NotFoundError:
            return self.key(name)

    def right(self, name: str) -> UUID:
        """An access right by its name or its id."""
        rights = self._world.iloq.state.rights
        found = _as_id(name)
        if found in rights:
            return found
        return _only("right", name, (k for k, spec in rights.items() if spec.name == name))

    def person(self, name: str) -> UUID | None:
        """A person of the vendor's books by external id; None for an empty name."""
        if not name:
            return None
        persons = self._world.iloq.state.persons
        return _only("person", name, (k for k, spec in persons.items() if spec.external_person_id == name))

    def place_of(self, lock_id: UUID) -> str:
        """Where a lock is: its access point."""
        spec = self._world.iloq.state.locks[lock_id].spec
        return spec.description or spec.stamp


def perform(world: World, act: Act) -> Done:
    """Do one act at the world's present instant.

    NotFoundError names what does not exist; ValueError comes from the world for what cannot be done.
    """
    find = Directory(world)
    match act:
        case Present():
            lock_id = find.lock(act.lock)
            key_id = find.key(act.key)
            if act.person:
                world.move(act.person, find.place_of(lock_id))
            opening = world.present(key_id, lock_id)
            return Done(world.now, act, opening.ok, opening)
        case Sync():
            return Done(world.now, act, world.sync(find.key(act.key)))
        case UnexplainedOpening():
            opens = world.open_mechanically if act.how == "mechanical" else world.open_with_unknown_key
            opening = opens(find.lock(act.lock))
            return Done(world.now, act, opening.ok, opening)
        case OutOfBand():
            _out_of_band(world, find, act)
        case _:
            _simple(world, find, act)
    return Done(world.now, act)


def _simple(world: World, find: Directory, act: Act) -> None:
    match act:
        case CutNetwork():
            world.cut_network(find.thing(act.thing))
        case RestoreNetwork():
            world.restore_network(find.thing(act.thing))
        case HandOver():
            world.hand_phone(find.key(act.key), act.person)
        case Lose():
            world.lose(find.key(act.key))
        case Move():
            world.move(act.person, act.place)
        case ProgrammerVisit():
            world.programmer_visit(find.lock(act.lock))
        case SetClock():
            world.set_clock(find.thing(act.thing), timedelta(seconds=act.offset_s))


def _out_of_band(world: World, find: Directory, act: OutOfBand) -> None:
    admin = world.out_of_band
    rights = None if act.rights is None else [find.right(name) for name in act.rights]
    if act.what == "change_lock_rights":
        admin.change_lock_rights(find.lock(act.lock), rights or [])
        return
    key_id = find.key(act.key)
    if act.what == "change_rights":
        admin.change_rights(
            key_id,
            rights,
            offline_expiration_seconds=act.offline_expiration_seconds,
            starts_lg=act.starts_lg,
            ends_lg=act.ends_lg,
            clear_dates=act.clear_dates,
        )
    elif act.what == "hand_to":
        admin.hand_to(key_id, find.person(act.person))
    else:
        plain = {
            "order": admin.order,
            "block": admin.block,
            "unblock": admin.unblock,
            "delete": admin.delete,
            "fail_programming": admin.fail_programming,
        }
        plain[act.what](key_id)


@dataclass(slots=True)
class Scenario:
    """Acts that happen by themselves when the world's time reaches them; `done` tells what came of each."""

    SECONDS_BETWEEN_DOORS: ClassVar[int] = 40  # a walker does not open two locks at once

    world: World
    done: list[Done] = field(default_factory=list)

    def at(self, instant: datetime, act: Act) -> None:
        """Plan one act; an instant in the past means at once when time next moves."""

        def happen() -> None:
            self._do(act)

        self.world.time.at(instant, happen, name=type(act).__name__)

    def now(self, act: Act) -> Done:
        """Do one act now."""
        return self._do(act)

    def walk(self, person: str, key: str, stops: Iterable[tuple[datetime, str]]) -> None:
        """Plan a walk: at each instant the person stands at a lock and holds the key to it."""
        for instant, lock in stops:
            self.at(instant, Present(key=key, lock=lock, person=person))

    def rounds(
        self,
        person: str,
        key: str,
        locks: Sequence[str],
        *,
        begin: datetime,
        end: datetime,
        openings: int,
        seed: int,
    ) -> list[tuple[datetime, str]]:
        """Plan seeded rounds: so many openings of the given locks between two instants. Returns the stops."""
        rng = random.Random(f"{seed}/{person}/{key}")
        span = (end - begin).total_seconds()
        moments = sorted(rng.uniform(0, span) for _ in range(openings))
        stops: list[tuple[datetime, str]] = []
        earliest = 0.0
        for moment in moments:
            second = max(moment, earliest)
            if second >= span:
                break
            stops.append((begin + timedelta(seconds=int(second)), rng.choice(locks)))
            earliest = second + self.SECONDS_BETWEEN_DOORS
        self.walk(person, key, stops)
        return stops

    def openings(self) -> list[Opening]:
        """What truly happened at the locks in this scenario, in order."""
        return [done.opening for done in self.done if done.opening is not None]

    def _do(self, act: Act) -> Done:
        done = perform(self.world, act)
        self.done.append(done)
        return done


def _as_id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _only(kind: str, name: str, found: Iterable[UUID]) -> UUID:
    ids = list(found)
    if len(ids) != 1:
        raise NotFoundError(f"{len(ids) or 'no'} {kind}{'s' if len(ids) > 1 else ''} named {name!r}")
    return ids[0]
