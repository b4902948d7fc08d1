"""A CLIQ site with a past is taken over: what is adopted, what is only watched, and what the report says about both."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from key2xs.core.errors import Conflict
from key2xs.keys.adoption.adopting import adopt_one
from key2xs.keys.adoption.readiness import zones_ready
from key2xs.keys.adoption.report import InventoryReport, inventory_report
from key2xs.keys.adoption.visits import Visits, visits
from key2xs.keys.connected import WATCHED_REREAD
from key2xs.plant.importer import import_csv
from key2xs_twin.cliq import CliqKeyKind
from key2xs_twin.cliq.state import CylinderRecord
from tests.support.database import DatabaseServer
from tests.support.tiny import twin_id

from .legacy import open_legacy_of
from .legacy_cliq import CliqLegacy, key_id, legacy_cliq_site

WATCHED = "what it opens is listed in the cylinders, and some of them our user there cannot see"


@pytest.fixture
async def site(databases: DatabaseServer) -> AsyncIterator[CliqLegacy]:
    """The first day: connected read-only, listed and read, nothing adopted."""
    async with open_legacy_of(CliqLegacy, databases, adopted=False) as opened:
        yield opened


async def report(site: CliqLegacy) -> InventoryReport:
    async with site.spine.services.database.read() as tx:
        return await inventory_report(tx, site.spine.now, unused_days=90)


async def lines(site: CliqLegacy, name: str, *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(line[each] for each in columns) for line in (await report(site)).lists[name]]


async def to_visit(site: CliqLegacy) -> Visits:
    over_the_air = {each.name: each.port for each in site.spine.installation.connected}
    async with site.spine.services.database.read() as tx:
        return await visits(tx, lambda name, kind: over_the_air[name].capabilities(kind).updates_over_the_air)


async def ready(site: CliqLegacy) -> dict[str, tuple[int, int, int]]:
    async with site.spine.services.database.read() as tx:
        found = await zones_ready(tx, site.spine.now)
    return {zone.zone: (zone.cylinders, zone.listed, zone.ready) for zone in found}


async def adopted(site: CliqLegacy) -> set[str]:
    rows = await site.spine.fetch("SELECT stamp FROM key_key WHERE adopted_at IS NOT NULL")
    return {row["stamp"] for row in rows}


async def list_again(site: CliqLegacy) -> None:
    await site.wait(61)


async def read_again(site: CliqLegacy) -> None:
    """Keys that are only watched are read now and then."""
    await site.wait(WATCHED_REREAD / timedelta(minutes=1) + 61)


async def test_keys_of_every_kind_are_adopted_and_nothing_changes_at_the_vendor(
    site: CliqLegacy,
) -> None:
    before, calls = site.vendor(), site.writes()
    await site.adopt_all()
    await site.write()
    await site.mode("Z3", "advise")
    await site.wait(30)
    assert (site.vendor(), site.writes()) == (before, calls)
    assert await adopted(site) == {"K001", "K002", "K003", "K004"}
    assert await site.standing("K004") == {"C5": None}
    assert await site.standing("K001") == {"C1": None, "C3": None}
    assert await site.standing("K002") == {"C1 and C2": None}


async def test_a_normal_key_is_left_while_some_of_its_cylinders_may_be_hidden(site: CliqLegacy) -> None:
    """Another domain than ours: what a normal key opens there is in no list that we may read."""
    site.spine.world.cliq.settings.visible_domains = frozenset({"another"})
    await read_again(site)
    run = await site.adopt_all()
    async with site.spine.services.database.read() as tx:
        left = await site.spine.services.adoption.left(tx, run)
    assert ("K004", WATCHED, False) in [(each.stamp, each.why, each.waiting) for each in left]
    services = site.spine.services
    with pytest.raises(Conflict, match="some of them our user there cannot see"):
        async with services.database.transaction() as tx:
            await adopt_one(tx, services.ledger, await site.key("K004"), actor="user:a", at=site.spine.now)
    with pytest.raises(Conflict, match="cannot be adopted: what it opens is listed in the cylinders"):
        await site.spine.hand_out("K004", "u1")


async def test_enforcing_takes_what_stands_off_adopted_keys(site: CliqLegacy) -> None:
    await site.adopt_all()
    await site.write()
    for zone in ("Z2", "Z3", "Z4"):
        await site.mode(zone, "enforce")
    assert (site.planned("K001"), site.planned("K002")) == (set(), set())
    await site.wait(1)
    waiting = {line.key: line.why for line in (await to_visit(site)).keys}
    assert set(waiting) == {"K001", "K004"}, (
        "a Connect key is updated by its phone, the others are carried to an updater"
    )
    assert {line.lock: line.state for line in (await to_visit(site)).locks}["C5"] == "list_waits"
    site.present("K001")
    await site.wait(5)
    assert not site.spine.try_open("K001", "C1")
    assert site.spine.try_open("K004", "C5"), "nobody has been there"
    site.visit("C5")
    await site.wait(5)
    assert not site.spine.try_open("K004", "C5")
    assert {line.lock: line.state for line in (await to_visit(site)).locks}["C5"] == "none_needed"
    site.present("K004")
    await site.wait(5)
    assert (await to_visit(site)).keys == []


async def test_a_zone_that_is_switched_back_takes_along_what_waits_at_the_updaters(site: CliqLegacy) -> None:
    """Bad input: a mode that changes while a program is on its way, to a key that is presented only afterwards."""
    await site.adopt_all()
    await site.write()
    await site.mode("Z3", "enforce")
    await site.spine.hand_out("K003", "u1")
    await site.spine.settle()
    await site.spine.live_permit("C1", crew=["u1"])
    await site.wait(1)
    assert site.planned("K003") == {"C1"}, "sent, and nobody has held the key to an updater"
    await site.mode("Z3", "observe")
    await site.wait(1)
    assert site.planned("K003") == set()
    site.present("K003")
    await site.wait(2)
    assert not site.spine.try_open("K003", "C1")


async def test_the_report_names_keys_nobody_can_bound_and_makes_no_number_up(site: CliqLegacy) -> None:
    assert await lines(site, "keys_no_bound", "key", "kind", "locks", "why") == [
        ("K001", "dynamic", 2, "nothing ends what it opens by itself"),
        ("K002", "connect", 2, "nothing ends what it opens by itself"),
        ("K004", "normal", 1, "nothing ends what it opens by itself"),
    ]
    assert await lines(site, "keys_without_holder", "key", "kind", "locks") == [
        ("K001", "dynamic", 2), ("K002", "connect", 2), ("K004", "normal", 1), ("K003", "dynamic", 0),
    ]  # fmt: skip


async def test_holders_of_every_kind_are_taken_from_the_list_once_handed_out(site: CliqLegacy) -> None:
    await site.adopt_all()
    await site.spine.hand_out("K001", "u1")
    await site.spine.hand_out("K002", "u2")
    assert {key for (key,) in await lines(site, "keys_without_holder", "key")} == {"K003", "K004"}
    await site.spine.scim.disable(site.spine.scim_ids["u1"])
    await site.spine.settle()
    assert await lines(site, "holders_left", "key", "system", "locks") == [("K001", "cliq", 2)]


async def test_a_right_is_used_when_a_key_that_carries_it_opened_one_of_its_cylinders(
    site: CliqLegacy,
) -> None:
    assert set(await lines(site, "rights_unused", "right", "keys", "locks")) == {
        ("C1", 1, 1), ("C3", 1, 1), ("C5", 1, 1), ("C1 and C2", 1, 2),
    }  # fmt: skip
    assert site.spine.try_open("K001", "C1")
    site.present("K001")
    await site.wait(2)
    found = await report(site)
    assert {line["right"] for line in found.lists["rights_unused"]} == {"C3", "C5", "C1 and C2"}
    assert isinstance(found.openings_since, datetime)


async def test_two_systems_that_call_their_rights_the_same_are_told_apart(site: CliqLegacy) -> None:
    """A second installation of the same system, as after a copy: its key used the right, ours did not."""
    services = site.spine.services
    name = f"cyl:{twin_id('C3')}"
    async with services.database.transaction() as tx:
        other = await services.registry.ensure_system(tx, "cliq-2", "cliq", site.spine.now)
        entry = await tx.fetchval("SELECT entry FROM key_system WHERE id = $1", other.id)
        await tx.execute(
            "INSERT INTO key_right (system_id, external_id, name, writable, locks, entry)"
            " VALUES ($1, $2, 'Elsewhere', true, '{}', $3)",
            other.id, name, entry,
        )  # fmt: skip
    found = await report(site)
    assert {(line["right"], line["system"], line["locks"]) for line in found.lists["rights_unused"]} >= {
        ("C3", "cliq", 1)
    }
    assert await ready(site) == {"Z2": (1, 1, 1), "Z3": (4, 4, 4), "Z4": (1, 1, 1)}, "each lock counts once"


async def test_cylinders_that_no_register_has_are_listed_and_so_are_those_no_system_has(
    site: CliqLegacy,
) -> None:
    assert await lines(site, "locks_unmapped", "lock") == []
    assert await lines(site, "cylinders_unlisted", "lock") == []
    services, now = site.spine.services, site.spine.now
    strange, missing = str(uuid4()), str(uuid4())
    row = legacy_cliq_site().files["cylinders"][0] | {"cylinder_id": missing, "marking": "C9"}
    async with services.database.transaction() as tx:
        report = await import_csv(tx, services.ledger, "cylinders", [row], at=now, actor="user:setup")
    assert not report.errors
    state, spec = site.spine.world.cliq.state, site.spine.world.cliq.state.cylinders[twin_id("C6")].spec
    stranger = replace(spec, cylinder_id=UUID(strange), marking="X9")
    state.cylinders[stranger.cylinder_id] = CylinderRecord(spec=stranger)
    await list_again(site)
    assert await lines(site, "locks_unmapped", "lock", "system", "vendor_id") == [("X9", "cliq", strange)]
    assert await lines(site, "cylinders_unlisted", "lock", "zone", "vendor_id") == [("C9", "Z3", missing)]


async def test_cylinders_count_as_to_be_visited_while_nobody_can_say_which_list_a_normal_key(
    site: CliqLegacy,
) -> None:
    assert {line.state for line in (await to_visit(site)).locks} == {"none_needed"}
    assert await ready(site) == {"Z2": (1, 1, 1), "Z3": (4, 4, 4), "Z4": (1, 1, 1)}
    state = site.spine.world.cliq.state
    far = state.cylinders[twin_id("C6")]
    far.spec = replace(far.spec, domain="far away")
    site.spine.world.cliq.settings.visible_domains = frozenset({"site"})
    await read_again(site)
    found = await to_visit(site)
    assert {line.state for line in found.locks} == {"lists_keys"}
    assert found.locks_done == 0
    site.spine.world.cliq_out_of_band.retire(key_id("K004"))
    await list_again(site)
    found = await to_visit(site)
    assert {line.state for line in found.locks} == {"none_needed"}
    kinds = {record.kind for record in state.keys.values() if not record.retired}
    assert CliqKeyKind.NORMAL not in kinds
