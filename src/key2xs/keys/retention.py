"""Retention: openings older than the site keeps names for lose the person, and so does what would name him again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

_SQL = load_queries("key2xs.keys", "queries_retention.sql")

UNLINKED: Final = PersonId(UUID(int=0))
"""Nobody any more: stands where somebody was, and a column cannot be empty."""
BATCH: Final = 1000  # rows of each kind in one transaction

_KINDS: Final = {
    "events": "openings",
    "custody": "custodies",
    "superseded": "custodies",
    "handlings": "handlings",
    "crews": "crews",
    "openers": "openers",
    "cabinets": "cabinet_events",
    "findings": "findings",
}
_WITH_NOBODY: Final = frozenset({"custody", "superseded", "handlings", "crews"})


async def unlink_people(
    tx: Connection,
    ledger: Ledger,
    *,
    before: datetime,
    held: Sequence[PersonId],
    at: datetime,
    batch: int = BATCH,
) -> tuple[dict[str, int], bool]:
    """Unlink people from what happened before an instant, with one entry; nothing is written when nothing is due.

    Args:
        tx: a transaction.
        ledger: where the batch is recorded, without a word about anybody.
        before: the instant.
        held: people under a legal hold; theirs stays as it is.
        at: now.
        batch: rows of each kind.

    Returns:
        How many rows of each kind, and whether more waits.
    """
    savepoint = tx.transaction()
    await savepoint.start()
    # The entry first, because the rows carry its number; taken back where it turns out that nothing was due.
    entry = await ledger.record(tx, _entry(before, at, held=len(held)))
    counts: dict[str, int] = {}
    more = False
    for name, label in _KINDS.items():
        nobody = (UNLINKED,) if name in _WITH_NOBODY else ()
        done = await tx.execute(_SQL[f"unlink_{name}"], before, list(held), batch, entry, *nobody)
        number = int(done.rpartition(" ")[2])
        counts[label] = counts.get(label, 0) + number
        more = more or number == batch
    if not any(counts.values()):
        await savepoint.rollback()
        return {}, False
    await savepoint.commit()
    return {label: number for label, number in counts.items() if number}, more


def _entry(before: datetime, at: datetime, *, held: int) -> Entry:
    return Entry(
        kind="keys:opening:unlink",
        occurred_at=at,
        recorded_at=at,
        actor="system:retention",
        subjects=("retention:named_events",),
        body={"before": before.isoformat(), "held_people": held},
    )
