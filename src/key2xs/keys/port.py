"""The contract between Key2XS and a key system of any make.

A connector implements `KeySystemPort`. Calls fail only with `Retry`, `NeedsPerson`, `Refused` or `Unknown` of
`key2xs.core.errors`. `Unknown` means that the vendor may have done it: read the key again before doing anything.
`BaseChanged` is a `Refused`: somebody else changed the key since it was read, and nothing was written.

No call ever means *done in the key*: a write changes the vendor's plan, an order sends it on its way, and only a
reading with `ProgrammingState.PROGRAMMED` proves it. Nothing here reads devices behind the vendor's back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from key2xs.core.errors import Refused

from .program import NO_OFFLINE_UPDATES, OfflineUpdates

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from key2xs.core.tri import Tri

    from .carriers import BlockVisit, ProgrammingKey, Updater
    from .program import Program

__all__ = [
    "BaseChanged",
    "ClockSet",
    "EventPage",
    "Inventory",
    "KeyCapabilities",
    "KeyKind",
    "KeyReading",
    "KeySystemPort",
    "KeyTag",
    "LockEvent",
    "LockEventOutcome",
    "MemoryReading",
    "MemoryWiped",
    "ProgrammingState",
    "SessionStore",
    "StoredSession",
    "TimeQuality",
    "VendorKey",
    "VendorLock",
    "VendorRight",
]


class KeyKind(StrEnum):
    """Kinds of key that behave differently; capabilities and exposure depend on it."""

    PHONE = "phone"
    FOB = "fob"
    METAL = "metal"
    TAG = "tag"
    DYNAMIC = "dynamic"  # a key that carries its own list of cylinders (CLIQ)
    CONNECT = "connect"  # a dynamic key that a phone can update (CLIQ)
    NORMAL = "normal"  # a key that is listed in cylinders (CLIQ)
    UNKNOWN = "unknown"


class ProgrammingState(StrEnum):
    """How far the last plan of a key has travelled, in the vendor's view."""

    PLANNING = "planning"  # changed or new, not ordered
    ORDERED = "ordered"  # waiting at the vendor, not fetched
    FETCHED = "fetched"  # taken by the device or on its way, not acknowledged
    ON_TOKEN = "on_token"  # moved to a programming key, not acknowledged  # noqa: S105 - not a password
    PROGRAMMED = "programmed"  # acknowledged: plan and device agree
    CANCELLED = "cancelled"
    OBSOLETE = "obsolete"
    ZEROED = "zeroed"
    ERROR = "error"
    UNKNOWN = "unknown"

    @property
    def is_waiting(self) -> bool:
        """Say whether an order stands and a device that makes contact will be given it."""
        return self in {ProgrammingState.ORDERED, ProgrammingState.FETCHED, ProgrammingState.ON_TOKEN}


@dataclass(frozen=True, slots=True)
class VendorKey:
    """A key as the vendor lists it. `holder_ref` is the vendor's id of a person, never a name."""

    vendor_key: str
    marking: str
    kind: KeyKind
    programming_state: ProgrammingState
    holder_ref: str | None = None
    handed_over: bool = False
    deleted: bool = False
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class VendorLock:
    """A lock with what decides its exposure. Whatever the vendor does not say is *unknown*.

    `hidden_rights`: the vendor hints at rights on this lock that we cannot see. `programmed`: the rights that the lock
    itself holds, as last programmed; `planned`: those it is to hold; None where the vendor does not tell the two apart.
    `family` and `firmware`: what the vendor calls its make, and the number of its software; they may limit what a key holds.
    """

    vendor_lock: str
    marking: str
    rights: frozenset[str] = frozenset()
    has_clock: Tri = "unknown"
    clock_set_at: datetime | None = None
    honours_limits: Tri = "unknown"
    online_required: Tri = "unknown"
    is_networked: Tri = "unknown"
    hidden_rights: bool = False
    programmed: frozenset[str] | None = None
    planned: frozenset[str] | None = None
    family: str | None = None
    firmware: int | None = None


