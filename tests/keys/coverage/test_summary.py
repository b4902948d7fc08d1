"""What is summed up as rows arrive is what counting all of them gives: gaps, late rows, wipes, numbers that come twice."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from key2xs.core import migrations
from key2xs.keys.coverage.forecast import Forecast, Ring, Use, forecast, observed
from key2xs.keys.coverage.reads import CLOCK_MARGIN, cylinders, foretold, keys, keys_running_over
from key2xs.keys.coverage.rules import Coverage, Run, Stretch, either, from_numbers, from_readings
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, MemoryReading, MemoryWiped, TimeQuality
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import MARKINGS, TinySite, tiny_site, twin_id
from tests.support.tiny_cliq import tiny_cliq_site

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAGES = 24
RING = Ring(30, 4, 30)
LOCKS = [str(twin_id(each)) for each in MARKINGS[:3]]
KEYS = [str(twin_id(f"key {n}")) for n in (1, 2, 3)]
TABLES = {
    "key_memory_stretch": "memory, external_id, system_id, first, last, rows, begins, ends",
    "key_memory_week": "memory, of_id, week, rows, foreign_rows",
}


def made_pages(chance: random.Random) -> Iterator[EventPage]:
    """Pages of one site over months: most rows in order, some late, some never; clocks that stop; other systems' keys."""
    names, at = count(), START - 200 * DAY
    numbers = dict.fromkeys((*LOCKS, *KEYS), 0)
    held: list[LockEvent] = []
    sent: list[LockEvent] = []

    def row(lock: str) -> LockEvent:
        key: str | None = chance.choice((*KEYS, "a key that is in no register", None))
        numbers[lock] += 1 if chance.random() < 0.99 else 3
        if key in numbers:
            numbers[key] += 1
        again = chance.random() < 0.002  # another lock in its place: its numbers begin anew
        has_clock = chance.random() < 0.9
        return LockEvent(
            f"row {next(names)}", at if has_clock else None, TimeQuality.CLOCK if has_clock else TimeQuality.NONE,
            at + chance.choice((0, 5)) * HOUR, at + 6 * HOUR, lock, key, LockEventOutcome.REFUSED,
            person_certain=True, raw_type=4, counter_lock=1 if again else numbers[lock],
            counter_key=numbers.get(key) if key else None,
        )  # fmt: skip

    for page in range(PAGES):
        rows: list[LockEvent] = []
        for _ in range(chance.choice((0, 4, 30))):
            at += chance.choice((HOUR / 2, 4 * HOUR, 3 * DAY / 2))
            fresh = row(chance.choice(LOCKS))
            (held if chance.random() < 0.1 else rows).append(fresh)
        while held and chance.random() < 0.8:
            rows.append(held.pop(chance.randrange(len(held))))
        rows += chance.sample(sent, min(len(sent), 2))  # pages overlap
        sent += rows
        chance.shuffle(rows)
        readings = [
            MemoryReading(lock, key, at, at, chance.choice((3, 1000)))
            for lock, key in ((chance.choice(LOCKS), None), (None, chance.choice(KEYS)))
            if chance.random() < 0.5
        ]
        wipes = [MemoryWiped(chance.choice(LOCKS), at - HOUR, at)] if chance.random() < 0.15 else []
        yield EventPage(tuple(rows), str(page), more=False, readings=tuple(readings), wipes=tuple(wipes))


def stretches(rows: Sequence[Any], number: str) -> list[Stretch]:
    """Go through all numbers of one memory, one by one."""
    found: list[list[Any]] = []
    for row in sorted((row for row in rows if row[number] is not None), key=lambda row: row[number]):
        if not found or row[number] > found[-1][-1][number] + 1:
            found.append([])
        found[-1].append(row)

    def low(row: Any) -> datetime:
        written: datetime = min(row["occurred_at"], row["read_at"], row["arrived_at"])
        return written

    return [
        Stretch(
            each[0][number], each[-1][number], len(each), each[0]["occurred_at"] or each[0]["read_at"],
            next((low(row) for row in reversed(each) if row["occurred_at"] is not None), None),
        )
        for each in found
    ]  # fmt: skip


async def covered(spine: Spine, memory: str, name: str, rows: Sequence[Any], number: str) -> Coverage:
    runs = await spine.fetch(
        "SELECT start_at, end_at, wiped_at FROM key_memory_run WHERE memory = $1 AND external_id = $2",
        memory,
        name,
    )
    read = from_readings(
        [Run(run["start_at"], run["end_at"], bool(run["wiped_at"])) for run in runs], CLOCK_MARGIN
    )
    return either(from_numbers(stretches(rows, number), CLOCK_MARGIN), read)


