"""A key that was not adopted is never written, whatever happens; and an adopted one is never widened by adoption.

Its liveness twin: what stands in a zone that nobody enforced, and that nobody ended, stays on the key. Both makes: on CLIQ
one of the keys is a normal one, which can never be adopted, and programs reach keys only when somebody holds them up.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

from hypothesis import Phase, given, settings, strategies as st

from key2xs.core.crash import SimulatedCrash, declared
from key2xs.core.errors import Key2XSError
from key2xs.keys.adoption.adopting import adopt_one
from key2xs_twin.faults import Fault
from key2xs_twin.iloq.errors import ApiError
from tests.keys.legacy import Legacy, open_legacy, open_legacy_of
from tests.keys.legacy_cliq import CliqLegacy
from tests.support.database import DatabaseServer
from tests.support.stage import run
from tests.support.tiny import MARKINGS, twin_id
from tests.support.tiny_cliq import GATEHOUSE

STAMPS = ("K001", "K002", "K003", "K004")
ZONES = ("Z2", "Z3", "Z4")
ZONE_OF = {"C1": "Z3", "C2": "Z3", "C3": "Z2", "C4": "Z3", "C5": "Z4", "C6": "Z3"}
REFS = ("u1", "u2")
MODES = ("observe", "advise", "enforce")
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 16, 400))


@dataclass
class Past:
    """A history of taking a site over, and what must be true after each act."""

    site: Legacy
    untouched: dict[str, str] = field(default_factory=dict)
    allowed: dict[str, set[str]] = field(default_factory=dict)
    fixed: dict[str, set[str]] = field(default_factory=dict)
    edited: set[str] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    kind: ClassVar[type[Legacy]] = Legacy
    written_by: ClassVar[tuple[str, ...]] = ("PUT Keys/*/SecurityAccesses", "POST Keys/*/Order")

    def look(self, stamp: str) -> None:
        """Remember what the vendor holds of a key that nobody but its own people touched."""
        self.untouched[stamp] = self.held(stamp)
        self.allowed.setdefault(stamp, set()).update(self.opens(stamp))

    def held(self, stamp: str) -> str:
        record = self.site.spine.world.iloq.state.keys[key_id(stamp)]
        listed = self.site.spine.world.iloq.state.blocks.is_blocked(record.key_id)
        if stamp in self.edited:
            # Its people's own order goes its way; only what they planned must stay.
            return repr((record.plan, listed))
        return repr((record.plan, record.programmed, record.programming_state, record.state, listed))

    def opens(self, stamp: str) -> set[str]:
        """Return the locks that the vendor's plan of a key opens."""
        state = self.site.spine.world.iloq.state
        rights = state.keys[key_id(stamp)].plan.right_ids
        return {m for m in MARKINGS if state.locks[twin_id(m)].right_ids & rights}

    def spans(self, stamp: str) -> bool:
        """Tell whether a right of a key opens more than what is to stay, and cannot be split."""
        state = self.site.spine.world.iloq.state
        return any(
            {m for m in MARKINGS if right in state.locks[twin_id(m)].right_ids} & self.opens(stamp)
            > self.fixed[stamp]
            for right in state.keys[key_id(stamp)].plan.right_ids
        )

    def edit(self, stamp: str, number: int, *, order: bool) -> None:
        """Somebody gives a key other rights in the vendor's own tool."""
        others = self.site.spine.world.out_of_band
        others.change_rights(key_id(stamp), [twin_id(f"right C{1 + n}") for n in range(number)])
        if order:
            others.order(key_id(stamp))

    def carry(self, stamp: str) -> None:
        """Somebody holds a key to an updater; this make's keys come by themselves."""

    def forget(self, stamp: str) -> None:
        """From now on what stands on this key need not stay."""
        self.fixed.pop(stamp, None)

    async def settle(self) -> None:
        while True:
            try:
                return await self.site.spine.settle()
            except SimulatedCrash:
                continue

    async def check(self) -> None:
        rows = await self.site.spine.fetch("SELECT stamp, adopted_at FROM key_key")
        granted = await self.site.spine.fetch(
            "SELECT DISTINCT cylinder.marking FROM grant_cylinder AS part "
            "JOIN plant_cylinder AS cylinder ON cylinder.id = part.cylinder_id"
        )
        ours = {row["marking"] for row in granted}
        for row in rows:
            stamp = row["stamp"]
            if row["adopted_at"] is None:
                assert self.held(stamp) == self.untouched[stamp], (stamp, "was written", *self.told)
                continue
            wider = self.opens(stamp) - self.allowed[stamp] - ours
            assert not wider, (stamp, "opens more than before", wider, *self.told)
            lost = self.fixed.get(stamp, set()) - self.opens(stamp)
            assert not lost, (stamp, "lost what nobody ended", lost, *self.told)


