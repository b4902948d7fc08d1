"""The register of keys of a site with two makers: which rows are taken, and a stamp that both of them use."""

from __future__ import annotations

from datetime import UTC, datetime

from key2xs import plant
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.keys.importer import import_keys
from key2xs.keys.registry import Registry
from key2xs.ledger import Ledger
from key2xs_twin.site import Site, generate_site, records

AT = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
ACTOR = "user:00000000-0000-7000-8000-000000000001"


async def _import_plant(db: Database, ledger: Ledger, site: Site) -> None:
    for kind in ("areas", "units", "zones", "assets", "access_points", "cylinders"):
        async with db.transaction() as tx:
            report = await plant.import_csv(tx, ledger, kind, records(site, kind), at=AT, actor=ACTOR)
        assert report.ok, (kind, report.errors[:3])


async def test_each_key_goes_to_the_maker_of_its_locking_system(db: Database, vault: Vault) -> None:
    ledger = Ledger(vault)
    site = generate_site("S", 7, days=1)
    await _import_plant(db, ledger, site)
    registry, rows = Registry(ledger), records(site, "keys")
    async with db.transaction() as tx:
        await registry.ensure_system(tx, "first", "iloq", AT)
        alone = await import_keys(tx, ledger, rows, at=AT, actor=ACTOR, dry_run=True)
    assert (alone.added, {error.problem for error in alone.errors}) == (
        len(site.keys),
        {"is not a connected key system"},
    )
    async with db.transaction() as tx:
        await registry.ensure_system(tx, "second", "cliq", AT, interface="simulated")
        report = await import_keys(tx, ledger, rows, at=AT, actor=ACTOR)
    assert report.ok, report.errors[:3]
    assert report.added == len(rows) == len(site.keys) + len(site.cliq_keys)
    (shared,) = {key.stamp for key in site.keys} & {key.stamp for key in site.cliq_keys}
    async with db.read() as tx:
        found = await tx.fetch(
            "SELECT system.vendor, key.kind FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id"
            " WHERE key.stamp = $1 ORDER BY system.vendor",
            shared,
        )
    assert [(row["vendor"], row["kind"]) for row in found] == [("cliq", "dynamic"), ("iloq", "metal")]
