"""Rows, complete readings of memories and wipes, kept as stretches without a loss."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries
from key2xs.keys.port import MemoryReading, MemoryWiped
from key2xs.ledger import Entry, Lane, Ledger

from .rules import may_have_lost
from .summing import Row, stretches_of, weeks_of

_SQL = load_queries("key2xs.keys.coverage")
_BEFORE_ALL: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


async def note_rows(tx: Connection, system_id: KeySystemId, rows: Sequence[Row]) -> None:
    """Sum up rows of a page that are stored and were not before; whoever calls holds the log of the key system."""
    stretches = [
        (memory, name, each.first, each.last, each.rows, each.begins, each.ends)
        for (memory, name), found in sorted(stretches_of(rows).items())
        for each in found
    ]
    if stretches:
        await tx.execute(_SQL["add_stretches"], system_id, *map(list, zip(*stretches, strict=True)))
    weeks = [(*each, *counts) for each, counts in sorted(weeks_of(rows).items())]
    if weeks:
        await tx.execute(_SQL["add_weeks"], *map(list, zip(*weeks, strict=True)))


async def note_memories(
    tx: Connection,
    ledger: Ledger,
    system_id: KeySystemId,
    readings: Iterable[MemoryReading],
    wipes: Iterable[MemoryWiped],
    at: datetime,
) -> None:
    """Keep what a page tells of memories, in order of time; its rows are stored. A wipe comes before a reading."""
    told: list[tuple[datetime, int, MemoryReading | MemoryWiped]] = [
        *((each.at, 0, each) for each in wipes),
        *((each.read_at, 1, each) for each in readings),
    ]
    for _, _, each in sorted(told, key=lambda one: one[:2]):
        if isinstance(each, MemoryWiped):
            await note_wipe(tx, ledger, system_id, each, at)
        else:
            await note_reading(tx, system_id, each)


async def note_wipe(
    tx: Connection, ledger: Ledger, system_id: KeySystemId, wipe: MemoryWiped, at: datetime
) -> None:
    """Keep that a lock's memory was overwritten: what stood in it and was not read is lost, and it begins empty."""
    cylinder = await tx.fetchval(_SQL["known_cylinder"], system_id, wipe.vendor_lock)
    if cylinder is None:
        return
    run = await tx.fetchrow(_SQL["newest_run"], system_id, "lock", wipe.vendor_lock)
    if await tx.fetchval(_SQL["is_wiped"], system_id, wipe.vendor_lock, wipe.at):
        return  # told before
    if run is not None and wipe.at < run["start_at"]:
        return  # late: what is known begins after it
    body = {"lock": wipe.vendor_lock, "read_up_to": run["end_at"].isoformat() if run is not None else None}
    await ledger.record(
        tx,
        Entry(
            kind="keys:memory:wipe",
            occurred_at=wipe.at,
            recorded_at=at,
            actor="system:locks",
            subjects=(f"cylinder:{cylinder}", f"key_system:{system_id}"),
            body=body,
            lane=Lane.CONTROL,
        ),
    )
    end = wipe.at
    if run is not None and run["end_at"] > wipe.at:
        # Told late: when this stretch was read before the wipe is not known any more, so it claims nothing.
        end = run["end_at"]
        await tx.execute(_SQL["cut_run"], system_id, "lock", wipe.vendor_lock, run["number"])
    number = run["number"] + 1 if run is not None else 1
    await tx.execute(_SQL["insert_run"], system_id, "lock", wipe.vendor_lock, number, wipe.at, end, wipe.at)


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
    await tx.execute(_SQL["insert_run"], system_id, memory, name, number, start, read_at, None)
