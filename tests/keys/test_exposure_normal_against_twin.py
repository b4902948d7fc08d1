"""P2 for normal CLIQ keys against device truth: what they open is listed in cylinders, their limits are in the key.

The two travel apart: limits by updaters, lists by programming keys that somebody carries, that may be pulled out early, may
come back in another order than they went, or not at all. Nothing may open after the published bound or proven end, and
where limits are set, or every visit is done, there is one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import given, strategies as st

from key2xs.connectors.cliq import CliqConnector
from key2xs.keys.exposure import Exposure, ExposureKind, ExposureSettings
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.port import KeyKind
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, OfflineExpiry, Program, ProgramState
from key2xs_twin.cliq import (
    CliqKeyKind,
    CliqKeySpec,
    CliqSettings,
    CliqSite,
    CylinderSpec,
    KeyGroupSpec,
    KeyPlan,
    ProgrammingKeySpec,
    UpdaterSpec,
)
from key2xs_twin.cliq.settings import OfflineUpdates
from key2xs_twin.faults import Fault
from key2xs_twin.physics import Physics
from key2xs_twin.time import NEVER
from key2xs_twin.world import World
from tests.connectors.cliq.connection import make_connector
from tests.keys.watching import Watch
from tests.support import revocations
from tests.twin.cliq_factory import GATE, START, TANK, VALVE, uid

CYLINDERS = (GATE, TANK, VALVE)
ONE, TWO = uid(0xE21), uid(0xE22)
KEYS = (ONE, TWO)
CREW = uid(0xB21)
HERE, THERE = uid(0xF21), uid(0xF22)
CARRIERS = (uid(0xA21), uid(0xA22))
EIGHT = timedelta(hours=8)


def site() -> CliqSite:
    """The gate lists both keys, the tank their key group, the valve nobody."""
    plan = KeyPlan(revalidation_minutes=480)
    return CliqSite(
        cylinders=(
            CylinderSpec(cylinder_id=GATE, marking="C-001", normal_key_ids=frozenset(KEYS)),
            CylinderSpec(cylinder_id=TANK, marking="C-002", key_group_ids=frozenset({CREW})),
            CylinderSpec(cylinder_id=VALVE, marking="C-003"),
        ),
        key_groups=(KeyGroupSpec(group_id=CREW, name="Crew", member_ids=frozenset(KEYS)),),
        keys=tuple(
            CliqKeySpec(key_id=key, serial=f"10420002{n}", kind=CliqKeyKind.NORMAL, plan=plan)
            for n, key in enumerate(KEYS, 1)
        ),
        updaters=(UpdaterSpec(updater_id=HERE, place="AP-1"), UpdaterSpec(updater_id=THERE, place="AP-2")),
        programming_keys=tuple(
            ProgrammingKeySpec(programming_key_id=each, serial=f"C-{n}") for n, each in enumerate(CARRIERS)
        ),
    )


@dataclass
class Story:
    """One history: the world, what is known of each key, and every bound that still stands."""

    world: World
    connector: CliqConnector
    watches: dict[UUID, Watch]
    places: ExposureMap
    bounds: dict[tuple[UUID, UUID], datetime] = field(default_factory=dict)

    def exposure(self, key: UUID, cylinder: UUID) -> Exposure:
        return self.places.of_pair(self.watches[key].on_record(), str(cylinder))

    def publish(self) -> None:
        """Publish a bound for every pair, hold it against the oracle, and try every key."""
        for key in KEYS:
            for cylinder in CYLINDERS:
                self.attempt(key, cylinder)
                at = self.exposure(key, cylinder).at
                if at is not None:
                    self.require_not_after(key, cylinder, at)
                    before = self.bounds.get((key, cylinder))
                    self.bounds[key, cylinder] = min(at, before) if before else at

    def require_not_after(self, key: UUID, cylinder: UUID, at: datetime) -> None:
        truth = self.world.oracle.latest_opening(key, cylinder, self.world.now)
        if truth != NEVER:
            if truth is None or truth > at:
                revocations.violated()
            assert truth is not None, (key, cylinder, self.exposure(key, cylinder), self.watches[key].records)
            assert truth <= at, (truth, at, self.exposure(key, cylinder), self.watches[key].records)

    def attempt(self, key: UUID, cylinder: UUID) -> None:
        """Hold the key to the cylinder: an opening after a bound that stands is the violation itself."""
        bound = self.bounds.get((key, cylinder))
        if bound is not None and self.world.now > bound:
            opened = self.world.present(key, cylinder).ok
            if opened:
                revocations.violated()
            assert not opened, (key, cylinder, bound, self.watches[key].records)

    def forget(self, key: UUID) -> None:
        """A new program for a key withdraws what was published about it."""
        self.bounds = {pair: bound for pair, bound in self.bounds.items() if pair[0] != key}


@dataclass(frozen=True)
class Step:
    """Something that happens; its text is what a failing history prints."""

    text: str
    act: Callable[[Story], Awaitable[None]] = field(repr=False, compare=False)


def build(physics: Physics | None = None, settings: CliqSettings | None = None) -> Story:
    world = World(7, START, physics=physics or Physics(), cliq=site(), cliq_settings=settings)
    connector = make_connector(world)
    watches = {key: Watch(world, connector, key, KeyKind.NORMAL, START) for key in KEYS}
    locks = asyncio.run(connector.inventory()).locks
    return Story(world, connector, watches, ExposureMap(locks, settings=ExposureSettings()))


def right(cylinder: UUID) -> str:
    return f"cyl:{cylinder}"


def advance(count: int) -> Step:
    async def act(story: Story) -> None:
        story.world.advance_to(story.world.now + timedelta(minutes=count))

    return Step(f"advance({count})", act)


def write(
    key: UUID, some: frozenset[UUID], end: int | None, expiry: OfflineExpiry, order: bool, lose: str
) -> Step:
    async def act(story: Story) -> None:
        ends_at = None
        if end is not None:
            ends_at = story.world.now.replace(second=0, microsecond=0) + timedelta(hours=end)
        if lose:
            story.world.faults.add(Fault(operation=lose, effect="lose_response_after_commit", times=1))
        story.forget(key)
        rights = frozenset(right(each) for each in some)
        program = Program(rights, None, ends_at, expiry) if rights else EMPTY_PROGRAM
        await story.watches[key].write(program, order=order)
        story.world.faults.clear()

    return Step(f"write({key}, {some}, {end}, {expiry}, {order}, {lose})", act)


def revoke(key: UUID) -> Step:
    async def act(story: Story) -> None:
        story.forget(key)
        at = story.world.now
        await story.watches[key].write(EMPTY_PROGRAM, order=True)
        revocations.revoked()
        for cylinder in CYLINDERS:
            exposure = story.exposure(key, cylinder)
            if exposure.kind is not ExposureKind.PROVEN_END:
                truth = story.world.oracle.latest_opening(key, cylinder, story.world.now)
                revocations.bounded(at, exposure.at, truth)

    return Step(f"revoke({key})", act)


def read(key: UUID) -> Step:
    async def act(story: Story) -> None:
        await story.watches[key].read()

    return Step(f"read({key})", act)


def edit(cylinder: UUID, some: frozenset[UUID], crew: bool) -> Step:
    """The list of a cylinder is edited in the vendor's tool, and read at once."""

    async def act(story: Story) -> None:
        for key in KEYS:
            story.forget(key)
        story.world.cliq_out_of_band.change_list(cylinder, some, {CREW} if crew else ())
        for key in KEYS:
            await story.watches[key].read()

    return Step(f"edit({cylinder}, {some}, {crew})", act)


