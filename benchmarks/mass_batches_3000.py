"""Ending 3,000 grants as one act on many: how long its transactions are, from the look to the last batch.

No vendor takes part: what the keys take is `mass_revoke_3000`. A transaction's length is what others wait for: the first one
holds back whoever gives something new, a batch holds the heads of a hundred grants.
"""

import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from benchmarks.support import command, fresh_database, machine, percentile, run_async
from key2xs.core.clock import ManualClock
from key2xs.core.ids import CylinderId, PersonId, new_id
from key2xs.core.outside import PermitSource
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings
from key2xs.grants.reach import Scope
from key2xs.grants.store import LeaseStore
from key2xs.grants.types import BasisKey, Verdict, Wish
from key2xs.incidents.kill_types import By
from key2xs.installation import Dsns, open_installation
from key2xs.policy import Basis, FactWindow
from key2xs.services import Services
from tests.conftest import START

GRANTS = 3_000
CYLINDERS = 500
BY = By("user:00000000-0000-7000-8000-00000000000a", UUID("00000000-0000-7000-8000-00000000000a"))


def run(seed: int) -> dict[str, Any]:
    """Measure and return one `build/bench` record."""
    with fresh_database() as dsns, tempfile.TemporaryDirectory() as folder:
        look, start, batches = run_async(_measure(dsns, Path(folder)))
    return {
        "name": "mass_batches_3000",
        "value": round(max(batches) * 1000, 1),
        "unit": "ms",
        "look_ms": round(look * 1000, 1),
        "start_ms": round(start * 1000, 1),
        "p50": round(percentile(batches, 0.5) * 1000, 1),
        "p99": round(percentile(batches, 0.99) * 1000, 1),
        "all_s": round(sum(batches), 2),
        "samples": len(batches),
        "command": command("mass_batches_3000", seed),
        "machine": machine(),
        "seed": seed,
    }


async def _measure(dsns: RoleDsns, folder: Path) -> tuple[float, float, list[float]]:
    settings = Settings(data_dir=folder, permits=(PermitSource("eptw", ()),))
    where = Dsns(app=dsns.app, log=dsns.log, read=dsns.read, vault=dsns.vault)
    clock = ManualClock(START)
    async with open_installation(settings, where, clock, wall=clock) as installation:
        services, at, scope = installation.services, clock.now(), Scope("everyone")
        await _fill(services)
        began = perf_counter()
        async with services.database.transaction() as tx:
            shown = await services.looks.look(tx, scope, at)
        look = perf_counter() - began
        began = perf_counter()
        async with services.database.transaction() as tx:
            mass = await services.mass_runs.start(
                tx, scope, digests=[shown.digest], reason="breach", by=BY, confirmed_by="user:second", at=at
            )
        start = perf_counter() - began
        batches = []
        while True:
            began = perf_counter()
            dealt = await services.database.transact(lambda tx: services.mass_runs.batch(tx, mass, at))
            batches.append(perf_counter() - began)
            if not dealt:
                break
        async with services.database.read() as tx:
            assert not await tx.fetchval("SELECT count(*) FROM grant_lease WHERE state <> 'ended'")
    return look, start, batches


async def _fill(services: Services) -> None:
    """Give every one of 3,000 people a grant over five of the cylinders."""
    store, at = LeaseStore(services.ledger), services.clock.now()
    cylinders = [CylinderId(new_id()) for _ in range(CYLINDERS)]
    for first in range(0, GRANTS, 200):
        async with services.database.transaction() as tx:
            for number in range(first, first + 200):
                some = frozenset(cylinders[(number * 7 + place) % CYLINDERS] for place in range(5))
                wish = Wish(
                    key=BasisKey(PersonId(new_id()), f"permit:{new_id()}"),
                    kind="permit_step",
                    cylinders=some,
                    starts_at=at,
                    ends_at=at + timedelta(hours=8),
                    basis_at=at,
                    basis=Basis(
                        kind="permit_step", window=FactWindow(), gas=FactWindow(standing="none"), reference=""
                    ),
                    longest=timedelta(hours=8),
                    heads=frozenset(),
                )
                verdict = Verdict(some, frozenset(), (), None, "bundle")
                heads = {f"zone:{new_id()}": 0 for _ in range(6)}
                await store.insert(tx, wish, verdict, state="active", heads=heads, at=at)
