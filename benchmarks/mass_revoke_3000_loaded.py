"""Three thousand keys to be emptied while 2,000 lock events a second come in; see `mass_revoke_3000`."""

from typing import Any, Final

from benchmarks.fleet import fleet, running
from benchmarks.kill_under_load import add_log, stored
from benchmarks.mass_revoke_3000 import KEYS, RATE, record
from benchmarks.support import fresh_database, run_async
from key2xs.core.postgres import RoleDsns

NAME: Final = "mass_revoke_3000_loaded"


def run(seed: int) -> dict[str, Any]:
    """Measure and return a `build/bench` record."""
    with fresh_database() as dsns:
        return run_async(_measure(dsns, seed))


async def _measure(dsns: RoleDsns, seed: int) -> dict[str, Any]:
    async with fleet(dsns, KEYS, seed, maker="iloq", a_second=RATE) as found:
        log = await add_log(found)
        async with running(found.spine):
            log.begin()
            before = found.meter.calls
            await found.end_all()
            seconds = await found.until_done()
            told = record(NAME, found, seconds, found.meter.calls - before, seed, RATE)
            return told | {"events_a_second": round(await stored(found) / seconds)}