def meet(key: UUID, updater: UUID, how: str) -> Step:
    async def act(story: Story) -> None:
        story.world.present_at_updater(key, updater, pulled_early=how == "early", ack_lost=how == "silent")

    return Step(f"meet({key}, {updater}, {how})", act)


def network(updater: UUID, up: bool) -> Step:
    async def act(story: Story) -> None:
        (story.world.restore_network if up else story.world.cut_network)(updater)

    return Step(f"network({updater}, {up})", act)


def load(carrier: UUID) -> Step:
    async def act(story: Story) -> None:
        story.world.load_programming_key(carrier, HERE)

    return Step(f"load({carrier})", act)


def visit(carrier: UUID, cylinder: UUID, early: bool) -> Step:
    async def act(story: Story) -> None:
        story.world.insert_programming_key(carrier, cylinder, pulled_early=early)

    return Step(f"visit({carrier}, {cylinder}, {early})", act)


def give_back(carrier: UUID) -> Step:
    async def act(story: Story) -> None:
        story.world.return_programming_key(carrier, HERE)

    return Step(f"give_back({carrier})", act)


keys, cylinders, carriers = st.sampled_from(KEYS), st.sampled_from(CYLINDERS), st.sampled_from(CARRIERS)
some_cylinders = st.frozensets(cylinders)
ends = st.one_of(st.none(), st.integers(1, 30))
expiries = st.one_of(st.just(UNLIMITED), st.integers(1, 20).map(lambda n: timedelta(hours=n)))
losses = st.sampled_from(
    [
        "",
        "",
        "",
        "PUT cliq/keys/*/plan",
        "PUT cliq/cylinders/*/list",
        "POST cliq/jobs",
        "POST cliq/keys/*/send",
    ]
)
rounds = st.one_of(
    st.builds(load, carriers),
    st.builds(visit, carriers, cylinders, st.sampled_from([False, False, False, True])),
    st.builds(give_back, carriers),
)
contacts = st.one_of(
    st.builds(advance, st.integers(1, 20 * 60)),
    st.builds(read, keys),
    st.builds(
        meet, keys, st.sampled_from([HERE, THERE]), st.sampled_from(["well", "well", "early", "silent"])
    ),
    st.builds(network, st.just(THERE), st.booleans()),
)
writes = st.one_of(
    st.builds(write, keys, some_cylinders, ends, expiries, st.booleans(), losses),
    st.builds(revoke, keys),
    st.builds(edit, cylinders, st.frozensets(keys), st.booleans()),
)
steps = st.one_of(writes, contacts, rounds, rounds)
physics = st.builds(Physics, cliq_offset_s=st.sampled_from([0.0, 1.0, 20.0]))
vendors = st.builds(
    CliqSettings,
    offline_updates=st.builds(
        OfflineUpdates,
        count=st.sampled_from([0, 0, 1, 3]),
        gap=st.sampled_from([None, timedelta(hours=2), timedelta(hours=30)]),
    ),
    job_capacity=st.sampled_from([2, 30]),
)


