"""What happens without a message: the clock passes a boundary, a source falls silent, somebody becomes known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.ledger import Entry, Lane, ReadEntry

from .desk import SQL, Desk
from .feed import tell_silence
from .parties import resolve_people

_TOLD = declare("work.boundary.after_entries")
BATCH: Final = 200  # boundaries a transaction; a shift end of the largest site is about 490 permits
_OWNERS_A_BATCH: Final = 500

_KINDS: Final = {
    "expire": "work:permit:expire",
    "gas_lapse": "work:permit:gas_lapse",
    "checkin": "work:checkin:miss",
}


class BoundaryLoop:
    """Tells the log, once each, what the clock alone brings about: expiry, a gas test that ran out, a missed check-in.

    The facts themselves do not wait for it: whoever asks for a permit at an instant sees it expired at that instant.
    """

    name = "work:boundaries"
    heeds: Final = ("work:",)

    def __init__(self, database: Database, desk: Desk, *, batch: int = BATCH) -> None:
        """Work on `database`, at most `batch` boundaries a step."""
        self._database, self._desk, self._batch = database, desk, batch

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is due; return the next boundary, `now` when more is due at once, None when none is known."""
        return await self._database.transact(lambda tx: self._tell(tx, now))

    async def _tell(self, tx: Connection, now: datetime) -> datetime | None:
        # Lock first, look again afterwards: a message may have taken a boundary back meanwhile.
        found = await tx.fetch(SQL["due_boundaries"], now, self._batch)
        await self._desk.ledger.lock_heads(tx, {f"permit:{row['permit_id']}" for row in found})
        seen = {_key(row) for row in found}
        due = [row for row in await tx.fetch(SQL["due_boundaries"], now, self._batch) if _key(row) in seen]
        numbers = await self._desk.ledger.record_many(tx, [_entry(row, now) for row in due])
        told = [(*_key(row), True, True, number) for row, number in zip(due, numbers, strict=True)]
        await tx.executemany(SQL["put_boundary"], told)
        _TOLD.reach()
        if len(found) == self._batch:
            return now
        upcoming: datetime | None = await tx.fetchval(SQL["next_boundary"], now)
        return upcoming


class SilenceLoop:
    """Tells which sources fell silent."""

    name = "work:silence"
    heeds: Final = ("work:",)

    def __init__(self, database: Database, desk: Desk) -> None:
        """Work on `database`."""
        self._database, self._desk = database, desk

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is due; return when the next source would be silent, None when none was ever heard."""
        return await self._database.transact(lambda tx: tell_silence(tx, self._desk, now))


class PeopleReader:
    """Matches people on permits when identities appear."""

    name = "work:people"
    passes_over: Final = ("keys:opening",)

    def __init__(self, desk: Desk, clock: Clock) -> None:
        """Resolve with `desk`; entries are recorded at the clock's domain time."""
        self._desk, self._clock = desk, clock
        self._outworn: list[UUID] | None = None

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Look for the unresolved when the log tells of a person."""
        await self._erase_outworn(tx)
        if any(entry.kind.startswith("identity:") for entry in entries):
            self._outworn = await resolve_people(tx, self._desk, at=self._clock.now())

    async def _erase_outworn(self, tx: Connection) -> None:
        """Destroy data keys of parties that were resolved in an earlier, committed step.

        The first time after a start all of them are looked at: a crash may have come between commit and erasure.
        """
        outworn = self._outworn
        if outworn is None:
            outworn, last = [], UUID(int=0)
            while rows := await tx.fetch(SQL["resolved_owners"], last, _OWNERS_A_BATCH):
                outworn += [row["id"] for row in rows]
                last = rows[-1]["id"]
        for party_id in outworn:
            await self._desk.vault.erase(party_id)
        self._outworn = []


def _key(row: Any) -> tuple[UUID, str, datetime]:
    return row["permit_id"], row["kind"], row["due_at"]


def _entry(row: Any, now: datetime) -> Entry:
    subject = f"permit:{row['permit_id']}"
    # A missed check-in alarms and takes nothing away (S6): it moves no head and is in no hurry before a stop.
    alarm = row["kind"] == "checkin"
    return Entry(
        kind=_KINDS[row["kind"]],
        occurred_at=row["due_at"],
        recorded_at=now,
        actor="system:clock",
        subjects=(subject,),
        heads=() if alarm else (subject,),
        body={"number": row["number"]},
        lane=Lane.BULK if alarm else Lane.CONTROL,
    )
