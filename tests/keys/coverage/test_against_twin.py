"""What is claimed against the devices' own memories: nothing that happened in a claimed span is missing here.

Both makers, through the real connectors. The twin knows every act; the product knows what carriers brought. Histories are
seeded: holders come and go, programmers and programming keys read now and then, memories are small and run over.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from key2xs.connectors.cliq import mapping
from key2xs.keys.coverage.reads import CylinderCoverage, KeyCoverage, cylinders, keys
from key2xs_twin.cliq.things import EventKind
from tests.keys.legacy import Legacy, open_legacy_of
from tests.keys.legacy_cliq import CliqLegacy, key_id
from tests.support.database import DatabaseServer
from tests.support.tiny import MARKINGS, twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE

SMALL = 6
STEPS = 32


async def coverage_of(site: Legacy) -> tuple[list[CylinderCoverage], list[KeyCoverage]]:
    async with site.spine.services.database.read() as tx:
        return await cylinders(tx, site.spine.now), await keys(tx, site.spine.now)


async def check(site: Legacy) -> tuple[int, int]:
    """Compare every claim with what truly happened; returns how many cylinders and keys claim something."""
    locks, holders = await coverage_of(site)
    rows = await site.spine.fetch(
        "SELECT lock_external_id AS lock, key_external_id AS key, coalesce(occurred_at, read_at) AS at FROM key_event"
    )
    truth = [each for each in site.spine.world.openings if each.key_id is not None and each.ok]
    missing = [
        each
        for each in truth
        if not any(
            row["lock"] == str(each.lock_id)
            and row["key"] == str(each.key_id)
            and abs(row["at"] - each.at) <= timedelta(minutes=1)
            for row in rows
        )
    ]
    for line in locks:
        lock = twin_id(line.lock)
        assert not [x for x in missing if x.lock_id == lock and line.coverage.covers(x.at, x.at)], line
    for key in holders:
        mine = key_id(key.key)
        assert not [x for x in missing if x.key_id == mine and key.coverage.covers(x.at, x.at)], key
    at_all = [line for line in locks if line.coverage.read_up_to is not None]
    return len(at_all), sum(each.coverage.read_up_to is not None for each in holders)


async def history(
    site: Legacy, seed: int, acts: Sequence[Callable[[random.Random], object]]
) -> tuple[int, int]:
    chance, claimed, claimed_keys = random.Random(seed), 0, 0
    for step in range(STEPS):
        chance.choice(acts)(chance)
        site.spine.world.advance_to(site.spine.world.now + timedelta(minutes=chance.choice((1, 20, 45, 90))))
        if step % 8 == 7:
            site.spine.clock.advance_to(site.spine.world.now)
            await site.spine.settle()
            found = await check(site)
            claimed, claimed_keys = claimed + found[0], claimed_keys + found[1]
    return claimed, claimed_keys


@pytest.mark.parametrize("seed", [1, 2])
async def test_numbered_rows_of_locks(databases: DatabaseServer, seed: int) -> None:
    async with open_legacy_of(Legacy, databases, adopted=True) as site:
        world = site.spine.world
        for lock in world.locks.values():
            lock.ring = deque(lock.ring, maxlen=SMALL)
        stamps = ("K001", "K001", "K002", "K004")

        def tries(chance: random.Random) -> None:
            for _ in range(chance.choice((1, 2, 5))):
                world.present(key_id(chance.choice(stamps)), twin_id(chance.choice(MARKINGS[:3])))
                world.advance_to(world.now + timedelta(minutes=3))

        acts = [
            tries, tries, tries,
            lambda chance: world.programmer_visit(twin_id(chance.choice(MARKINGS[:3]))),
            lambda _: world.cut_network(key_id("K001")),
            lambda _: world.restore_network(key_id("K001")),
        ]  # fmt: skip
        claimed, _ = await history(site, seed, acts)
        locks, _ = await coverage_of(site)
        assert claimed, "it is not always *not known*"
        assert {each.standing for each in locks if each.coverage.read_up_to is None} <= {"unknown"}


@pytest.mark.parametrize("seed", [1, 2])
async def test_readings_of_keys_and_cylinders(
    databases: DatabaseServer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "CYLINDER_ROWS", SMALL)
    async with open_legacy_of(CliqLegacy, databases, adopted=True) as site:
        world = site.spine.world
        for cylinder in world.cliq_field.cylinders.values():
            cylinder.own_rows = deque(cylinder.own_rows, maxlen=SMALL)

        def tries(chance: random.Random) -> None:
            # K004 is never updated: what it did is in the cylinders only.
            key, marking = chance.choice((("K001", "C1"), ("K001", "C3"), ("K004", "C5"), ("K004", "C5")))
            for _ in range(chance.choice((1, 2, 9))):
                world.present(key_id(key), twin_id(marking))
                world.advance_to(world.now + timedelta(minutes=3))

        def round_of(chance: random.Random) -> None:
            for marking in ("C5", chance.choice(("C1", "C3"))):
                world.cliq_field.insert(CARRIERS[0], twin_id(marking), pulled_early=chance.random() < 0.2)
                world.advance_to(world.now + timedelta(minutes=5))

        def wipe(chance: random.Random) -> None:
            """A visit was torn; the next one overwrites everything in the cylinder, and its list was not read."""
            field, name = world.cliq_field, twin_id(chance.choice(("C1", "C3", "C5")))
            field.cylinders[name].own_rows.clear()
            field._note(field.programming_keys[CARRIERS[0]], EventKind.CYLINDER_REPROGRAMMED, name)

        acts = [
            tries, tries, tries, round_of, round_of, round_of, wipe,
            lambda _: world.cliq_field.give_back(CARRIERS[0], GATEHOUSE),
            lambda _: world.cliq_field.give_back(CARRIERS[0], GATEHOUSE),
            lambda chance: world.present_at_updater(key_id(chance.choice(("K001", "K003"))), GATEHOUSE),
        ]  # fmt: skip
        claimed, claimed_keys = await history(site, seed, acts)
        assert claimed, "it is not always *not known*"
        assert claimed_keys