@given(physics, vendors, st.lists(steps, min_size=3, max_size=16))
def test_no_normal_key_opens_after_the_bound_published_for_it(
    truth: Physics, vendor: CliqSettings, history: list[Step]
) -> None:
    story = build(truth, vendor)

    async def play() -> None:
        for watch in story.watches.values():
            await watch.read()
        story.publish()
        for step in history:
            await step.act(story)
            story.publish()

    asyncio.run(play())
    for _, bound in sorted(story.bounds.items(), key=lambda item: item[1]):
        for offset in (timedelta(seconds=-1), timedelta(seconds=1)):
            story.world.advance_to(max(story.world.now, bound + offset))
            for key in KEYS:
                for cylinder in CYLINDERS:
                    story.attempt(key, cylinder)


@given(
    physics, vendors, st.lists(steps, max_size=6), st.lists(st.one_of(contacts, rounds, rounds), max_size=8)
)
def test_no_normal_key_opens_after_its_bound_when_all_of_them_are_revoked(
    truth: Physics, vendor: CliqSettings, before: list[Step], after: list[Step]
) -> None:
    """Every key is revoked in whatever state it is; then people go on their rounds, and nothing is written any more."""
    story = build(truth, vendor)

    async def play() -> None:
        for watch in story.watches.values():
            await watch.read()
        for step in before:
            await step.act(story)
        for key in KEYS:
            await revoke(key).act(story)
        for step in after:
            story.publish()
            await step.act(story)
        story.publish()

    asyncio.run(play())


@given(
    physics, keys, st.integers(1, 30), st.one_of(st.none(), st.integers(1, 30)), some_cylinders, st.booleans()
)
def test_a_revoked_normal_key_ends_by_its_limits_and_at_each_cylinder_by_its_visit(
    truth: Physics, key: UUID, expiry: int, end: int | None, visited: frozenset[UUID], is_held_up: bool
) -> None:
    """Liveness: with limits there is a bound everywhere; a proven visit ends a cylinder, an update all of them."""
    story = build(truth, CliqSettings())
    world, watch = story.world, story.watches[key]

    async def play() -> None:
        await watch.read()
        await write(key, frozenset(CYLINDERS), end, timedelta(hours=expiry), True, "").act(story)
        go_round(world, CYLINDERS)
        assert world.present_at_updater(key, HERE)
        await watch.read()
        assert watch.records[-1].state is ProgramState.PROVEN
        assert all(world.present(key, each).ok for each in CYLINDERS)
        await revoke(key).act(story)
        world.advance_to(world.now + timedelta(minutes=2))
        await watch.read()
        assert {story.exposure(key, each).kind for each in CYLINDERS} == {ExposureKind.BOUND}
        go_round(world, visited)
        await watch.read()
        for each in CYLINDERS:
            is_off = each in visited
            assert story.exposure(key, each).kind is (
                ExposureKind.PROVEN_END if is_off else ExposureKind.BOUND
            )
            assert world.present(key, each).ok is not is_off
        assert story.places.opens(watch.on_record()) == {
            str(each) for each in CYLINDERS if each not in visited
        }
        if is_held_up:
            assert world.present_at_updater(key, HERE)
            await watch.read()
            assert {story.exposure(key, each).kind for each in CYLINDERS} == {ExposureKind.PROVEN_END}
            assert not any(world.present(key, each).ok for each in CYLINDERS)

    asyncio.run(play())


