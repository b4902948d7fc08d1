"""P2 against device truth: nothing opens after the published bound, in random histories on the simulated site.

The history goes through the real connector, so that what is known about a key is only what the vendor tells. The
oracle answers from the devices themselves. Foreign edits are read at once, because the published assumption list says
so (`no-unseen-programming`); everything else, lost answers included, comes as it comes.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from hypothesis import given, strategies as st

from key2xs.keys.exposure import Exposure, ExposureKind, ExposureSettings
from key2xs.keys.exposure_map import ExposureMap
from key2xs.keys.grid import end_on_grid
from key2xs.keys.port import KeyKind
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, OfflineExpiry, Program, ProgramState
from key2xs_twin.faults import Fault
from key2xs_twin.iloq import IloqSettings
from key2xs_twin.iloq.inventory import KeyKind as TwinKind
from key2xs_twin.physics import Countdown, Physics
from key2xs_twin.time import NEVER
from key2xs_twin.world import World
from tests.connectors.iloq.connection import make_connector
from tests.keys.watching import Watch
from tests.support import revocations
from tests.twin.iloq.factory import GATE, PUMP, START, VALVE, make_key, make_lock, make_world, uid

RIGHTS = (PUMP, VALVE, GATE)
KEYS = {uid(0x501): TwinKind.PHONE, uid(0x502): TwinKind.FOB, uid(0x503): TwinKind.METAL}
LOCKS = tuple(
    make_lock(
        uid(0x600 + n), f"L{n}", RIGHTS[n % 3], clock_installed=bool(n & 1), respects_time_limits=bool(n & 2)
    )
    for n in range(8)
)
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Step:
    """Something that happens; its text is what a failing history prints."""

    text: str
    act: Callable[["Story"], Awaitable[None]] = field(repr=False, compare=False)

    async def __call__(self, story: "Story") -> None:
        await self.act(story)


@dataclass
class Story:
    """One history: the world, what is known of each key, and every bound that was ever published."""

    world: World
    watches: dict[UUID, Watch]
    places: ExposureMap
    bounds: dict[tuple[UUID, UUID], Exposure] = field(default_factory=dict)

    def publish(self) -> None:
        """Publish a bound for every pair and hold it against the oracle at once."""
        for key, watch in self.watches.items():
            record = watch.on_record()
            for lock in LOCKS:
                exposure = self.places.of_pair(record, str(lock.flock_id))
                self.bounds[key, lock.flock_id] = exposure
                self.require_not_after(key, lock.flock_id, exposure)

    def require_not_after(self, key: UUID, lock: UUID, exposure: Exposure) -> None:
        if exposure.at is None:
            return
        truth = self.world.oracle.latest_opening(key, lock, self.world.now)
        if truth == NEVER:
            return
        if truth is None or truth > exposure.at:
            revocations.violated()
        assert truth is not None, (self.watches[key].kind, exposure, self.watches[key].records)
        assert truth <= exposure.at, (self.watches[key].kind, truth, exposure, self.watches[key].records)

    def forget(self, key: UUID) -> None:
        """A new program for a key withdraws what was published about it."""
        self.bounds = {pair: bound for pair, bound in self.bounds.items() if pair[0] != key}

    def attempt(self, key: UUID, lock: UUID) -> None:
        """Hold the key to the lock: an opening after a bound that still stands is the violation itself."""
        opened = self.world.present(key, lock).ok
        bound = self.bounds.get((key, lock))
        if opened and bound is not None and bound.at is not None:
            if self.world.now > bound.at:
                revocations.violated()
            assert self.world.now <= bound.at, (self.watches[key].kind, bound)


def build(physics: Physics, settings: IloqSettings) -> Story:
    keys = tuple(
        make_key(
            key,
            f"{n:04}",
            kind=kind,
            rights=RIGHTS,
            offline_expiration_seconds=0 if kind is TwinKind.METAL else 6 * 3600,
            person_external_id="c-17",
            phone_no="+31600000001",
        )
        for n, (key, kind) in enumerate(KEYS.items())
    )
    world = make_world(physics=physics, settings=settings, keys=keys, locks=LOCKS)
    connector = make_connector(world)
    kinds = {TwinKind.PHONE: KeyKind.PHONE, TwinKind.FOB: KeyKind.FOB, TwinKind.METAL: KeyKind.METAL}
    watches = {key: Watch(world, connector, key, kinds[kind], START) for key, kind in KEYS.items()}
    locks = asyncio.run(connector.inventory()).locks
    assumed = ExposureSettings(phone_supplies_time=physics.phone_supplies_time)
    return Story(world, watches, ExposureMap(locks, settings=assumed))


# --- what can happen ---------------------------------------------------------------------------------------

keys = st.sampled_from(list(KEYS))
locks = st.sampled_from([lock.flock_id for lock in LOCKS])
rights = st.frozensets(st.sampled_from([str(right) for right in RIGHTS]))
ends = st.one_of(st.none(), st.integers(1, 30))
expiries = st.one_of(st.just(UNLIMITED), st.integers(1, 20).map(lambda n: timedelta(hours=n)))
minutes = st.integers(1, 20 * 60)


def advance(count: int) -> Step:
    async def step(story: Story) -> None:
        story.world.advance_to(story.world.now + timedelta(minutes=count))

    return Step(f"advance({count})", step)


def write(
    key: UUID, some: frozenset[str], end: int | None, expiry: OfflineExpiry, order: bool, lose: str
) -> Step:
    async def step(story: Story) -> None:
        watch = story.watches[key]
        ends_at = None
        if end is not None:
            asked = story.world.now + timedelta(hours=end)
            ends_at = end_on_grid(asked, grid=QUARTER, zone=story.world.iloq.zone)
        metal = watch.kind is KeyKind.METAL
        program = Program(some, None, ends_at, None if metal else expiry)
        if lose:
            story.world.faults.add(Fault(operation=lose, effect="lose_response_after_commit", times=1))
        story.forget(key)
        await watch.write(program, order=order)
        story.world.faults.clear()

    return Step(f"write({key}, {some}, {end}, {expiry}, {order}, {lose})", step)


def revoke(key: UUID) -> Step:
    async def step(story: Story) -> None:
        story.forget(key)
        at = story.world.now
        await story.watches[key].write(EMPTY_PROGRAM, order=True)
        revocations.revoked()
        record = story.watches[key].on_record()
        for lock in LOCKS:
            exposure = story.places.of_pair(record, str(lock.flock_id))
            if exposure.kind is not ExposureKind.PROVEN_END:
                truth = story.world.oracle.latest_opening(key, lock.flock_id, story.world.now)
                revocations.bounded(at, exposure.at, truth)

    return Step(f"revoke({key})", step)


def read(key: UUID) -> Step:
    async def step(story: Story) -> None:
        await story.watches[key].read()

    return Step(f"read({key})", step)


def edit(key: UUID, some: frozenset[str], order: bool) -> Step:
    async def step(story: Story) -> None:
        story.forget(key)
        story.world.out_of_band.change_rights(key, [UUID(right) for right in some])
        await story.watches[key].read()
        if order:
            story.world.out_of_band.order(key)
            await story.watches[key].read()

    return Step(f"edit({key}, {some}, {order})", step)


def network(key: UUID, up: bool) -> Step:
    async def step(story: Story) -> None:
        if story.watches[key].kind is not KeyKind.PHONE:
            story.world.sync(key)
        elif up:
            story.world.restore_network(key)
        else:
            story.world.cut_network(key)

    return Step(f"network({key}, {up})", step)


def attempt(key: UUID, lock: UUID) -> Step:
    async def step(story: Story) -> None:
        story.attempt(key, lock)

    return Step(f"attempt({key}, {lock})", step)


losses = st.sampled_from(["", "", "", "PUT Keys/*/SecurityAccesses", "POST Keys/*/Order"])
steps = st.one_of(
    st.builds(advance, minutes),
    st.builds(write, keys, rights, ends, expiries, st.booleans(), losses),
    st.builds(revoke, keys),
    st.builds(read, keys),
    st.builds(edit, keys, rights, st.booleans()),
    st.builds(network, keys, st.booleans()),
    st.builds(attempt, keys, locks),
)
contacts = st.one_of(
    st.builds(advance, minutes),
    st.builds(read, keys),
    st.builds(network, keys, st.booleans()),
    st.builds(attempt, keys, locks),
)
physics = st.builds(
    Physics,
    phone_supplies_time=st.booleans(),
    countdown_from=st.sampled_from(list(Countdown)),
    ack_latency=st.sampled_from([timedelta(seconds=1), timedelta(hours=2)]),
)
vendors = st.builds(IloqSettings, cancels_packet_on_change=st.booleans())


@given(physics, vendors, st.lists(steps, min_size=3, max_size=14))
def test_no_key_opens_after_the_bound_published_for_it(
    truth: Physics, vendor: IloqSettings, history: list[Step]
) -> None:
    story = build(truth, vendor)

    async def play() -> None:
        for watch in story.watches.values():
            await watch.read()
        story.publish()
        for step in history:
            await step(story)
            story.publish()

    asyncio.run(play())
    for (key, lock), bound in sorted(story.bounds.items(), key=lambda item: item[1].at or START):
        if bound.at is not None:
            story.world.advance_to(max(story.world.now, bound.at + timedelta(seconds=1)))
            story.attempt(key, lock)


@given(physics, vendors, st.lists(steps, max_size=6), st.lists(contacts, min_size=1, max_size=6))
def test_no_key_opens_after_its_bound_when_all_of_them_are_revoked(
    truth: Physics, vendor: IloqSettings, before: list[Step], after: list[Step]
) -> None:
    """Every key is revoked in whatever state it is; then nothing is written any more, and keys meet whom they meet."""
    story = build(truth, vendor)

    async def play() -> None:
        for watch in story.watches.values():
            await watch.read()
        for step in before:
            await step(story)
        for key in KEYS:
            await revoke(key)(story)
        for step in after:
            story.publish()
            await step(story)

    asyncio.run(play())


@given(
    physics,
    keys,
    st.integers(1, 30),
    st.one_of(st.none(), st.integers(1, 30)),
    st.booleans(),
    st.integers(0, 600),
)
def test_a_revocation_is_bounded_wherever_the_truth_is(
    truth: Physics, key: UUID, expiry: int, end: int | None, reachable: bool, idle: int
) -> None:
    """Liveness, without faults: a finite truth has a bound, and once acknowledged a proven end."""
    story = build(truth, IloqSettings())
    world, watch = story.world, story.watches[key]

    async def play() -> None:
        await watch.read()
        await write(key, frozenset(str(right) for right in RIGHTS), end, timedelta(hours=expiry), True, "")(
            story
        )
        world.sync(key)
        world.advance_to(world.now + timedelta(hours=3))
        await watch.read()
        assert watch.records[-1].state is ProgramState.PROVEN
        world.advance_to(world.now + timedelta(minutes=idle))
        if watch.kind is KeyKind.PHONE and not reachable:
            world.cut_network(key)
        await revoke(key)(story)
        await watch.read()
        for lock in LOCKS:
            exposure = story.places.of_pair(watch.on_record(), str(lock.flock_id))
            story.require_not_after(key, lock.flock_id, exposure)
            latest = world.oracle.latest_opening(key, lock.flock_id, world.now)
            if latest is not None:
                assert exposure.kind is not ExposureKind.NO_BOUND, (watch.kind, lock, latest)
        if reachable:
            world.sync(key)
            world.advance_to(world.now + timedelta(hours=3))
            await watch.read()
            for lock in LOCKS:
                exposure = story.places.of_pair(watch.on_record(), str(lock.flock_id))
                assert exposure.kind is ExposureKind.PROVEN_END

    asyncio.run(play())


@given(st.integers(2, 48), st.integers(0, 600))
def test_the_bound_of_a_phone_is_close_to_the_truth_and_tight_on_both_sides(expiry: int, idle: int) -> None:
    """An unreachable phone opens until its time runs out, and the bound is later by minutes, not by hours."""
    story = build(Physics(), IloqSettings())
    world = story.world
    key, lock = next(iter(KEYS)), LOCKS[0].flock_id
    watch = story.watches[key]

    async def play() -> None:
        await watch.read()
        await write(key, frozenset({str(PUMP)}), None, timedelta(hours=expiry), True, "")(story)
        world.advance_to(world.now + timedelta(minutes=1 + idle))
        await watch.read()
        world.cut_network(key)
        await revoke(key)(story)
        await watch.read()

    asyncio.run(play())
    bound = story.places.of_pair(watch.on_record(), str(lock))
    truth = world.oracle.latest_opening(key, lock, world.now)
    assert truth is not None
    assert bound.at is not None
    # The last contact may lie a heartbeat before the order; the rest are the margins of the settings.
    assert truth <= bound.at <= truth + world.physics.heartbeat + timedelta(minutes=4)
    world.advance_to(truth - timedelta(seconds=1))
    assert world.present(key, lock).ok
    world.advance_to(bound.at + timedelta(seconds=1))
    assert not world.present(key, lock).ok