@dataclass(frozen=True, slots=True)
class VendorRight:
    """An access right of the vendor's catalogue and the locks that accept it.

    `writable` is true only for rights that the interface may put into a key (iLOQ: type API access, active).
    """

    right: str
    name: str
    locks: frozenset[str]
    writable: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that the connector can see, at one instant. False visibility: other zones or domains exist.

    `updaters` and `programming_keys` stay empty where a system has none that it can list.
    """

    keys: tuple[VendorKey, ...]
    locks: tuple[VendorLock, ...]
    rights: tuple[VendorRight, ...]
    as_of: datetime
    visibility_complete: bool
    updaters: tuple[Updater, ...] = ()
    programming_keys: tuple[ProgrammingKey, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyReading:
    """What the vendor holds about one key: the plan, the last acknowledged program and how far it travelled.

    Attributes:
        planned: the vendor's current plan; None = never planned.
        on_device: the last program that the device acknowledged; None = never programmed.
        outside_visible: False when the vendor hints at rights or limits that this user cannot see. Never say
            *no access left* then.
        version: fingerprint of the plan and of everything a write must echo; equal versions, equal plans.
        holder_ref: the vendor's id of the person the key is linked to.
        blocked_with_access: blocked by the vendor's word, while cylinders remain that were not told yet.
        last_update_at: the last contact at which the key was updated, by the vendor's word; None = it does not say.
        offline_updates: what updaters may do for the key without the vendor's server.
        to_visit: locks whose own list says otherwise than planned, or may: a programming key has to be brought there.
        unplaced: those of them that no programming key has on its round.
        on_round: by lock, the programming keys that have a visit which brings it what is planned.
        ended_at: locks that let the key in no longer, by proof and whatever program is in it, and since when. A lock is
            not in it while anything on its way could let the key in again.
        opaque: vendor slots that a write has to repeat unchanged; only the connector understands them.
    """

    vendor_key: str
    kind: KeyKind
    planned: Program | None
    on_device: Program | None
    programming_state: ProgrammingState
    blocked: bool
    outside_visible: bool
    as_of: datetime
    version: str
    holder_ref: str | None = None
    blocked_with_access: bool = False
    last_update_at: datetime | None = None
    offline_updates: OfflineUpdates = NO_OFFLINE_UPDATES
    to_visit: frozenset[str] = frozenset()
    unplaced: frozenset[str] = frozenset()
    on_round: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ended_at: Mapping[str, datetime] = field(default_factory=dict)
    opaque: Mapping[str, object] = field(default_factory=dict)

    def without_visit(self, given_up: Collection[str] = ()) -> frozenset[str]:
        """Return the locks that nobody visits, where the programming keys in `given_up` do not come back."""
        lost = {lock for lock, names in self.on_round.items() if names <= frozenset(given_up)}
        return self.unplaced | lost


class BaseChanged(Refused):
    """The key was changed by somebody else since `base` was read; nothing was written."""

    def __init__(self, fresh: KeyReading) -> None:
        """Keep the fresh reading, so that the caller can decide again without asking once more."""
        super().__init__(f"key {fresh.vendor_key} was changed by somebody else since it was read")
        self.fresh = fresh


@dataclass(frozen=True, slots=True)
class KeyCapabilities:
    """What one kind of key of this system can do; capabilities are per key, not per vendor.

    Attributes:
        grid: starts and ends must lie on multiples of this in `time_zone`.
        max_offline_expiry: None = the kind has no such interval.
        program_slots: how many slots rights' time limits may use, at most.
        slots_by_lock: fewer where a lock that the key opens reads fewer, by its family and firmware.
        updates_over_the_air: an order can arrive without anybody presenting the key.
        can_write: False = keys of this kind are listed and watched, never written.
        min_offline_expiry: the shortest interval the vendor stores, where there is one.
        max_rights: how many entries the key's list holds; None = no known limit.
        block_by_visits: a block reaches a lock only when a person brings a programming key there, and the key may be
            emptied first. Otherwise the vendor spreads one list by itself and takes only keys that hold rights.
        max_blocked: how many keys a block list holds: one that spreads in all, else that of each lock; None = not known.
        rights_by_visits: what the key opens is listed in the locks, one right for each lock, and a change reaches a lock
            only when a person brings a programming key there. Only its limits reach the key itself.
    """

    kind: KeyKind
    grid: timedelta
    time_zone: str
    max_offline_expiry: timedelta | None
    program_slots: int
    can_order: bool
    can_return: bool
    can_block: bool
    can_tag: bool
    updates_over_the_air: bool
    can_write: bool = True
    min_offline_expiry: timedelta | None = None
    max_rights: int | None = None
    block_by_visits: bool = False
    rights_by_visits: bool = False
    max_blocked: int | None = None
    slots_by_lock: bool = False


class TimeQuality(StrEnum):
    """How far the instant of an event can be trusted."""

    CLOCK = "clock"  # the device had a running clock
    LAST_KNOWN = "last_known"  # the last time that the device knew, not the instant of the event
    NONE = "none"  # no usable time; `occurred_at` is None


class LockEventOutcome(StrEnum):
    """What happened at the lock."""

    OPENED = "opened"
    REFUSED = "refused"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class LockEvent:
    """One row of a lock's log with its three times kept apart; unique by `vendor_event_id` in one key system.

    Attributes:
        occurred_at: by the device's clock, None when it had none.
        read_at: taken from the lock; arrived_at: reached the vendor's server.
        person_certain: False when the vendor cannot establish who held the key.
        raw_type: the vendor's own type code, kept for later questions.
        counter_lock, counter_key: the number of the row in the memory of the lock or the key, where the vendor tells one;
            each attempt raises it by one, so a number that is missing is a row that is missing.
        tag: what the vendor's log says of the key's tags, in its own words.
    """

    vendor_event_id: str
    occurred_at: datetime | None
    time_quality: TimeQuality
    read_at: datetime | None
    arrived_at: datetime
    vendor_lock: str
    vendor_key: str | None
    outcome: LockEventOutcome
    person_certain: bool
    raw_type: int
    counter_lock: int | None = None
    counter_key: int | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """The whole memory of one lock or one key was read: all its rows are in this page or in an earlier one.

    Attributes:
        vendor_lock, vendor_key: whose memory; one of the two.
        read_at: when it was read; arrived_at: when the vendor's server got it.
        holds: how many rows the memory keeps before the oldest is lost, or fewer where the vendor does not say.
    """

    vendor_lock: str | None
    vendor_key: str | None
    read_at: datetime
    arrived_at: datetime
    holds: int


@dataclass(frozen=True, slots=True)
class MemoryWiped:
    """The memory of one lock was overwritten: rows it held that were not read before are lost for ever.

    Attributes:
        vendor_lock: whose memory.
        at: when it was overwritten; arrived_at: when the vendor's server was told.
    """

    vendor_lock: str
    at: datetime
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The clock of one key was put right at an update, by more than the device finds worth no note.

    Attributes:
        vendor_key: whose clock.
        at: when, by the vendor's server; showed: what the clock showed before.
    """

    vendor_key: str
    at: datetime
    showed: datetime


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order of arrival. Pass `cursor` to the next call; `more` = call again at once.

    Pages overlap on purpose: a row may come twice and is recognised by `vendor_event_id`. `readings` tells which memories
    were read completely, `wipes` which were overwritten, `clocks` which clocks were put right, where the vendor tells that.
    """

    events: tuple[LockEvent, ...]
    cursor: str
    more: bool
    readings: tuple[MemoryReading, ...] = ()
    wipes: tuple[MemoryWiped, ...] = ()
    clocks: tuple[ClockSet, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyTag:
    """A short text that the vendor keeps at the key and, where it can, in the key's audit trail."""

    name: str
    value: str
    in_audit_trail: bool = True


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A vendor session that a successor may have to end. `secret` is the connector's: the session id itself."""

    secret: str
    base_url: str
    opened_at: datetime

    def __repr__(self) -> str:
        """Leave the session id out of logs and tracebacks."""
        return f"StoredSession(opened_at={self.opened_at.isoformat()})"


