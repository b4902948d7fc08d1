"""The question people wait for at a door stays an index look-up, however much history there is."""

import json
from typing import Any

import asyncpg

from benchmarks.who_can_open import NOW, load_rows
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.core.sql import load_queries


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]


async def test_who_can_open_reads_the_index_and_only_what_still_held(db: Database, db_dsns: RoleDsns) -> None:
    owner = await asyncpg.connect(db_dsns.owner)
    await load_rows(owner, cylinders=200, rows_each=200, open_each=10)
    await owner.close()
    sql = load_queries("key2xs.keys")["may_open"]
    cylinder = "00000000-0000-7000-8004-000000000007"
    for mode in ("force_custom_plan", "force_generic_plan"):
        async with db.transaction() as tx:
            await tx.execute(f"SET LOCAL plan_cache_mode = {mode}")
            await tx.execute(f"PREPARE asked (uuid, timestamptz) AS {sql}")
            found = await tx.fetchval(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked ('{cylinder}', '{NOW.isoformat()}')"
            )
            await tx.execute("DEALLOCATE asked")
        plan = nodes((found if isinstance(found, list) else json.loads(found))[0]["Plan"])
        scans = [node for node in plan if node.get("Relation Name") == "key_may_open"]
        assert all(node["Node Type"] != "Seq Scan" for node in scans), (mode, plan)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        assert used & {"key_may_open_at", "key_may_open_pkey"}, (mode, used)
        # Rows that were gone by then are not even looked at.
        assert sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans) <= 40, plan