class CliqPast(Past):
    """The same on CLIQ."""

    kind: ClassVar[type[Legacy]] = CliqLegacy
    written_by: ClassVar[tuple[str, ...]] = ("PUT cliq/keys/*/plan", "POST cliq/keys/*/send")

    def held(self, stamp: str) -> str:
        record = self.site.spine.world.cliq.state.keys[key_id(stamp)]
        rounds = self.site.spine.world.cliq.state.tasks_for(record.key_id)
        if stamp in self.edited:
            return repr((record.plan, record.reported, rounds))
        return repr(
            (record.plan, record.sent, record.sent_revision, record.confirmed, record.reported, rounds)
        )

    def opens(self, stamp: str) -> set[str]:
        return self.site.planned(stamp)

    def spans(self, stamp: str) -> bool:
        """Every cylinder is a right of its own, and both members of the one group lie in one zone."""
        return False

    def edit(self, stamp: str, number: int, *, order: bool) -> None:
        others = self.site.spine.world.cliq_out_of_band
        others.change_plan(key_id(stamp), [twin_id(f"C{1 + n}") for n in range(number)], group_ids=())
        if order:
            others.send(key_id(stamp))

    def carry(self, stamp: str) -> None:
        self.site.spine.world.present_at_updater(key_id(stamp), GATEHOUSE)


def key_id(stamp: str) -> UUID:
    return twin_id(f"key {int(stamp[1:])}")


async def _adopt(it: Past, a: int, _b: int) -> None:
    key = await it.site.key(STAMPS[a % 4])
    async with it.site.spine.services.database.transaction() as tx:
        await adopt_one(tx, it.site.spine.services.ledger, key, actor="user:a", at=it.site.spine.now)


async def _run(it: Past, a: int, b: int) -> None:
    with declared()["adoption.run.after_batch"].armed(1 + a % 2):
        await it.site.adopt_all(zone=await it.site.zone(ZONES[a % 3]) if b % 2 else None, settle=False)
        await it.settle()


async def _mode(it: Past, a: int, b: int) -> None:
    zone, mode = ZONES[a % 3], MODES[b % 3]
    await it.site.mode(zone, mode, settle=False)
    if mode == "enforce":
        for stamp, locks in it.fixed.items():
            it.fixed[stamp] = {lock for lock in locks if ZONE_OF[lock] != zone}
            # A right that spans the zone goes as a whole; where the catalogue has one for the rest, that takes over.
            if it.spans(stamp) and stamp == "K004":
                it.fixed[stamp] = set()


async def _write(it: Past, a: int, _b: int) -> None:
    await it.site.write(on=a % 3 != 0)


async def _edit(it: Past, a: int, b: int) -> None:
    stamp = STAMPS[a % 4]
    it.edit(stamp, b % 4, order=bool(a % 3))
    it.edited.add(stamp)
    it.look(stamp)
    it.forget(stamp)


async def _hand_out(it: Past, a: int, b: int) -> None:
    stamp, ref = STAMPS[a % 4], REFS[b % 2]
    services = it.site.spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, stamp)
        await services.custody.hand_out(
            tx, key.id, it.site.spine.persons[ref], actor="user:desk", at=it.site.spine.now
        )


async def _take_back(it: Past, a: int, _b: int) -> None:
    services = it.site.spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, STAMPS[a % 4])
        await services.custody.take_back(tx, key.id, actor="user:desk", at=it.site.spine.now)


async def _permit(it: Past, a: int, b: int) -> None:
    await it.site.spine.live_permit(f"C{1 + a % 3}", crew=[REFS[b % 2]], hours=1 + b % 3)