def go_round(world: World, visited: frozenset[UUID] | tuple[UUID, ...]) -> None:
    """Everybody fetches what waits, goes to these cylinders and comes back."""
    for carrier in CARRIERS:
        world.load_programming_key(carrier, HERE)
    for carrier in CARRIERS:
        for cylinder in visited:
            world.insert_programming_key(carrier, cylinder)
        world.return_programming_key(carrier, HERE)


def test_without_limits_only_the_visits_end_it() -> None:
    story = build()
    world, watch = story.world, story.watches[ONE]

    async def play() -> None:
        await watch.read()
        await write(ONE, frozenset({GATE, TANK}), None, UNLIMITED, True, "").act(story)
        world.present_at_updater(ONE, HERE)
        await watch.read()
        await revoke(ONE).act(story)
        await advance(1).act(story)
        assert story.exposure(ONE, GATE).kind is ExposureKind.NO_BOUND
        go_round(world, (GATE,))
        await watch.read()
        assert story.exposure(ONE, GATE).kind is ExposureKind.PROVEN_END
        assert story.exposure(ONE, TANK).kind is ExposureKind.NO_BOUND, "the residual cylinder"

    asyncio.run(play())


def test_a_list_that_was_fetched_before_can_put_back_what_another_visit_took_off() -> None:
    """The stale list is still out there, so taking the key off again proves nothing before it is back."""
    story = build()
    world, watch = story.world, story.watches[ONE]
    both = frozenset({GATE, VALVE})

    async def play() -> None:
        await watch.read()
        await write(ONE, both, None, UNLIMITED, True, "").act(story)
        world.present_at_updater(ONE, HERE)
        carrier = next(job.programming_key_id for job in world.cliq.state.jobs.values())
        other = next(each for each in CARRIERS if each != carrier)
        world.load_programming_key(carrier, HERE)
        await write(ONE, frozenset({GATE}), None, UNLIMITED, True, "").act(story)
        world.cliq.state.jobs[next(reversed(world.cliq.state.jobs))].programming_key_id = other
        world.load_programming_key(other, HERE)
        await advance(1).act(story)
        world.insert_programming_key(other, VALVE)
        world.return_programming_key(other, HERE)
        await watch.read()
        assert not world.present(ONE, VALVE).ok
        assert story.exposure(ONE, VALVE).kind is ExposureKind.NO_BOUND, "the older list is on its way"
        world.insert_programming_key(carrier, VALVE)
        assert world.present(ONE, VALVE).ok
        world.return_programming_key(carrier, HERE)
        await watch.read()
        assert story.exposure(ONE, VALVE).kind is ExposureKind.NO_BOUND
        assert watch.reading is not None
        assert watch.reading.to_visit >= {str(VALVE)}
        assert watch.reading.unplaced == {str(VALVE)}, "it has to be visited once more"

    asyncio.run(play())


def test_a_cylinder_that_lists_the_key_lets_it_in_with_whatever_limits_it_has() -> None:
    """Lists and limits travel apart: an end that was planned together with a cylinder does not count there alone."""
    story = build()
    world, watch = story.world, story.watches[ONE]

    async def play() -> None:
        await watch.read()
        await write(ONE, frozenset({GATE}), None, UNLIMITED, True, "").act(story)
        go_round(world, CYLINDERS)
        world.present_at_updater(ONE, HERE)
        await watch.read()
        await write(ONE, frozenset({VALVE}), 1, timedelta(hours=1), True, "").act(story)
        go_round(world, (VALVE,))
        await watch.read()
        await advance(300).act(story)
        assert world.present(ONE, VALVE).ok, "the key was not presented: nothing in it ends"
        assert story.exposure(ONE, VALVE).kind is ExposureKind.NO_BOUND
        assert story.exposure(ONE, GATE).kind is ExposureKind.NO_BOUND, "not visited"

    asyncio.run(play())
