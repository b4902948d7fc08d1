"""How old everything is that a page shows. Every page says it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from key2xs.console.words import VENDORS
from key2xs.core.database import Connection
from key2xs.core.tri import Tri
from key2xs.identity.affiliations import last_said
from key2xs.identity.types import LOCAL_SOURCE
from key2xs.keys.reads import system_ages
from key2xs.ledger.log import find_head
from key2xs.services import Services
from key2xs.work.feed import source_status

# Logs are read every 30 s; three missed readings are no accident.
LOG_IS_OLD_AFTER: Final = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Source:
    """One source of facts: when it was heard, and whether that is recent enough."""

    name: str
    what: str
    heard_at: datetime | None
    fresh: Tri
    note: str = ""
    simulated: bool = False
    """It answers through a simulated interface, not the maker's own."""


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources, and whether the log itself is whole."""

    all: tuple[Source, ...]
    narrow_only_why: str | None

    @property
    def stale(self) -> tuple[Source, ...]:
        """The sources that cannot be relied on now."""
        return tuple(source for source in self.all if source.fresh != "yes")

    def heard(self, what: str) -> datetime | None:
        """When the source of some kind that is furthest behind was heard; None when one never was, or there is none."""
        times = [source.heard_at for source in self.all if source.what == what]
        known = [at for at in times if at is not None]
        return min(known) if known and len(known) == len(times) else None


async def read_sources(tx: Connection, services: Services, at: datetime) -> Sources:
    """Read how every source stands."""
    head = await find_head(tx)
    found = [
        *await _key_systems(tx, at),
        *await _permit_systems(tx, services, at),
        *await _iams(tx, services),
    ]
    return Sources(tuple(found), head.narrow_only_why)


async def _key_systems(tx: Connection, at: datetime) -> list[Source]:
    return [
        Source(
            name=VENDORS.get(system.vendor, system.name),
            what="keys and locks",
            heard_at=system.log_read_at,
            fresh=_recent(system.log_read_at, at),
            note="" if system.visibility_complete else "some of it is hidden from our user there",
            simulated=is_simulated(system),
        )
        for system in await system_ages(tx)
    ]


async def _permit_systems(tx: Connection, services: Services, at: datetime) -> list[Source]:
    heard = {status.name: status for status in await source_status(tx, at)}
    names = dict.fromkeys([*(source.name for source in services.settings.permits), *heard])
    found = []
    for name in names:
        status = heard.get(name)
        note = ""
        if status and status.live_there is not None and status.live_there != status.live_here:
            note = f"it counts {status.live_there} permits in force, we know {status.live_here}"
        found.append(
            Source(
                name=name,
                what="permits",
                heard_at=status.heard_at if status else None,
                fresh=status.feed_ok if status else "unknown",
                note=note,
            )
        )
    return found


async def _iams(tx: Connection, services: Services) -> list[Source]:
    """An IAM sends changes only, so it is never called silent; when it spoke last is shown all the same."""
    said = await last_said(tx)
    names = dict.fromkeys([*(source.name for source in services.settings.scim), *said])
    return [
        Source(name, "people", said.get(name), "yes" if name in said else "unknown", "sends changes only")
        for name in names
        if name != LOCAL_SOURCE
    ]


def is_simulated(system: object) -> bool:
    """Tell whether a key system is reached through a simulated interface: CLIQ, as long as nothing says otherwise."""
    told = getattr(system, "simulated", None)
    return bool(told) if told is not None else getattr(system, "vendor", "") == "cliq"


def _recent(heard_at: datetime | None, at: datetime) -> Tri:
    if heard_at is None:
        return "unknown"
    return "yes" if at - heard_at <= LOG_IS_OLD_AFTER else "no"
