"""The nouns of the keys room that are stored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import CylinderId, GrantId, KeyId, KeySystemId, PersonId, TargetId

from .desk.certainty import Certainty
from .port import KeyKind
from .program import Program

EventClass: TypeAlias = Literal[
    "expected", "refused", "after_end", "legacy", "undated", "unexplained", "other"
]


@dataclass(frozen=True, slots=True)
class KeySystem:
    """One locking system of one vendor."""

    id: KeySystemId
    name: str
    vendor: str
    inventory_at: datetime | None
    visibility_complete: bool
    interface: str = "documented"
    """Documented by its vendor, or `simulated`: then its wire is our own, and every page says so."""

    @property
    def simulated(self) -> bool:
        """Whether the wire to this system is our own invention."""
        return self.interface == "simulated"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key that Key2XS knows. `stamp` is printed on it."""

    id: KeyId
    system_id: KeySystemId
    external_id: str
    stamp: str
    kind: KeyKind
    emergency: bool
    adopted_at: datetime | None
    blocked_at: datetime | None
    block_reason: str | None
    deleted: bool
    unblock_asked_at: datetime | None = None
    """Since when two people want it off the block list; it stays blocked until that is carried out."""

    @property
    def subject(self) -> str:
        """The key as a subject of the log."""
        return f"key:{self.id}"


@dataclass(frozen=True, slots=True)
class Target:
    """What we want on a key and how far it has come."""

    id: TargetId
    system_id: KeySystemId
    key_id: KeyId
    generation: int
    desired: Program
    block: bool
    grants: tuple[GrantId, ...]
    cannot: dict[str, dict[str, object]]
    asked_at: datetime
    accepted_at: datetime | None
    delivered_at: datetime | None
    problem: str | None
    read_at: datetime | None
    reading: dict[str, object] | None
    block_ordered_at: datetime | None = None

    @property
    def to_visit(self) -> tuple[str, ...]:
        """Locks that a programming key has to be brought to, because what the key opens is listed in them."""
        found = (self.reading or {}).get("to_visit")
        return tuple(map(str, found)) if isinstance(found, list) else ()

    @property
    def progress(self) -> str:
        """One of the words for progress at a device."""
        if self.block and (self.reading or {}).get("blocked_with_access") and self.delivered_at is None:
            return "blocked_with_access"
        if self.delivered_at is not None:
            return "delivered"
        if self.accepted_at is not None:
            return (
                "in_transit" if (self.reading or {}).get("state") in {"fetched", "on_token"} else "accepted"
            )
        return "failed" if self.problem else "requested"


@dataclass(frozen=True, slots=True)
class MayOpen:
    """A key that may open a cylinder, and why."""

    cylinder_id: CylinderId
    key_id: KeyId
    stamp: str
    person_id: PersonId | None
    grant_id: GrantId | None
    basis: str | None
    since: datetime
    allowed_until: datetime | None
    kind: str
    exposed_until: datetime | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A classed row of a lock's log."""

    id: UUID
    occurred_at: datetime | None
    arrived_at: datetime
    read_at: datetime | None
    time_quality: str
    cylinder_id: CylinderId | None
    lock_external_id: str
    key_id: KeyId | None
    key_external_id: str | None
    person_id: PersonId | None
    person_certain: bool
    outcome: str
    event_class: EventClass
    why: str
    grant_id: GrantId | None
    certainty: Certainty = "unknown"
    """How sure it is that the person had the key."""
    crew_size: int | None = None
    tag: str | None = None
    """What the vendor's own log says of the key's tags."""
