"""Watches over people who work alone (S6): they report every so many minutes, and a missed report alarms.

A watch never touches access: whoever does not answer may need the way out more than anybody.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.safety import check_in_missed

_SQL = load_queries("key2xs.incidents", "queries_watches.sql")

SHORTEST: Final = 5  # minutes; more often nobody can both work and report
LONGEST: Final = 480
_LONGEST_PLACE: Final = 80


@dataclass(frozen=True, slots=True)
class Watch:
    """One watch. `missed_at` is set while nobody has reported since a check-in was due."""

    id: UUID
    person_id: PersonId
    place: str
    every_minutes: int
    started_by: str
    started_at: datetime
    seen_at: datetime | None
    due_at: datetime
    missed_at: datetime | None
    ended_at: datetime | None

    @property
    def every(self) -> timedelta:
        """The pace."""
        return timedelta(minutes=self.every_minutes)


class Watches:
    """Starting, reporting and ending."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every act with `ledger`."""
        self._ledger = ledger

    async def start(
        self,
        tx: Connection,
        person_id: PersonId,
        *,
        every_minutes: int,
        place: str = "",
        actor: str,
        at: datetime,
    ) -> Watch:
        """Watch over somebody from now on.

        Raises:
            InvalidInput: a pace outside the bounds, or a place that cannot be shown.
            Conflict: somebody watches over them already.
        """
        if not SHORTEST <= every_minutes <= LONGEST:
            raise InvalidInput("every_minutes", f"between {SHORTEST} and {LONGEST}")
        place = place.strip()
        if len(place) > _LONGEST_PLACE or not place.isprintable():
            raise InvalidInput("place", f"at most {_LONGEST_PLACE} characters on one line; no names")
        await self._ledger.lock_heads(tx, [f"watch:{person_id}"])
        if await tx.fetchrow(_SQL["watch_of_person"], person_id) is not None:
            raise Conflict("somebody watches over this person already")
        watch_id, due_at = new_id(), at + timedelta(minutes=every_minutes)
        entry = await self._tell(
            tx, "start", person_id, actor, at, every_minutes=every_minutes, due_at=due_at.isoformat()
        )
        await tx.execute(
            _SQL["start_watch"], watch_id, person_id, place, every_minutes, actor, at, due_at, entry
        )
        return await self.get(tx, watch_id)

    async def seen(self, tx: Connection, watch_id: UUID, *, actor: str, at: datetime) -> Watch:
        """Record that somebody reported; the next report is due a whole pace from now.

        Raises:
            NotFound: there is no such watch.
            Conflict: it has ended.
        """
        watch = await self._running(tx, watch_id)
        due_at = at + watch.every
        was_missed = watch.missed_at is not None
        entry = await self._tell(
            tx, "seen", watch.person_id, actor, at, due_at=due_at.isoformat(), was_missed=was_missed
        )
        await tx.execute(_SQL["see_watch"], watch_id, at, due_at, entry)
        return await self.get(tx, watch_id)

    async def end(self, tx: Connection, watch_id: UUID, *, actor: str, at: datetime) -> Watch:
        """End a watch: they are back.

        Raises:
            NotFound: there is no such watch.
            Conflict: it has ended already.
        """
        watch = await self._running(tx, watch_id)
        entry = await self._tell(tx, "end", watch.person_id, actor, at)
        await tx.execute(_SQL["end_watch"], watch_id, at, actor, entry)
        return await self.get(tx, watch_id)

    async def running(self, tx: Connection) -> list[Watch]:
        """Return everybody who is watched over, those who are missed first."""
        return [_watch_of(row) for row in await tx.fetch(_SQL["running_watches"])]

    async def get(self, tx: Connection, watch_id: UUID) -> Watch:
        """Return one watch, running or ended.

        Raises:
            NotFound: there is no such watch.
        """
        row = await tx.fetchrow(_SQL["lock_watch"], watch_id)
        if row is None:
            raise NotFound(f"there is no watch {watch_id}")
        return _watch_of(row)

    async def tell_missed(self, tx: Connection, at: datetime) -> datetime | None:
        """Tell the log who did not report; returns when the next report is due."""
        for row in await tx.fetch(_SQL["due_watches"], at):
            watch = _watch_of(row)
            if check_in_missed(due_at=watch.due_at, seen_at=None, at=at).goes:
                continue
            entry = await self._tell(
                tx, "miss", watch.person_id, "system:clock", at, due_at=watch.due_at.isoformat()
            )
            await tx.execute(_SQL["miss_watch"], watch.id, at, entry)
        due: datetime | None = await tx.fetchval(_SQL["next_watch"])
        return due

    async def _running(self, tx: Connection, watch_id: UUID) -> Watch:
        watch = await self.get(tx, watch_id)
        if watch.ended_at is not None:
            raise Conflict("this watch has ended")
        return watch

    async def _tell(
        self, tx: Connection, action: str, person_id: PersonId, actor: str, at: datetime, **body: Any
    ) -> int:
        entry = Entry(
            kind=f"incidents:checkin:{action}",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(f"person:{person_id}",),
            # No head moves: a report, made or missed, decides nothing about access.
            body=body,
            lane=Lane.CONTROL if action == "miss" else Lane.BULK,
        )
        return await self._ledger.record(tx, entry)


class CheckInWatch:
    """Tells the log, once each, that somebody did not report in time."""

    name = "incidents:checkins"
    heeds: Final = ("incidents:checkin",)

    def __init__(self, database: Database, watches: Watches) -> None:
        """Work on `database`."""
        self._database, self._watches = database, watches

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is missed; return when the next report is due."""
        return await self._database.transact(lambda tx: self._watches.tell_missed(tx, now))


def _watch_of(row: asyncpg.Record) -> Watch:
    return Watch(**{name: row[name] for name in Watch.__dataclass_fields__})
