"""The nouns of an act on many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

import asyncpg

from key2xs.core.ids import CylinderId, GrantId, KeyId, PersonId
from key2xs.grants.holding import Kept
from key2xs.grants.reach import Reached, Scope
from key2xs.incidents.inside import MayBeInside
from key2xs.incidents.kill_types import AtWork
from key2xs.keys.many import KeyStep, ManyKey, Word

State: TypeAlias = Literal["running", "paused", "finished"]


@dataclass(frozen=True, slots=True)
class World:
    """What an act would reach now, as far as it is compared later. `last`: grants of a last holder on shift (S4)."""

    ending: tuple[Reached, ...]
    spared: tuple[Reached, ...]
    held: tuple[Reached, ...]
    """Held by a safety rule already; they stay so."""
    keys: tuple[ManyKey, ...]
    standing: tuple[ManyKey, ...]
    """Those of the keys whose rights from before our time end with it."""
    last: frozenset[GrantId]

    @property
    def persons(self) -> frozenset[PersonId]:
        """Everybody who loses something."""
        return frozenset(each.person_id for each in self.ending)

    @property
    def cylinders(self) -> frozenset[CylinderId]:
        """Everything that some of them can no longer open."""
        return frozenset[CylinderId]().union(*(each.part for each in self.ending))

    @property
    def keeping(self) -> tuple[ManyKey, ...]:
        """Keys that go on with rights from before our time: no act on a package or a zone ends those."""
        return tuple(key for key in self.keys if key.standing and key not in self.standing)

    @property
    def not_written(self) -> tuple[ManyKey, ...]:
        """Keys that were not adopted: nothing is written to them."""
        return tuple(key for key in self.keys if not key.adopted)


@dataclass(frozen=True, slots=True)
class SystemLoad:
    """What an act asks of one key system. `least`: the least time at the configured rate; None where none is set."""

    system: str
    keys: int
    calls: int
    least: timedelta | None


@dataclass(frozen=True, slots=True)
class Exposures:
    """How fast the keys could be revoked now. `checked` of `keys` were worked out; the others are not claimed."""

    keys: int
    checked: int
    proven: int
    bounded: int
    no_bound: int
    latest: datetime | None
    as_of: datetime | None

    @property
    def is_complete(self) -> bool:
        """Tell whether every key was worked out."""
        return self.checked == self.keys


@dataclass(frozen=True, slots=True)
class Preview:
    """What somebody is shown before an act on many. It changes nothing."""

    scope: Scope
    at: datetime
    digest: str
    world: World
    kept: tuple[Kept, ...]
    """What S3 and S4 keep although two people stand for it."""
    at_work: tuple[AtWork, ...]
    """Whom the shift leader is told of first (S5)."""
    waits_until: datetime | None
    inside: tuple[MayBeInside, ...]
    """Who may be behind a lock that may bar a way out (S2)."""
    systems: tuple[SystemLoad, ...]
    exposures: Exposures


@dataclass(frozen=True, slots=True)
class Changed:
    """What an act would reach now that was not shown."""

    grants: int
    people: int
    keys: int
    last_holders: int

    @property
    def is_any(self) -> bool:
        """Tell whether there is anything that nobody has looked at."""
        return bool(self.grants or self.people or self.keys or self.last_holders)

    def __str__(self) -> str:
        """Say it in words."""
        counts = {
            "grants": self.grants, "people": self.people, "keys": self.keys,
            "last holders on shift": self.last_holders,
        }  # fmt: skip
        return ", ".join(f"{number} more {name}" for name, number in counts.items() if number)


@dataclass(frozen=True, slots=True)
class MassAction:
    """An act on many, as it stands."""

    id: UUID
    scope: Scope
    reason: str
    state: State
    started_by: str
    started_user: UUID
    confirmed_by: str
    started_at: datetime
    state_at: datetime
    finished_at: datetime | None
    stop_id: UUID
    lifted_at: datetime | None
    """When new grants were allowed again; None while nothing new is given there."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an act is. Grants by what became of them, keys by how far each is."""

    grants: Mapping[str, int]
    """*ended*, *narrowed*, *held*, *waiting*, *told_first*, *left*."""
    keys: tuple[KeyStep, ...]
    words: Mapping[Word, int]
    people: int
    as_of: datetime | None
    """The oldest reading of a key that is not done."""
    per_minute: float | None
    """Keys that the key systems accepted a minute, since it began."""
    expected_at: datetime | None
    until: datetime | None
    """The latest instant at which a key could still open something that ended; None with `no_bound` or `as_before`, or when
    nothing can."""
    no_bound: int
    as_before: int
    """Keys that nobody has told the key system of yet: they open what they did."""
    standing_left: int
    told: tuple[tuple[UUID, datetime], ...] = field(default=())
    """Stops about people at work that wait, and when each proceeds."""


@dataclass(frozen=True, slots=True)
class Unreturned:
    """A key of somebody affected that is still out."""

    key_id: KeyId
    stamp: str
    system: str
    person_id: PersonId
    company: str | None
    since: datetime
    due_at: datetime | None
    overdue: bool
    report: str | None
    seen_at: datetime | None
    seen_place: str
    """The lock it opened last, and where that is; empty where no opening was read."""
    word: Word
    locks: int
    until: datetime | None
    as_before: bool


def action_of(row: asyncpg.Record, reason: str) -> MassAction:
    """Read an act from its row; its reason is sealed there, so it is read before."""
    values: dict[str, Any] = {
        name: row[name] for name in MassAction.__dataclass_fields__ if name not in {"scope", "reason"}
    }
    return MassAction(scope=Scope(row["kind"], row["ref"]), reason=reason, **values)