def expected(
    coverage: Coverage, rows: Sequence[Any], holds: int, now: datetime, own: Callable[[Any], bool]
) -> Forecast:
    """Count all rows."""
    span = observed(coverage)
    if span is None:
        return Forecast()
    dated = [row["occurred_at"] for row in rows if row["occurred_at"] is not None and own(row)]
    read = sum(span[0] <= at <= span[1] for at in dated)
    return forecast(coverage, Use(span[0], read, sum(at > span[1] for at in dated)), holds, now)


async def check(spine: Spine, system: Any) -> int:
    """Compare every answer with counting all rows; returns how many forecasts are known."""
    now, rings = spine.now, {system.name: RING}
    by_lock, by_key = defaultdict(list), defaultdict(list)
    for row in await spine.fetch("SELECT * FROM key_event"):
        by_lock[row["lock_external_id"]].append(row)
        by_key[row["key_external_id"]].append(row)
    known = 0
    async with spine.services.database.read() as tx:
        for line in await foretold(tx, await cylinders(tx, now), rings, now):
            if line.external_id not in LOCKS:
                continue
            rows = by_lock[line.external_id]
            assert line.coverage == await covered(spine, "lock", line.external_id, rows, "counter_lock")
            own = expected(line.coverage, rows, RING.own, now, lambda row: row["key_external_id"] is not None)
            assert line.forecast == own
            span = observed(line.coverage)
            if span is not None:
                others = [
                    row["occurred_at"]
                    for row in rows
                    if row["key_external_id"] is None and row["occurred_at"]
                ]
                use = Use(span[0], sum(span[0] <= at <= span[1] for at in others))
                assert RING.foreign is not None
                assert line.foreign == forecast(line.coverage, use, RING.foreign, now)
            known += line.forecast.expected_at is not None
        own_memory = {each.external_id: when for each, when in await keys_running_over(tx, now, rings)}
        for each in await keys(tx, now):
            if each.external_id not in KEYS or system.vendor != "cliq":
                continue
            rows = by_key[each.external_id]
            assert each.coverage == await covered(spine, "key", each.external_id, rows, "counter_key")
            assert RING.key is not None
            found = expected(each.coverage, rows, RING.key, now, lambda _: True)
            assert own_memory.get(each.external_id) == found.expected_at
            known += found.expected_at is not None
    return known


async def as_summed_by_the_migration(spine: Spine, owner: asyncpg.Connection) -> None:
    """What an older installation gets is what it would have, but for the times of numbers that came twice."""
    whole = {"key_memory_stretch": "rows = last - first + 1", "key_memory_week": "true"}
    select = {
        name: f"SELECT {columns} FROM {name} WHERE {whole[name]} ORDER BY 1, 2, 3, 4"
        for name, columns in TABLES.items()
    }
    kept = {name: await spine.fetch(sql) for name, sql in select.items()}
    file = Path(migrations.__file__).with_name("versions") / "0027_memory_summary.sql"
    sql = file.read_text(encoding="utf-8")
    await owner.execute("TRUNCATE key_memory_stretch, key_memory_week")
    await owner.execute(sql[sql.index("WITH counted") : sql.index("GRANT")])
    for name, statement in select.items():
        assert await spine.fetch(statement) == kept[name], name
        assert kept[name]


@pytest.mark.parametrize(("site", "vendor", "seed"), [(tiny_site, "iloq", 1), (tiny_cliq_site, "cliq", 2)])
async def test_summed_up_is_what_counting_gives(
    databases: DatabaseServer, site: Callable[[], TinySite], vendor: str, seed: int
) -> None:
    async with open_stage(databases, START, site=site) as stage:
        spine, chance, known = stage.spine, random.Random(seed), 0
        services = spine.services
        for number, page in enumerate(made_pages(chance)):
            async with services.database.transaction() as tx:
                system = next(each for each in await services.registry.systems(tx) if each.vendor == vendor)
                await services.events.take_page(tx, system, page, spine.now)
            if number % 4 == 3:
                known += await check(spine, system)
        assert known, "not everything is unknown"
        owner = await asyncpg.connect(stage.dsns.owner)
        try:
            await as_summed_by_the_migration(spine, owner)
        finally:
            await owner.close()
