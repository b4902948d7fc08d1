"""Edits of all kinds made in the twin, over both makers: each is found within one sync, and nothing else is.

One sync is one listing and one reading of every key. What the product does itself meanwhile (grants that begin and end,
responses that are lost, writes that arrive late) is never a finding.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from key2xs.core.postgres import RoleDsns
from key2xs.keys.drift.findings import list_findings
from key2xs.keys.drift.types import Finding
from key2xs.keys.recovery import read_all_again
from key2xs_twin.faults import Fault
from tests.conftest import START
from tests.keys.drift.edits import (
    Edit,
    Injected,
    cliq_edits,
    cliq_group_members,
    cliq_new_key,
    iloq_edits,
    iloq_lock,
    iloq_new_key,
)
from tests.support.drifts import injected
from tests.support.spine import Spine, open_spine
from tests.support.tiny import tiny_site
from tests.support.tiny_cliq import tiny_cliq_site

KEYS = 12
MOST_MORE = 60  # edits, for the kinds that were not possible before
FOR_GOOD = {"delete", "out_of_sight", "retire", "lost"}
PEOPLE = ("u1", "u2", "u3")
CREW_OF = (("C1", "C2"), ("C3",), ("C5", "C6"))


async def sync(spine: Spine) -> list[Finding]:
    """List everything and read every key; return all findings."""
    for loop in spine.installation.loops:
        if loop.name.startswith("inventory:"):
            loop._due = None  # type: ignore[attr-defined]
            spine._due.pop(loop.name, None)
            await loop.step(spine.now)
    await spine.services.database.transact(lambda tx: read_all_again(tx, spine.now))
    await spine.settle()
    async with spine.services.database.read() as tx:
        return await list_findings(tx, limit=100_000)


def matches(edit: Injected, found: Finding, kinds: frozenset[str]) -> bool:
    """Tell whether a finding tells of an edit."""
    if found.kind not in kinds:
        return False
    if edit.what == "key":
        return found.stamp == edit.name
    return (
        found.key_id is None
        if edit.what == "right_or_lock"
        else found.lock == edit.name or found.lock is None
    )


class Round:
    """Rounds of edits, and what became of them."""

    def __init__(self, spine: Spine, rng: Random) -> None:
        self.spine, self.rng = spine, rng
        self.known: dict[Any, str] = {}
        self.closed: list[Finding] = []
        self.problems: list[str] = []
        self.tried: set[str] = set()

    async def quiet(self) -> None:
        """Whatever the product did itself is no finding."""
        new = await self._new()
        injected(0, 0, len(new))
        self.problems += [f"false: {each.stamp} {each.kind} {each.before} -> {each.after}" for each in new]

    async def found(self, edits: list[Injected]) -> None:
        """Every edit is found, and nothing else; one that takes back an earlier edit closes what that one opened."""
        new = await self._new()
        told = [*new, *self.closed]
        missed = [each for each in edits if not any(matches(each, found, each.kinds) for found in told)]
        false = [
            found for found in new if not any(matches(each, found, each.kinds | each.also) for each in edits)
        ]
        injected(len(edits) - len(missed), len(missed), len(false))
        self.problems += [f"missed: {each}" for each in missed]
        self.problems += [
            f"false: {each.stamp} {each.lock} {each.kind} {each.before} -> {each.after}" for each in false
        ]

    async def _new(self) -> list[Finding]:
        found = await sync(self.spine)
        new = [each for each in found if each.id not in self.known]
        self.closed = [each for each in found if each.state == "gone" != self.known.get(each.id, "gone")]
        self.known = {each.id: each.state for each in found}
        return new


async def run(
    spine: Spine,
    edits: dict[str, Edit],
    of_locks: Callable[[Spine, Random], Injected],
    new_key: Callable[[Spine, Random, int], Injected],
    *,
    edits_wanted: int,
    seed: int,
    faults: list[Fault],
) -> Round:
    """Make edits until there were enough, and one of every kind."""
    rng = Random(seed)
    rounds = Round(spine, rng)
    for person, markings in zip(PEOPLE, CREW_OF, strict=True):
        await spine.person(person)
        await spine.hand_out(f"K00{PEOPLE.index(person) + 1}", person)
        await spine.live_permit(*markings, crew=[person], hours=10)
    await spine.advance(timedelta(hours=13), every=timedelta(hours=13))
    await rounds.quiet()
    made, keys, number = 0, list(range(1, KEYS + 1)), KEYS + 1
    while made < edits_wanted or rounds.tried < set(edits):
        for fault in faults:
            spine.world.faults.add(fault)
        for crew in (rng.choice(range(3)),) if rounds.tried else range(3):
            await spine.live_permit(*CREW_OF[crew], crew=[PEOPLE[crew]], hours=2)
        await spine.advance(timedelta(minutes=10), every=timedelta(minutes=5))
        spine.world.faults.clear()
        await rounds.quiet()
        batch = []
        for key in keys:
            for name in _names(edits, rounds.tried, rng):
                edit = edits[name](spine, key, rng)
                if edit is not None:
                    batch.append(edit)
                    rounds.tried.add(name)
                    break
        if rng.random() < 0.6:
            batch.append(of_locks(spine, rng))
        number += 1
        batch.append(new_key(spine, rng, number))
        keys = [*keys[: len(PEOPLE)], *keys[len(PEOPLE) + 1 :], number]  # those in people's hands stay
        await rounds.found(batch)
        made += len(batch)
        assert made < edits_wanted + MOST_MORE, f"never possible: {set(edits) - rounds.tried}"
    return rounds


def _names(edits: dict[str, Edit], tried: set[str], rng: Random) -> list[str]:
    """Kinds to try on a key until one is possible: first what was never made, then any; most keys stay in use."""
    untried = [each for each in edits if each not in tried]
    names = [each for each in edits if each not in FOR_GOOD or rng.random() < 0.15]
    return [*untried, rng.choice(names)]


LOST = [
    Fault(operation="PUT Keys/*/SecurityAccesses", effect="lose_response_after_commit", times=1),
    Fault(operation="PUT Keys/*/SecurityAccesses", effect="late_write:30", times=1),
    Fault(operation="PUT Keys/*/SecurityAccesses", effect="lose_request", times=1),
]
LOST_CLIQ = [
    Fault(operation="PUT cliq/keys/*/plan", effect="lose_response_after_commit", times=1),
    Fault(operation="PUT cliq/keys/*/plan", effect="late_write:30", times=1),
    Fault(operation="PUT cliq/keys/*/plan", effect="lose_request", times=1),
]


async def _iloq(dsns: RoleDsns, folder: Path, *, edits: int, seed: int) -> Round:
    async with open_spine(dsns, folder, START, site=tiny_site(KEYS), seed=seed) as spine:
        return await run(
            spine, iloq_edits(), iloq_lock, iloq_new_key, edits_wanted=edits, seed=seed, faults=LOST
        )


async def _cliq(dsns: RoleDsns, folder: Path, *, edits: int, seed: int) -> Round:
    async with open_spine(dsns, folder, START, site=tiny_cliq_site(KEYS + 1), seed=seed) as spine:
        return await run(
            spine,
            cliq_edits(),
            cliq_group_members,
            cliq_new_key,
            edits_wanted=edits,
            seed=seed,
            faults=LOST_CLIQ,
        )


async def test_edits_of_iloq_keys_are_found_within_one_sync(db_dsns: RoleDsns, tmp_path: Path) -> None:
    assert (await _iloq(db_dsns, tmp_path, edits=13, seed=7)).problems == []


async def test_edits_of_cliq_keys_are_found_within_one_sync(db_dsns: RoleDsns, tmp_path: Path) -> None:
    assert (await _cliq(db_dsns, tmp_path, edits=13, seed=7)).problems == []


@pytest.mark.long
async def test_five_hundred_edits_of_iloq_keys(db_dsns: RoleDsns, tmp_path: Path) -> None:
    done = await _iloq(db_dsns, tmp_path, edits=500, seed=11)
    assert done.problems == []


@pytest.mark.long
async def test_five_hundred_edits_of_cliq_keys(db_dsns: RoleDsns, tmp_path: Path) -> None:
    done = await _cliq(db_dsns, tmp_path, edits=500, seed=11)
    assert done.problems == []
