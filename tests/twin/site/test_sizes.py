"""The middle and the large site, and the big inventory: complete, and made in seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from key2xs_twin.iloq.inventory import KeyKind, RightType
from key2xs_twin.physics import Physics
from key2xs_twin.site import big_inventory, big_records, generate_site, records
from key2xs_twin.site.sizes import SIZES
from key2xs_twin.world import World

START = datetime(2026, 7, 1, 15, tzinfo=UTC)
CPU_SECONDS = {"M": 3.0, "L": 8.0}  # of one core; about a quarter of it was used when this was written


@pytest.mark.parametrize("size", ["M", "L"])
def test_a_site_of_this_size_has_both_makers_and_every_case(size: str) -> None:
    begin = time.process_time()
    site = generate_site(size, 7)
    world = World(7, START, physics=Physics.exact(), site=site.iloq_inventory(), cliq=site.cliq_inventory())
    assert time.process_time() - begin < CPU_SECONDS[size]
    sizes = SIZES[size]
    assert len(world.locks) + len(world.cliq_field.cylinders) == len(site.cylinders) == sizes.cylinders
    assert (len(world.keys), len(world.cliq_field.keys)) == (sizes.keys, sizes.cliq_keys)
    assert sum(key.kind is KeyKind.METAL for key in world.keys.values()) == sizes.metal_keys
    for vendor in ("iloq", "cliq"):
        roles = {c.safety_role for c in site.cylinders if c.vendor == vendor}
        assert {"isolation", "lock_box", "egress"} <= roles
    rows = records(site, "cylinders")
    assert len({row["marking"] for row in rows}) == len({row["cylinder_id"] for row in rows}) == len(rows)
    assert {row["locking_system"] for row in rows if row["vendor"] == "cliq"} == {site.cliq_system}
    keys = records(site, "keys")
    assert len({(row["key_system"], row["stamp"]) for row in keys}) == len(keys)
    stamps = [row["stamp"] for row in keys]
    assert len(stamps) - len(set(stamps)) == 1, "one stamp stands on a key of each maker"
    owned = {"RTX-CLIQ": {str(each) for each in world.cliq_field.keys}}
    assert {row["external_id"] for row in keys if row["key_system"] == "RTX-CLIQ"} == owned["RTX-CLIQ"]
    assert len(site.programming_keys) >= 2


def test_the_big_inventory_is_consistent_and_loads() -> None:
    site = big_inventory(keys=300, locks=450)
    assert site == big_inventory(keys=300, locks=450)
    assert site != big_inventory(keys=300, locks=450, seed=8)
    world = World(7, START, physics=Physics.exact(), site=site)
    assert (len(world.keys), len(world.locks)) == (300, 450)
    rows = big_records(site)
    assert len(rows["cylinders"]) == len(rows["access_points"]) == 450
    assert len({row["stamp"] for row in rows["keys"]}) == 300
    assert len({row["marking"] for row in rows["cylinders"]}) == 450
    units = {row["code"] for row in rows["units"]}
    assert {row["unit"] for row in rows["cylinders"]} == units
    types = {right.id: right.type for right in site.security_accesses}
    carried = [{types[each] for each in key.security_access_ids} for key in site.keys]
    assert {RightType.STANDARD} in carried
    assert {RightType.API} in carried
    assert set() in carried
    assert any(key.person_id is None for key in site.keys)
    assert all(key.person_id is not None for key in site.keys if key.kind is KeyKind.PHONE)