async def _block(it: Past, a: int, _b: int) -> None:
    services, stamp = it.site.spine.services, STAMPS[a % 4]
    it.forget(stamp)
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, stamp)
        await services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=it.site.spine.now)
        await services.kill.narrow_key(tx, key.id, it.site.spine.now)


async def _end(it: Past, a: int, _b: int) -> None:
    services, stamp = it.site.spine.services, STAMPS[a % 4]
    it.forget(stamp)
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, stamp)
        await services.standing.end(tx, key, reason="test", actor="user:soc", at=it.site.spine.now)
        await services.kill.narrow_key(tx, key.id, it.site.spine.now)


async def _fault(it: Past, a: int, b: int) -> None:
    effects = ("lose_response_after_commit", "lose_request", "status:500", "late_write:45")
    it.site.spine.world.faults.add(
        Fault(
            operation=it.written_by[a % 2],
            effect=effects[b % 4],
            times=1,
        )
    )


async def _crash(it: Past, a: int, b: int) -> None:
    names = sorted(name for name in declared() if name.startswith(("keys.", "adoption.")))
    with declared()[names[(a * 7 + b) % len(names)]].armed():
        await it.settle()


async def _carry(it: Past, a: int, _b: int) -> None:
    it.carry(STAMPS[a % 4])


async def _wait(it: Past, a: int, _b: int) -> None:
    by = WAITS[a % 4]
    for _ in range(2):
        to = it.site.spine.now + by / 2
        it.site.spine.world.advance_to(to)
        it.site.spine.clock.advance_to(to)
        await it.settle()


ACTS: dict[str, Callable[[Past, int, int], Awaitable[None]]] = {
    "adopt": _adopt, "run": _run, "mode": _mode, "write": _write, "edit": _edit, "hand_out": _hand_out,
    "take_back": _take_back, "permit": _permit, "block": _block, "end": _end, "fault": _fault, "crash": _crash,
    "wait": _wait, "carry": _carry,
}  # fmt: skip
LONGEST = 16
numbers = st.integers(0, 11)
histories = st.lists(st.tuples(st.sampled_from(sorted(ACTS)), numbers, numbers), min_size=8, max_size=LONGEST)


def _examples(few: int) -> settings:
    phases = (Phase.explicit, Phase.generate)
    return settings(max_examples=few * settings().max_examples // 25, phases=phases)


async def play(databases: DatabaseServer, acts: list[tuple[str, int, int]], past: type[Past] = Past) -> None:
    """Play a history, checking after each act."""
    async with open_legacy_of(past.kind, databases, adopted=False) as site:
        it = past(site)
        for stamp in STAMPS:
            it.look(stamp)
            it.fixed[stamp] = it.opens(stamp)
        await site.write()
        for name, a, b in acts:
            it.told.append(f"{site.spine.now:%H:%M} {name} {a} {b}")
            with contextlib.suppress(Key2XSError, ApiError, SimulatedCrash):
                await ACTS[name](it, a, b)
            await it.settle()
            await it.check()


@_examples(3)
@given(acts=histories)
def test_a_key_that_was_not_adopted_is_never_written(
    databases: DatabaseServer, acts: list[tuple[str, int, int]]
) -> None:
    run(play(databases, acts))


@_examples(3)
@given(acts=histories)
def test_a_cliq_key_that_was_not_adopted_is_never_written(
    databases: DatabaseServer, acts: list[tuple[str, int, int]]
) -> None:
    run(play(databases, acts, CliqPast))


async def test_an_adopted_key_in_an_enforced_zone_is_brought_in_line(databases: DatabaseServer) -> None:
    async with open_legacy(databases) as site:
        for zone in ZONES:
            await site.mode(zone, "enforce", settle=False)
        await site.wait(16)
        assert site.planned("K001") == site.planned("K002") == set()
        opens = {m for m in MARKINGS if site.spine.try_open("K001", m)}
        assert opens == set()
        rows = await site.spine.fetch("SELECT count(*) AS n FROM key_standing WHERE ended_at IS NULL")
        assert rows[0]["n"] == 0
