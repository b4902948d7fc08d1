"""Complete readings of memories, kept as stretches of time without a loss."""

from datetime import datetime
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.keys.port import MemoryReading

from .rules import may_have_lost

_SQL = load_queries("key2xs.keys.coverage")
_BEFORE_ALL: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


async def note_reading(tx: Connection, system_id: KeySystemId, reading: MemoryReading) -> None:
    """Keep a reading whose rows are stored. What is in no register is left out: nobody asks about it."""
    memory = "lock" if reading.vendor_lock is not None else "key"
    name = reading.vendor_lock or reading.vendor_key
    known, rows = ("known_cylinder", "rows_of_cylinder") if memory == "lock" else ("known_key", "rows_of_key")
    if name is None or await tx.fetchval(_SQL[known], system_id, name) is None:
        return
    # A clock ahead of the server's would claim what was not read yet.
    read_at = min(reading.read_at, reading.arrived_at)
    run = await tx.fetchrow(_SQL["newest_run"], system_id, memory, name)
    if run is not None and read_at <= run["end_at"]:
        return  # told before, or late: what came after it covers it
    since = run["end_at"] if run is not None else _BEFORE_ALL
    found = await tx.fetchrow(_SQL[rows], system_id, name, since, reading.read_at)
    if run is not None and not may_have_lost(found["since"] if found else 0, reading.holds):
        await tx.execute(_SQL["extend_run"], system_id, memory, name, run["number"], read_at)
        return
    # What stood in it then is whole from the oldest row on: a memory loses its oldest rows first.
    oldest = found["oldest"] if found is not None else None
    start = min(oldest, read_at) if oldest is not None else read_at
    if run is not None:
        start = max(start, run["end_at"])
    number = run["number"] + 1 if run is not None else 1
    await tx.execute(_SQL["insert_run"], system_id, memory, name, number, start, read_at)
