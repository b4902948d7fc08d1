"""What a vendor that calls us by itself must let us do: see, make and end subscriptions.

A message is a wake-up and nothing more: what it tells of is read through the key system's own interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

__all__ = ["BadMessage", "HookAbout", "HookMessage", "HookVendor", "NewHook", "VendorHook"]


@dataclass(frozen=True, slots=True)
class VendorHook:
    """A subscription as the vendor lists it. `event` is the vendor's name of the event, `sign_key` as it prints it."""

    id: UUID
    event: str
    url: str
    ends_at: datetime | None
    sign_key: str = ""

    def __repr__(self) -> str:
        """Leave the key out of logs and tracebacks."""
        return f"VendorHook(id={self.id}, event={self.event!r})"


@dataclass(frozen=True, slots=True)
class NewHook:
    """A subscription to be made; `id` and `sign_key` are chosen here, so that asking twice makes one."""

    id: UUID
    event: str
    url: str
    starts_at: datetime
    ends_at: datetime
    sign_key: str

    def __repr__(self) -> str:
        """Leave the key out of logs and tracebacks."""
        return f"NewHook(id={self.id}, event={self.event!r})"


class HookAbout(StrEnum):
    """What a message may be a reason to read."""

    EVENTS = "events"  # the log of openings
    INVENTORY = "inventory"  # the whole listing
    KEY = "key"  # one key


@dataclass(frozen=True, slots=True)
class HookMessage:
    """What is taken from a message. `counter` stays the same when it is sent again; `vendor_key` is a hint."""

    made_at: datetime
    vendor_key: str | None
    counter: int | None


class BadMessage(Exception):
    """A message that is not acceptable; says why. Nothing of it was used. `unsigned`: whoever sent it."""

    def __init__(self, why: str, *, unsigned: bool = False) -> None:
        """Say why."""
        super().__init__(why)
        self.unsigned = unsigned


class HookVendor(Protocol):
    """Subscriptions at one key system. Calls fail as those of `KeySystemPort` do."""

    events: Mapping[str, HookAbout]
    """The vendor's names of the events that are of use."""
    most: int
    """How many subscriptions one event may have, everybody's together."""

    async def hooks(self) -> tuple[VendorHook, ...]:
        """Return all subscriptions, ours and others'."""
        ...

    async def add(self, hook: NewHook) -> VendorHook:
        """Make a subscription and return it as it reads back."""
        ...

    async def remove(self, hook_id: UUID) -> None:
        """End a subscription; one that is gone is fine."""
        ...

    def hook_of(self, headers: Mapping[str, str]) -> UUID | None:
        """Return the subscription that a message says it is of; `headers` by lower-case names."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes, sign_key: str) -> HookMessage:
        """Check and read a message.

        Raises:
            BadMessage: it is not signed with this key, or is no such message.
        """
        ...

    async def close(self) -> None:
        """Sign out; never raises for a vendor that is down."""
        ...