class SessionStore(Protocol):
    """Where the caller keeps the open session, so that whoever takes over can end it."""

    async def load(self) -> StoredSession | None:
        """Return the session that was stored last, or None."""

    async def save(self, session: StoredSession) -> None:
        """Keep `session`; called before the session is used for anything else."""

    async def clear(self) -> None:
        """Forget the stored session; called after the vendor ended it."""

    async def may_sign_in_again(self, refused_at: datetime) -> bool:
        """Say whether to try after the vendor refused signing in for good at `refused_at`.

        A person must have asked for it since. Of all workers one tries then; the others follow when that has worked.
        """

    async def others(self) -> Sequence[SessionStore]:
        """Return the stores of the other workers on this key system, any of which may be stalled."""


@runtime_checkable
class KeySystemPort(Protocol):
    """One connection to one key system. One instance is used by one worker at a time."""

    async def open(self) -> None:
        """Sign in. Calls that need it sign in by themselves; this makes trouble visible early."""

    async def close(self) -> None:
        """Sign out and release connections; never raises for a vendor that is down."""

    async def end_sessions(self) -> None:
        """End the session in the store, which a stalled predecessor may still use; none is fine."""

    async def inventory(self) -> Inventory:
        """Read all keys, locks and rights. Costs many calls: run it at a fixed pace, not per grant."""

    async def read_key(self, vendor_key: str) -> KeyReading:
        """Read plan and device state of one key. `Refused` when the vendor does not know the key."""

    async def write_program(self, vendor_key: str, program: Program, base: KeyReading) -> KeyReading:
        """Replace the plan of a key and return the plan read back.

        The whole plan is replaced: a fresh read must equal `base`, else `BaseChanged` and nothing is written.
        `program` must lie on the key's grid and within its interval, else `Refused`. A lost response, or a plan
        that reads back otherwise than written, is `Unknown`.
        """

    async def order(self, vendor_key: str, *, avoid: Collection[str] = ()) -> None:
        """Send the plan on its way to the key. Ordering what is already on its way succeeds.

        Where what the key opens is listed in the locks, each that is not as planned gets a visit by a programming key that is
        not in `avoid`, also where one of those has a visit there already.
        """

    async def block(self, vendor_key: str) -> None:
        """Put the key on the block list. Alone it ends nothing: order the list, and locks must receive it."""

    async def order_block_list(
        self, vendor_key: str, locks: Collection[str], *, avoid: Collection[str] = ()
    ) -> frozenset[str]:
        """Send the block on its way; what is on its way or done already stays as it is. Nothing to send succeeds.

        Where one list spreads by itself, the arguments do not matter and the answer is empty. Where every lock must be
        visited, a task is made for each of `locks` at some programming key that is not in `avoid`; tasks that wait
        for one of those are given to another. Returns the locks for which no programming key had room.
        """

    async def read_block_visits(self, vendor_key: str) -> tuple[BlockVisit, ...]:
        """Return how far the visits for one key are, newest task first where a lock has several.

        Empty where blocks are not carried by visits.
        """

    async def unblock(self, vendor_key: str) -> None:
        """Take the key off the block list, or report it found. A key that is not on it is fine.

        Where every lock must be visited it comes last: `Refused` while a lock holds the block.
        """

    async def order_unblock(self, vendor_key: str, *, avoid: Collection[str] = ()) -> frozenset[str]:
        """Send word that the key is blocked no longer; what is on its way or done already stays as it is.

        Where one list spreads by itself, the list is sent. Where every lock must be visited, blocks that still wait are
        taken back, and each lock that holds one, or may, gets a task at some programming key that is not in `avoid`.
        Returns the locks for which no programming key had room.
        """

    async def read_unblock_visits(
        self, vendor_key: str, *, avoid: Collection[str] = ()
    ) -> tuple[BlockVisit, ...]:
        """Return each lock that holds the key's block, held it or may get it yet, with how far taking it away is.

        *failed*: no visit takes it away yet. *loaded*: one does, or the block itself is still on a round, of a programming
        key that is not in `avoid`. Empty where blocks are not carried by visits.
        """

    async def read_events(self, cursor: str | None) -> EventPage:
        """Read lock events by arrival. None starts at the beginning of what the connector is set to read."""

    async def tag_key(self, vendor_key: str, tag: KeyTag) -> None:
        """Attach a tag, for example a permit number, in place of the one of that name; an empty value takes it off.

        `Refused` where the key kind has no tags.
        """

    async def return_key(self, vendor_key: str) -> None:
        """Send the key back at the vendor for good: it is emptied and leaves the vendor's books.

        Only for kinds with `can_return`, else `Refused`; a key that is gone already is fine. When it is done may not be
        told: an answer means that it is on its way.
        """

    def capabilities(self, kind: KeyKind) -> KeyCapabilities:
        """Return what keys of this kind can do, with limits from the connector's manifest."""
