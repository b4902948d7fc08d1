"""Calls from key systems, without a framework: a signed message is a reason to read, and nothing else.

    202 taken    204 taken before    400 unreadable    401 not signed by the key system, or too old    404 not subscribed
    413 too long

What a message says is never stored and never believed: the log is pulled, the listing or the key is read. Whoever could
forge one would make us read a little earlier. Messages that are lost cost the ordinary pace of reading.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault

from .hooks import BadMessage, HookAbout, HookVendor

__all__ = ["BODY_LIMIT", "Heard", "HookAnswer", "HookDoor", "Sleeper", "WakeLoop", "heard_of"]

_SQL = load_queries("key2xs.keys", "queries_hooks.sql")

BODY_LIMIT: Final = 65_536  # the vendor's longest example has 700 bytes
_REMEMBERED: Final = (
    1_000  # counters of one subscription; one that is older wakes us once more, which does no harm
)
_AHEAD: Final = timedelta(minutes=5)  # how far the vendor's clock may be ahead of ours
# After a wake-up the next one of its kind is followed so much later: a busy gate calls several times a second, and a
# listing costs four calls a lock.
_GAPS: Final = {"events": timedelta(seconds=5), "inventory": timedelta(minutes=10)}
_SAID: Final = {
    400: "The message is not acceptable",
    401: "The message is not signed, or too old",
    404: "Nothing is subscribed for that address",
    413: "The message is too long",
}


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What to answer: a status, and for a refusal why."""

    status: int
    detail: str = ""

    @property
    def document(self) -> dict[str, object] | None:
        """The refusal as a problem document."""
        if self.status not in _SAID:
            return None
        return {
            "type": f"urn:key2xs:problem:hook-{self.status}",
            "title": _SAID[self.status],
            "status": self.status,
            "detail": self.detail,
        }


@dataclass(slots=True)
class _Caller:
    """A key system that may call. `seen`: counters of its newest messages, by subscription."""

    system_id: KeySystemId
    vendor: HookVendor
    longest_age: timedelta
    seen: dict[UUID, OrderedDict[int, None]] = field(default_factory=dict)


class HookDoor:
    """Where key systems call. One for the process: it remembers the newest messages."""

    def __init__(self, database: Database, vault: Vault, clock: Clock) -> None:
        """Find subscriptions in `database`, their keys sealed in `vault`."""
        self._database, self._vault, self._clock = database, vault, clock
        self._callers: dict[str, _Caller] = {}

    def connect(
        self, name: str, system_id: KeySystemId, vendor: HookVendor, *, longest_age: timedelta
    ) -> None:
        """Let a key system call under its name."""
        self._callers[name] = _Caller(system_id, vendor, longest_age)

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> HookAnswer:
        """Take in one POST; `headers` in any case, `body` as it came."""
        headers = {header.casefold(): value for header, value in headers.items()}
        caller = self._callers.get(name)
        if caller is None:
            return HookAnswer(404, "check the last part of the address")
        if len(body) > BODY_LIMIT:
            return HookAnswer(413, f"at most {BODY_LIMIT} bytes")
        hook_id = caller.vendor.hook_of(headers)
        async with self._database.read() as tx:
            hook = await tx.fetchrow(_SQL["hook"], caller.system_id, hook_id) if hook_id else None
        if hook is None or hook_id is None:
            return HookAnswer(401, "this subscription is not ours")
        sign_key = await self._vault.open(caller.system_id, hook["sealed"])
        if isinstance(sign_key, Erased):
            return HookAnswer(401, "this subscription is not ours")
        now = self._clock.now()
        try:
            message = caller.vendor.read(headers, body, sign_key)
        except BadMessage as error:
            return HookAnswer(401 if error.unsigned else 400, str(error))
        if not now - caller.longest_age <= message.made_at <= now + _AHEAD:
            return HookAnswer(401, "it is too old, or from the future")
        if message.counter is not None and message.counter in caller.seen.get(hook_id, ()):
            return HookAnswer(204)
        about = caller.vendor.events.get(hook["event"], HookAbout.INVENTORY)
        await self._database.transact(lambda tx: _call(tx, caller.system_id, about, message.vendor_key, now))
        # Only now: what could not be written down is sent again, and must not be taken for a repetition then.
        _remember(caller, hook_id, message.counter)
        return HookAnswer(202)


@dataclass(frozen=True, slots=True)
class Heard:
    """How many subscriptions stand, until when the first of them, and when the key system called last."""

    live: int
    until: datetime | None
    heard_at: datetime | None


async def heard_of(tx: Connection, system_id: KeySystemId, at: datetime) -> Heard:
    """Say how a key system is subscribed."""
    row = await tx.fetchrow(_SQL["heard"], system_id, at)
    return Heard(row["live"], row["until"], row["heard_at"]) if row else Heard(0, None, None)


class Sleeper(Protocol):
    """A loop that keeps a pace of its own and can be told to go earlier."""

    def wake(self) -> None:
        """Be due at the next step, unless the other side is down."""
        ...


class WakeLoop:
    """Follows calls of one key system: wakes the loops that read. Calls that come close together are one."""

    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self, database: Database, system_id: KeySystemId, name: str, sleepers: Mapping[str, Sleeper]
    ) -> None:
        """Wake `sleepers`: who reads `events`, and who reads the `inventory`."""
        self._database, self._system_id, self._sleepers = database, system_id, sleepers
        self.name = f"wakes:{name}"
        self.idle = False
        self._not_before: dict[str, datetime] = {}

    async def step(self, now: datetime) -> datetime | None:
        """Wake who is called for; later, if the last time was just now."""
        self.idle, later = True, []
        async with self._database.read() as tx:
            waiting = [row["what"] for row in await tx.fetch(_SQL["waiting_wakes"], self._system_id)]
        for what in waiting:
            due = self._not_before.get(what)
            if due is not None and now < due:
                later.append(due)
            elif await self._database.transact(
                lambda tx, what=what: tx.fetchval(_SQL["take_wake"], self._system_id, what, now)  # type: ignore[misc]
            ):
                self._sleepers[what].wake()
                self._not_before[what] = now + _GAPS[what]
                self.idle = False
        return min(later, default=None)


async def _call(
    tx: Connection, system_id: KeySystemId, about: HookAbout, vendor_key: str | None, now: datetime
) -> None:
    if about is HookAbout.KEY and vendor_key is not None:
        if await tx.fetchval(_SQL["read_key_soon"], system_id, vendor_key, now) is not None:
            return
        about = HookAbout.INVENTORY  # a key that we do not know yet
    what = "events" if about is HookAbout.EVENTS else "inventory"
    await tx.execute(_SQL["call_wake"], system_id, what, now)


def _remember(caller: _Caller, hook_id: UUID, counter: int | None) -> None:
    if counter is None:
        return
    seen = caller.seen.setdefault(hook_id, OrderedDict())
    seen[counter] = None
    while len(seen) > _REMEMBERED:
        seen.popitem(last=False)
