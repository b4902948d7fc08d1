"""People who walk and open: acts as data, named as people name things (stamps, markings), played at virtual times.

The same acts serve scripts in tests, the demo's scenario and the control interface.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from key2xs_twin.cliq.deeds import CliqDeed, carry_out
from key2xs_twin.deed import Deed
from key2xs_twin.directory import Directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from key2xs_twin.devices.things import Opening
    from key2xs_twin.world import World


class Present(Deed, frozen=True, tag="present", kw_only=True):
    """Hold a key to a lock; a named person walks there first."""

    key: str
    lock: str
    person: str = ""


class Sync(Deed, frozen=True, tag="sync", kw_only=True):
    """Bring a key to the server: FobApp, programmer, or a phone's own network."""

    key: str


class CutNetwork(Deed, frozen=True, tag="cut_network", kw_only=True):
    """A phone or an online lock loses its network."""

    thing: str


class RestoreNetwork(Deed, frozen=True, tag="restore_network", kw_only=True):
    """The network is back."""

    thing: str


class HandOver(Deed, frozen=True, tag="hand_over", kw_only=True):
    """Give a key to a person; no book changes by that."""

    key: str
    person: str


class Lose(Deed, frozen=True, tag="lose", kw_only=True):
    """The holder no longer has the key; it goes on working."""

    key: str


class Move(Deed, frozen=True, tag="move", kw_only=True):
    """Walk to a place."""

    person: str
    place: str


class ProgrammerVisit(Deed, frozen=True, tag="programmer_visit", kw_only=True):
    """Somebody holds a programmer to a lock."""

    lock: str


class UnexplainedOpening(Deed, frozen=True, tag="unexplained_opening", kw_only=True):
    """A lock opens though nobody was let in: with a key in nobody's books (a row), or mechanically (no row)."""

    lock: str
    how: Literal["mechanical", "unknown_key"] = "unknown_key"


class SetClock(Deed, frozen=True, tag="set_clock", kw_only=True):
    """Make a device's clock wrong by so many seconds."""

    thing: str
    offset_s: float


class ChangeBattery(Deed, frozen=True, tag="change_battery", kw_only=True):
    """A new battery in an iLOQ lock or a CLIQ key: its clock stands until somebody sets it."""

    thing: str


class InstallDstPackage(Deed, frozen=True, tag="install_dst_package", kw_only=True):
    """An installer puts rules for clock changes into an iLOQ lock: those of a time zone, right or wrong."""

    lock: str
    zone: str


class OutOfBand(Deed, frozen=True, tag="out_of_band", kw_only=True):
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
    | ChangeBattery
    | InstallDstPackage
    | OutOfBand
    | CliqDeed
)


@dataclass(frozen=True, slots=True)
class Done:
    """An act as it happened. `worked`: it opened, it reached the server; None where there is no yes or no."""

    at: datetime
    act: Act
    worked: bool | None = None
    opening: Opening | None = None


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
        case Move() | CutNetwork() | RestoreNetwork() | HandOver() | Lose() | ProgrammerVisit() | SetClock():
            _simple(world, find, act)
        case ChangeBattery():
            world.change_battery(find.thing(act.thing))
        case InstallDstPackage():
            world.install_dst_package(find.lock(act.lock), act.zone)
        case _:
            worked, cliq_opening = carry_out(world, find, act)
            return Done(world.now, act, worked, cliq_opening)
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
