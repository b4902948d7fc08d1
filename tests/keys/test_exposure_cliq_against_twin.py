"""P2 for CLIQ keys against device truth: nothing opens after the published bound, and where R is set there is one.

The history goes through the real connector: writes that may get no answer, keys held to updaters, pulled out early or not
acknowledged, updaters that lose the network and go on renewing, edits in the vendor's own tool (read at once, because the
assumption list says so). The oracle answers from the devices themselves and assumes no further renewal; keys are therefore
also tried at every step, after every renewal that did happen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
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
    KeyPlan,
    UpdaterKind,
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
from tests.twin.cliq_factory import GATE, START, TANK, TANKS, VALVE, make_site, uid

CYLINDERS = (GATE, TANK, VALVE)
RIGHTS = (f"cyl:{GATE}", f"cyl:{VALVE}", f"grp:{TANKS}")
DYNAMIC, CONNECT = uid(0xE11), uid(0xE12)
PHONE, HERE, THERE = uid(0xF11), uid(0xF12), uid(0xF13)
KEYS = {DYNAMIC: KeyKind.DYNAMIC, CONNECT: KeyKind.CONNECT}
UPDATERS = (PHONE, HERE, THERE)
EIGHT = timedelta(hours=8)


def site() -> CliqSite:
    plan = KeyPlan(
        cylinder_ids=frozenset({GATE, VALVE}), group_ids=frozenset({TANKS}), revalidation_minutes=480
    )
    return replace(
        make_site(),
        keys=(
            CliqKeySpec(key_id=DYNAMIC, serial="104200011", plan=plan),
            CliqKeySpec(
                key_id=CONNECT, serial="104200012", kind=CliqKeyKind.CONNECT, plan=plan, phone_id=PHONE
            ),
        ),
        updaters=(
            UpdaterSpec(updater_id=PHONE, kind=UpdaterKind.PHONE, place="phone"),
            UpdaterSpec(updater_id=HERE, place="AP-1"),
            UpdaterSpec(updater_id=THERE, place="AP-2"),
        ),
    )


@dataclass(frozen=True)
class Step:
    """Something that happens; its text is what a failing history prints."""

    text: str
    act: Callable[["Story"], Awaitable[None]] = field(repr=False, compare=False)


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
                exposure = self.exposure(key, cylinder)
                before = self.bounds.get((key, cylinder))
                if exposure.at is not None:
                    self.require_not_after(key, cylinder, exposure.at)
                    self.bounds[key, cylinder] = min(exposure.at, before) if before else exposure.at

    def require_not_after(self, key: UUID, cylinder: UUID, at: datetime) -> None:
        truth = self.world.oracle.latest_opening(key, cylinder, self.world.now)
        if truth != NEVER:
            if truth is None or truth > at:
                revocations.violated()
            assert truth is not None, (key, self.watches[key].records)
            assert truth <= at, (truth, at, self.exposure(key, cylinder), self.watches[key].records)

    def attempt(self, key: UUID, cylinder: UUID) -> None:
        """Hold the key to the cylinder: an opening after a bound that stands is the violation itself."""
        bound = self.bounds.get((key, cylinder))
        if bound is not None and self.world.now > bound:
            opened = self.world.present(key, cylinder).ok
            if opened:
                revocations.violated()
            assert not opened, (bound, self.watches[key].records)

    def forget(self, key: UUID) -> None:
        """A new program for a key withdraws what was published about it."""
        self.bounds = {pair: bound for pair, bound in self.bounds.items() if pair[0] != key}


def build(physics: Physics, settings: CliqSettings, *, revives: bool = True) -> Story:
    world = World(7, START, physics=physics, cliq=site(), cliq_settings=settings)
    connector = make_connector(world)
    watches = {key: Watch(world, connector, key, kind, START) for key, kind in KEYS.items()}
    locks = asyncio.run(connector.inventory()).locks
    return Story(
        world, connector, watches, ExposureMap(locks, settings=ExposureSettings(offline_revives=revives))
    )


# --- what can happen ---------------------------------------------------------------------------------------

keys = st.sampled_from(list(KEYS))
updaters = st.sampled_from(UPDATERS)
rights = st.frozensets(st.sampled_from(RIGHTS))
ends = st.one_of(st.none(), st.integers(1, 30))
expiries = st.one_of(st.just(UNLIMITED), st.integers(1, 20).map(lambda n: timedelta(hours=n)))


def advance(count: int) -> Step:
    async def act(story: Story) -> None:
        story.world.advance_to(story.world.now + timedelta(minutes=count))

    return Step(f"advance({count})", act)


def write(
    key: UUID, some: frozenset[str], end: int | None, expiry: OfflineExpiry, order: bool, lose: str
) -> Step:
    async def act(story: Story) -> None:
        ends_at = None
        if end is not None:
            ends_at = story.world.now.replace(second=0, microsecond=0) + timedelta(hours=end)
        if lose:
            story.world.faults.add(Fault(operation=lose, effect="lose_response_after_commit", times=1))
        story.forget(key)
        await story.watches[key].write(Program(some, None, ends_at, expiry), order=order)
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


def edit(key: UUID, cylinder: UUID, end: int | None, order: bool) -> Step:
    async def act(story: Story) -> None:
        story.forget(key)
        ends_at = None if end is None else story.world.now + timedelta(hours=end)
        story.world.cliq_out_of_band.change_plan(key, [cylinder], ends_at=ends_at)
        await story.watches[key].read()
        if order:
            story.world.cliq_out_of_band.send(key)
            await story.watches[key].read()

    return Step(f"edit({key}, {cylinder}, {end}, {order})", act)


def meet(key: UUID, updater: UUID, how: str) -> Step:
    async def act(story: Story) -> None:
        story.world.present_at_updater(key, updater, pulled_early=how == "early", ack_lost=how == "silent")

    return Step(f"meet({key}, {updater}, {how})", act)


def network(updater: UUID, up: bool) -> Step:
    async def act(story: Story) -> None:
        (story.world.restore_network if up else story.world.cut_network)(updater)

    return Step(f"network({updater}, {up})", act)


losses = st.sampled_from(["", "", "", "PUT cliq/keys/*/plan", "POST cliq/keys/*/send"])
steps = st.one_of(
    st.builds(advance, st.integers(1, 20 * 60)),
    st.builds(write, keys, rights, ends, expiries, st.booleans(), losses),
    st.builds(revoke, keys),
    st.builds(read, keys),
    st.builds(edit, keys, st.sampled_from(CYLINDERS), ends, st.booleans()),
    st.builds(meet, keys, updaters, st.sampled_from(["well", "well", "early", "silent"])),
    st.builds(network, updaters, st.booleans()),
)
contacts = st.one_of(
    st.builds(advance, st.integers(1, 20 * 60)),
    st.builds(read, keys),
    st.builds(meet, keys, updaters, st.sampled_from(["well", "early", "silent"])),
    st.builds(network, updaters, st.booleans()),
)
physics = st.builds(Physics, cliq_offset_s=st.sampled_from([0.0, 1.0, 20.0]))
vendors = st.builds(
    CliqSettings,
    offline_updates=st.builds(
        OfflineUpdates,
        count=st.sampled_from([0, 0, 1, 3]),
        gap=st.sampled_from([None, timedelta(hours=2), timedelta(hours=30)]),
    ),
)


@given(physics, vendors, st.lists(steps, min_size=3, max_size=14))
def test_no_cliq_key_opens_after_the_bound_published_for_it(
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
    for (key, cylinder), bound in sorted(story.bounds.items(), key=lambda item: item[1]):
        # What updaters may still do without the server is done at the last moment that the bound leaves for it.
        for updater in UPDATERS:
            story.world.cut_network(updater)
        story.world.advance_to(max(story.world.now, bound - EIGHT))
        story.world.present_at_updater(key, HERE)
        story.world.advance_to(max(story.world.now, bound + timedelta(seconds=1)))
        story.attempt(key, cylinder)


@given(physics, vendors, st.lists(steps, max_size=6), st.lists(contacts, min_size=1, max_size=6))
def test_no_cliq_key_opens_after_its_bound_when_all_of_them_are_revoked(
    truth: Physics, vendor: CliqSettings, before: list[Step], after: list[Step]
) -> None:
    """Every key is revoked in whatever state it is; then nothing is written any more, and keys meet whom they meet."""
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

    asyncio.run(play())


@given(
    physics,
    keys,
    st.integers(1, 30),
    st.one_of(st.none(), st.integers(1, 30)),
    st.booleans(),
    st.integers(0, 600),
)
def test_a_revoked_cliq_key_with_revalidation_always_has_a_bound(
    truth: Physics, key: UUID, expiry: int, end: int | None, read_again: bool, idle: int
) -> None:
    """Liveness, without updates that need no server: R is set, so there is a bound; updated, a proven end."""
    story = build(truth, CliqSettings())
    world, watch = story.world, story.watches[key]

    async def play() -> None:
        await watch.read()
        await write(key, frozenset(RIGHTS), end, timedelta(hours=expiry), True, "").act(story)
        assert world.present_at_updater(key, HERE)
        await watch.read()
        assert watch.records[-1].state is ProgramState.PROVEN
        updated_at = world.now
        world.advance_to(world.now + timedelta(minutes=idle))
        await revoke(key).act(story)
        if read_again:
            world.advance_to(world.now + timedelta(minutes=5))
            await watch.read()
        for cylinder in CYLINDERS:
            exposure = story.exposure(key, cylinder)
            assert exposure.kind is ExposureKind.BOUND, exposure
            assert exposure.at is not None
            story.require_not_after(key, cylinder, exposure.at)
            if read_again:  # the vendor said when the key was updated: nobody has to assume the worst
                assert exposure.at <= updated_at + timedelta(hours=expiry) + timedelta(minutes=3)
        assert world.present_at_updater(key, HERE)
        await watch.read()
        for cylinder in CYLINDERS:
            assert story.exposure(key, cylinder).kind is ExposureKind.PROVEN_END
            assert not world.present(key, cylinder).ok

    asyncio.run(play())


@given(keys, st.integers(2, 48), st.integers(0, 100))
def test_the_bound_of_a_cliq_key_is_tight_on_both_sides(key: UUID, expiry: int, idle: int) -> None:
    """A key that nobody presents opens until its interval runs out, and the bound is later by minutes."""
    story = build(Physics(), CliqSettings())
    world, watch = story.world, story.watches[key]

    async def play() -> None:
        await watch.read()
        await write(key, frozenset(RIGHTS), None, timedelta(hours=expiry), True, "").act(story)
        world.present_at_updater(key, HERE)
        await watch.read()
        world.advance_to(world.now + timedelta(minutes=idle))
        await revoke(key).act(story)
        world.advance_to(world.now + timedelta(minutes=2))
        await watch.read()

    asyncio.run(play())
    bound = story.exposure(key, GATE).at
    truth = world.oracle.latest_opening(key, GATE, world.now)
    assert truth is not None
    assert bound is not None
    assert truth <= bound <= truth + timedelta(minutes=3)
    world.advance_to(truth - timedelta(seconds=1))
    assert world.present(key, GATE).ok
    world.advance_to(bound + timedelta(seconds=1))
    assert not world.present(key, GATE).ok


def test_a_site_that_lets_updaters_renew_without_limit_gets_no_bound_by_revalidation() -> None:
    """Nobody knows whether a lapsed key is renewed without the server, so nothing is promised; a gap limit is one."""
    for gap, kind in ((None, ExposureKind.NO_BOUND), (timedelta(hours=2), ExposureKind.BOUND)):
        story = build(Physics(), CliqSettings(offline_updates=OfflineUpdates(count=2, gap=gap)))

        async def play(story: Story = story) -> None:
            for watch in story.watches.values():
                await watch.read()
            await revoke(DYNAMIC).act(story)

        asyncio.run(play())
        assert story.exposure(DYNAMIC, GATE).kind is kind
