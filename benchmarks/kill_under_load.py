"""From a kill to its acceptance at the vendor, while 2,000 lock events a second come in.

One phone after the other is reported lost. Before that and meanwhile the log of the locks is read without a pause: by
real seconds so many rows are due, in pages of 500. Nearly all of them are explained by a grant of whoever had the key; one
in 500 is of a key that nobody knows, which is an alarm. Each kill must be narrowed, blocked and accepted.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from time import perf_counter
from typing import Any, Final

from benchmarks.fleet import Fleet, fleet, running
from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.core.database import Connection
from key2xs.core.postgres import RoleDsns
from key2xs.keys.events import EventPull
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, TimeQuality
from key2xs.ledger import Entry
from key2xs.runtime import Runtime
from tests.conftest import START
from tests.support.spine import Spine
from tests.support.tiny import MARKINGS, twin_id

KEYS: Final = 60
KILLS: Final = 40
EVENTS_A_SECOND: Final = 2_000.0
PAGE: Final = 500
WAIT_SECONDS: Final = 60.0
WARM_SECONDS: Final = 3.0
OPENED: Final = START - timedelta(hours=2)
ALARM_EVERY: Final = 500


class LockLog:
    """The log of a key system's locks: rows that become due, or all `backlog` of them at once."""

    def __init__(self, keys: int, *, backlog: int = 0) -> None:
        """Tell openings of so many keys."""
        self._keys, self._begun, self._backlog = keys, perf_counter(), backlog

    def begin(self) -> float:
        """Let rows become due from now on; returns when that was."""
        self._begun = perf_counter()
        return self._begun

    async def read_events(self, cursor: str | None) -> EventPage:
        """Return the next page; without a backlog as soon as a tenth of a second's rows are due."""
        first = int(cursor or 0)
        if not self._backlog:
            await asyncio.sleep(max(0.0, (PAGE / 2.5 - self._due(first)) / EVENTS_A_SECOND))
        count = min(PAGE, self._backlog - first) if self._backlog else max(0, min(PAGE, self._due(first)))
        return EventPage(tuple(self._rows(first, count)), str(first + count), more=count > 0)

    def _due(self, first: int) -> int:
        return int((perf_counter() - self._begun) * EVENTS_A_SECOND) - first

    def _rows(self, first: int, count: int) -> Iterator[LockEvent]:
        for number in range(first, first + count):
            at = OPENED + timedelta(milliseconds=number % 1_000_000)
            key = f"key {number % self._keys + 1}" if number % ALARM_EVERY else "a stranger's"
            yield LockEvent(
                vendor_event_id=f"e{number}",
                occurred_at=at,
                time_quality=TimeQuality.CLOCK,
                read_at=at,
                arrived_at=at,
                vendor_lock=str(twin_id(MARKINGS[number % len(MARKINGS)])),
                vendor_key=str(twin_id(key)),
                outcome=LockEventOutcome.OPENED,
                person_certain=True,
                raw_type=1,
            )


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    return measure("kill_under_load", seed)


def measure(name: str, seed: int, *, backlog: int = 0) -> dict[str, Any]:
    """Kill one key after the other and return the record."""
    with fresh_database() as dsns:
        millis, taken, seconds = run_async(_measure(dsns, seed, backlog))
    return {
        "name": name,
        "value": round(percentile(millis, 0.99), 1),
        "unit": "ms (p99)",
        "p50": round(percentile(millis, 0.5), 1),
        "p99": round(percentile(millis, 0.99), 1),
        "ratio": None,
        "baseline": None,
        "samples": len(millis),
        "events_a_second": round(taken / seconds),
        "command": command(name, seed),
        "machine": machine(),
        "seed": seed,
    }


async def _measure(dsns: RoleDsns, seed: int, backlog: int) -> tuple[list[float], int, float]:
    async with fleet(dsns, KEYS, seed, maker="iloq", a_second=1_000.0) as found:
        log = await add_log(found, backlog)
        async with running(found.spine) as runtime:
            begun = log.begin()
            await asyncio.sleep(WARM_SECONDS)
            millis = [await _kill(found, runtime, f"K{number:03d}") for number in range(1, KILLS + 1)]
            seconds = perf_counter() - begun
            return millis, await stored(found), seconds


async def add_log(found: Fleet, backlog: int = 0) -> LockLog:
    """Have the product read the locks' log; people had the keys, and grants for every lock."""
    services, log = found.spine.services, LockLog(min(found.keys, KEYS), backlog=backlog)
    async with services.database.transaction() as tx:
        await _grant(tx, found.spine)

    class _System:
        id = found.system.system_id
        name = found.system.name

    found.spine.installation.loops.append(
        EventPull(services.database, services.events, _System(), log)  # type: ignore[arg-type]
    )
    return log


async def stored(found: Fleet) -> int:
    """Return how many rows the product has taken in."""
    (row,) = await found.spine.fetch("SELECT count(*) AS n FROM key_event")
    return int(row["n"])


async def _grant(tx: Connection, spine: Spine) -> None:
    """Store who had the first keys since yesterday, with grants that ended after the openings: no key is to open any more."""
    since, until = OPENED - timedelta(days=1), spine.now - timedelta(minutes=30)
    entry = await spine.services.ledger.record(
        tx, Entry("grants:lease:end", until, until, "system:bench", ("site:bench",), body={})
    )
    await tx.execute(
        "INSERT INTO key_custody (key_id, person_id, during, known, entry) "
        "SELECT id, gen_random_uuid(), tstzrange($1, NULL), int8range($2, NULL), $2 FROM key_key ORDER BY stamp LIMIT $3",
        since, entry, KEYS,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO grant_lease (id, person_id, basis_kind, basis_ref, basis_at, during, state, reasons, bundle, "
        "decided_at, ended_at, end_reason, entry) "
        "SELECT gen_random_uuid(), person_id, 'approved_request', 'request:bench', $1, tstzrange($1, $2), 'ended', '[]', "
        "'', $1, $2, 'lapsed', $3 FROM key_custody",
        since, until, entry,
    )  # fmt: skip
    await tx.execute(
        "INSERT INTO grant_cylinder (grant_id, cylinder_id, entry) "
        "SELECT lease.id, cylinder.id, $1 FROM grant_lease AS lease, plant_cylinders AS cylinder",
        entry,
    )


async def _kill(found: Fleet, runtime: Runtime, stamp: str) -> float:
    """Report a key lost; returns the milliseconds until the vendor has accepted what stops it."""
    services = found.spine.services
    begun = perf_counter()
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, stamp)
        await services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=found.spine.now)
        await services.kill.narrow_key(tx, key.id, found.spine.now)
    runtime.wake()  # as every act does
    while perf_counter() - begun < WAIT_SECONDS:
        rows = await found.spine.fetch(
            "SELECT 1 FROM key_target WHERE key_id = $1 AND block AND accepted_at IS NOT NULL", key.id
        )
        if rows:
            return (perf_counter() - begun) * 1000
        await asyncio.sleep(0.005)
    raise AssertionError(f"{stamp} was not accepted in time")
