"""Our own clock: a contract that ends at midnight ends then, whether or not an IAM says anything.

The loop writes one entry for each beginning and end that time alone brings about. The entry moves the person's
head, so every grant that rests on it is decided again at once. A crash between two boundaries repeats nothing:
the cursor moves in the same transaction as the entries.
"""

from datetime import UTC, datetime
from typing import Final

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .facts import persons_changed_by_clock
from .types import Boundary

_SQL = load_queries("key2xs.identity")
_TOLD = declare("identity.boundary.after_entries")
_CURSOR: Final = "boundaries"
BATCH: Final = 200  # boundaries a transaction; a shift change of the largest site is about 250 people
_FIRST_DAY: Final = datetime(
    1970, 1, 1, tzinfo=UTC
)  # before every fact: nothing stated earlier is left untold
_END_OF_INSTANT: Final = ("~", 0)  # sorts after every kind, which are lower-case words

_VERBS: Final = {
    ("contract", "begin"): "begin",
    ("contract", "end"): "lapse",
    ("duty", "begin"): "begin",
    ("duty", "end"): "end",
    ("qualification", "begin"): "begin",
    ("qualification", "end"): "lapse",
    ("role", "begin"): "begin",
    ("role", "end"): "end",
}


class BoundaryLoop:
    """Tells the log what begins and ends by the clock."""

    name = "identity:boundaries"
    heeds: Final = ("identity:",)

    def __init__(self, database: Database, ledger: Ledger, *, batch: int = BATCH) -> None:
        """Work on `database`, at most `batch` boundaries a step."""
        self._database, self._ledger, self._batch = database, ledger, batch

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is due; return the next boundary, `now` when more is due at once, None when none is known."""
        return await self._database.transact(lambda tx: self._tell(tx, now))

    async def _tell(self, tx: Connection, now: datetime) -> datetime | None:
        cursor = await tx.fetchrow(_SQL["claim_boundary"], _CURSOR)
        if cursor is None:
            await tx.execute(_SQL["make_boundary"], _CURSOR, _FIRST_DAY)
            cursor = await tx.fetchrow(_SQL["claim_boundary"], _CURSOR)
        if cursor is None:
            # Another process is telling them; look again after it.
            return await self._next(tx, now)
        due = await persons_changed_by_clock(
            tx, cursor["upto"], now, place=(cursor["last_kind"], cursor["last_id"]), limit=self._batch
        )
        # Heads are taken in one sorted go by record_many, so two writers cannot wait for each other.
        await self._ledger.record_many(tx, [_entry(boundary, now) for boundary in due])
        _TOLD.reach()
        full = len(due) == self._batch
        if full:
            last = due[-1]
            await tx.execute(_SQL["move_boundary"], _CURSOR, last.at, last.kind, last.fact)
            return now
        if (now, _END_OF_INSTANT[0]) > (cursor["upto"], cursor["last_kind"]):
            await tx.execute(_SQL["move_boundary"], _CURSOR, now, *_END_OF_INSTANT)
        return await self._next(tx, now)

    async def _next(self, tx: Connection, now: datetime) -> datetime | None:
        found: datetime | None = await tx.fetchval(_SQL["next_boundary"], now)
        return found


def _entry(boundary: Boundary, now: datetime) -> Entry:
    subject = f"person:{boundary.person_id}"
    return Entry(
        kind=f"identity:{boundary.kind}:{_VERBS[boundary.kind, boundary.edge]}",
        occurred_at=boundary.at,
        recorded_at=now,
        actor="system:clock",
        subjects=(subject,),
        heads=(subject,),
        body={"what": boundary.detail},
        lane=Lane.CONTROL if boundary.edge == "end" else Lane.BULK,
    )
