"""What a person found at a lock: whether it heeds the end date in a key. It wins over what the interface says.

The vendor's documents leave that open for most locks, so an end date counts for nothing there until somebody tried it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.core.tri import Tri
from key2xs.ledger import Entry, Ledger, typed

__all__ = ["FOUND", "Found", "note_lock_check", "tried_locks"]

_SQL = load_queries("key2xs.keys", "queries_hooks.sql")

Found: TypeAlias = Literal["yes", "no", "unknown"]
FOUND: Final[Mapping[str, Found]] = {"yes": "yes", "no": "no", "unknown": "unknown"}


async def tried_locks(tx: Connection, system_id: KeySystemId) -> dict[str, Tri]:
    """Return what people found, by the vendor's id of the lock."""
    rows = await tx.fetch(_SQL["tried_locks"], system_id)
    return {row["lock_external_id"]: row["honours_limits"] for row in rows}


async def note_lock_check(
    tx: Connection,
    ledger: Ledger,
    system_id: KeySystemId,
    lock: str,
    found: Found,
    *,
    reason: str,
    actor: str,
    at: datetime,
) -> str:
    """Note what a person found at a lock, named by its marking or the vendor's id; returns its marking.

    *unknown* takes back what was said: the lock then counts as the interface says, from the next listing on.

    Raises:
        InvalidInput: no reason.
        NotFound: there is no such lock.
        Conflict: several locks carry this marking.
    """
    if not reason.strip():
        raise InvalidInput("reason", "say how it was tried")
    await ledger.lock_heads(tx, [f"key_system:{system_id}"])
    rows = await tx.fetch(_SQL["find_lock"], system_id, lock)
    if not rows:
        message = f"the key system lists no lock {lock}"
        raise NotFound(message)
    if len(rows) > 1:
        message = f"{len(rows)} locks carry the marking {lock}; name it by the key system's id"
        raise Conflict(message)
    row, subject = rows[0], f"key_system:{system_id}"
    entry = await ledger.record(
        tx,
        Entry(
            kind="keys:lock:check",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(subject, *((f"cylinder:{row['cylinder_id']}",) if row["cylinder_id"] else ())),
            heads=(subject,),
            body={
                "lock": row["marking"],
                "before": row["honours_limits"],
                "honours_limits": found,
                "reason": typed(actor, reason.strip()),
            },
        ),
    )
    await tx.execute(_SQL["put_lock_check"], system_id, row["external_id"], found, at, entry)
    await tx.execute(_SQL["set_honours"], system_id, row["external_id"], found, entry)
    if row["cylinder_id"]:
        await tx.execute(_SQL["read_openers_soon"], row["cylinder_id"], at)
    return str(row["marking"])
