"""What a page of a log tells about clocks: those that were put right, and rows that bear a time they cannot have."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries
from key2xs.keys.exposure_types import DEFAULT_SETTINGS, KINDS_WITH_CLOCK, ExposureSettings
from key2xs.keys.port import ClockSet, EventPage, LockEvent, TimeQuality
from key2xs.keys.registry import key_of
from key2xs.keys.types import KeySystem, StoredKey

from .rules import Broken, Cause, in_words, is_ahead, is_off
from .store import Reopenings

_SQL = load_queries("key2xs.keys.reopening")
_KEYS = load_queries("key2xs.keys")


class Noticing:
    """Looks at clocks."""

    def __init__(self, reopenings: Reopenings, settings: Mapping[str, ExposureSettings]) -> None:
        """Open bounds again with `reopenings`; `settings` by the name of the key system."""
        self._reopenings, self._settings = reopenings, settings

    async def in_page(self, tx: Connection, system: KeySystem, page: EventPage, at: datetime) -> None:
        """Look at a page whose rows are stored, before its readings are."""
        settings = self._settings.get(system.name, DEFAULT_SETTINGS)
        for clock in page.clocks:
            await self._put_right(tx, system, page, clock, settings, at)
        dated = [each for each in page.events if each.time_quality is TimeQuality.CLOCK]
        ahead = [each for each in dated if _is_ahead(each, settings)]
        for event in ahead:
            if event.occurred_at is not None and event.read_at is not None:
                far = in_words(event.occurred_at - event.read_at)
                await self._of_row(tx, system, event, f"it wrote a time {far} after the row was read", at)
        for event in await self._set_back(tx, system, dated, settings):
            await self._of_row(tx, system, event, "its rows bear earlier times than rows before them", at)

    async def _put_right(
        self,
        tx: Connection,
        system: KeySystem,
        page: EventPage,
        clock: ClockSet,
        settings: ExposureSettings,
        at: datetime,
    ) -> None:
        key = await _key(tx, system, clock.vendor_key)
        if key is None:
            return
        known = [
            each.read_at
            for each in page.readings
            if each.vendor_key == clock.vendor_key and each.read_at < clock.at
        ]
        stored = await tx.fetchval(_SQL["last_set"], system.id, clock.vendor_key, clock.at)
        set_at = max([*known, *([stored] if stored is not None else [])], default=None)
        if is_off(clock.showed, clock.at, set_at, settings):
            why = f"its clock was off by {in_words(clock.showed - clock.at)} when it was updated"
            await self._reopenings.of_key(tx, key, Broken(Cause.CLOCK, why, clock.at), at)

    async def _of_row(
        self, tx: Connection, system: KeySystem, event: LockEvent, why: str, at: datetime
    ) -> None:
        """A key that judges time wrote the time itself; any other key took the lock's."""
        key = await _key(tx, system, event.vendor_key) if event.vendor_key else None
        found_at = event.read_at or event.arrived_at
        if key is not None and key.kind in KINDS_WITH_CLOCK:
            await self._reopenings.of_key(tx, key, Broken(Cause.CLOCK, why, found_at), at)
        else:
            found = Broken(Cause.LOCK_CLOCK, why, found_at, event.vendor_lock)
            await self._reopenings.of_lock(tx, system.id, found, at)

    async def _set_back(
        self, tx: Connection, system: KeySystem, dated: Iterable[LockEvent], settings: ExposureSettings
    ) -> list[LockEvent]:
        """Return the first row of each lock that is numbered after another one and bears an earlier time."""
        by_lock: dict[str, list[tuple[int, datetime, LockEvent]]] = {}
        for event in dated:
            if event.counter_lock is not None and event.occurred_at is not None:
                place = by_lock.setdefault(event.vendor_lock, [])
                place.append((event.counter_lock, event.occurred_at, event))
        for rows in by_lock.values():
            rows.sort(key=lambda row: row[0])
        before = await _rows_before(tx, system, {lock: rows[0][0] for lock, rows in by_lock.items()})
        found = []
        margin = 2 * settings.margin(settings.unknown_clock_age)
        for lock, rows in by_lock.items():
            latest = before.get(lock)
            for _, written, event in rows:
                if latest is not None and written + margin < latest:
                    found.append(event)
                    break
                latest = max(written, latest) if latest is not None else written
        return found


def _is_ahead(event: LockEvent, settings: ExposureSettings) -> bool:
    return (
        event.occurred_at is not None
        and event.read_at is not None
        and is_ahead(event.occurred_at, event.read_at, settings)
    )


async def _rows_before(tx: Connection, system: KeySystem, firsts: Mapping[str, int]) -> dict[str, datetime]:
    if not firsts:
        return {}
    rows = await tx.fetch(_SQL["rows_before"], system.id, list(firsts), list(firsts.values()))
    return {row["lock"]: row["occurred_at"] for row in rows}


async def _key(tx: Connection, system: KeySystem, name: str) -> StoredKey | None:
    row = await tx.fetchrow(_KEYS["find_vendor_key"], system.id, name)
    return key_of(row) if row is not None else None
