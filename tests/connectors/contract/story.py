"""A key of either make through the whole product: granted, opening, revoked or lost, while the schedule's trouble happens."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from key2xs.core.crash import declared
from key2xs.keys.reconciler import LONGEST_STALL
from key2xs_twin.clients.permits import Member
from key2xs_twin.faults import Fault
from key2xs_twin.gateway import Gateway, Limits
from tests.connectors.contract.harness import MAKES
from tests.connectors.contract.schedule import Scene
from tests.properties.bounds import Bounds, opens
from tests.support.stage import Stage
from tests.support.tiny import AREA, MARKINGS, UNIT, asset_of, tiny_site, twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, WORKSHOP, tiny_cliq_site

MINUTE = timedelta(minutes=1)
KEY, STAMP = twin_id("key 1"), "K001"
LOCK, GRANTED = twin_id("C1"), "C1"
OTHERS = tuple(marking for marking in MARKINGS if marking != GRANTED)
LEASE_OVER = 4  # minutes: longer than a worker's lease, so that somebody takes over from a dead one
LATEST = 8  # minutes: a late write has arrived by then


class IloqPeople:
    """What happens at the site of itself: phones have network."""

    name: ClassVar[str] = "iloq"
    site = staticmethod(tiny_site)

    def each_minute(self, stage: Stage) -> None:
        """Nobody has to do anything."""

    def carry_block(self, stage: Stage) -> None:
        """Somebody with a programmer brings the block list to the lock."""
        stage.world.programmer_visit(LOCK)

    def judging_device(self) -> object:
        """Whose clock judges ends."""
        return LOCK

    def gateway(self, stage: Stage) -> Gateway:
        """What stands before the vendor's server."""
        return stage.world.iloq.gateway

    def planned(self, stage: Stage) -> frozenset[str]:
        """Which locks the vendor's plan opens."""
        world = stage.world
        rights = world.iloq.state.keys[KEY].plan.right_ids
        return frozenset(
            lock.spec.stamp
            for lock in world.iloq.state.locks.values()
            if not rights.isdisjoint(lock.right_ids)
        )


class CliqPeople:
    """What happens at the site of itself: the holder passes an updater every minute, whoever has to carries programming keys."""

    name: ClassVar[str] = "cliq"
    site = staticmethod(tiny_cliq_site)

    def each_minute(self, stage: Stage) -> None:
        """Hold the key to the updater."""
        stage.world.present_at_updater(KEY, GATEHOUSE)

    def carry_block(self, stage: Stage) -> None:
        """Visit every cylinder with every programming key."""
        for carrier in CARRIERS:
            stage.world.load_programming_key(carrier, WORKSHOP)
            for marking in MARKINGS:
                stage.world.insert_programming_key(carrier, twin_id(marking))
            stage.world.return_programming_key(carrier, WORKSHOP)

    def judging_device(self) -> object:
        """Whose clock judges ends."""
        return KEY

    def gateway(self, stage: Stage) -> Gateway:
        """What stands before the vendor's server."""
        return stage.world.cliq.gateway

    def planned(self, stage: Stage) -> frozenset[str]:
        """Which cylinders the vendor's plan opens."""
        state = stage.world.cliq.state
        plan = state.keys[KEY].plan
        reach = state.reach(plan) if plan is not None and plan.validity.kind != "never" else frozenset()
        return frozenset(state.cylinders[each].spec.marking for each in reach)


People = IloqPeople | CliqPeople
PEOPLE: dict[str, People] = {"iloq": IloqPeople(), "cliq": CliqPeople()}
OPERATIONS = {make.name: make.operations for make in MAKES}


@dataclass
class Story:
    """One scene on one stage."""

    stage: Stage
    scene: Scene
    bounds: Bounds = field(default_factory=Bounds)
    wrong: list[str] = field(default_factory=list)
    opened: int = 0
    permit: str = ""

    @property
    def people(self) -> People:
        """The people of this make's site."""
        return PEOPLE[self.scene.make]

    async def play(self) -> None:
        """Play it to where everything must have come to rest."""
        stage = self.stage
        await stage.settle()
        self._skew()
        with self._deaths():
            self._strike("grant")
            await self._to_work()
            self._strike(self.scene.phase if self.scene.phase != "grant" else "")
            self._limit()
            if self.scene.story == "revoke":
                stage.spine.ptw.suspend(self.permit, code="weather", at=stage.spine.now)
                await self._come_to_rest()
            else:
                await self._lose()

    async def pass_minutes(self, minutes: int, step: int = 1) -> None:
        """Let people do what they do, and look at every promise each minute, or after every so many."""
        ends_at = self.stage.world.now + minutes * MINUTE
        while self.stage.world.now < ends_at:
            await self._pass(step * MINUTE)

    async def _pass(self, by: timedelta) -> None:
        at = self.stage.world.now + by
        self.stage.world.advance_to(at)
        self.stage.spine.clock.advance_to(at + self._ahead())
        self.stage.spine.ptw.heartbeat(at=self.stage.spine.now)
        self.people.each_minute(self.stage)
        await self.stage.send()
        await self.stage.settle()
        await self._look()

    async def _to_work(self) -> None:
        stage = self.stage
        await stage.surely(lambda spine: spine.hand_out(STAMP, "u1"))
        await stage.settle()
        ptw, at = stage.spine.ptw, stage.spine.now
        permit = ptw.create(
            type_="cold_work",
            area=AREA,
            unit=UNIT,
            assets=[asset_of(GRANTED)],
            valid_from=at,
            valid_to=at + timedelta(hours=8),
            at=at,
            people=[Member(ref="u1", role="performing_authority", company="v017")],
        )
        self.permit = permit.id
        ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
        ptw.go_live(permit.id, by="u00411", at=at)
        ptw.sign_on(permit.id, "u1", at=at)
        await stage.send()
        await stage.settle()
        for _ in range(3 * LEASE_OVER):
            await self._pass(MINUTE)
            # Taken away as soon as it was given, with whatever is still under way.
            if opens(stage.spine, STAMP, GRANTED) and not self._is_awaited("grant"):
                break
        self.opened += stage.spine.try_open(STAMP, GRANTED)
        await self.pass_minutes(1)

    async def _lose(self) -> None:
        stage = self.stage
        services = stage.spine.services
        async with services.database.transaction() as tx:
            key = await services.registry.get_key(tx, STAMP)
            await services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=stage.spine.now)
        await stage.settle()
        for _ in range(3):
            await self.pass_minutes(LEASE_OVER)
            self.people.carry_block(stage)
        await self.pass_minutes(LEASE_OVER)
        if self.scene.story == "found":
            services = stage.spine.services
            async with services.database.transaction() as tx:
                key = await services.registry.get_key(tx, STAMP)
                await services.custody.take_back(tx, key.id, actor="user:desk", at=stage.spine.now)
                await services.custody.ask_unblock(
                    tx, key.id, reason="found", actor="user:soc", at=stage.spine.now
                )
            for _ in range(3):
                await self.pass_minutes(LEASE_OVER)
                self.people.carry_block(stage)
            await self.pass_minutes(LEASE_OVER)

    async def _look(self) -> None:
        spine = self.stage.spine
        self.wrong += await self.bounds.check(spine)
        self.wrong += [f"{m} opens, which nobody granted" for m in OTHERS if opens(spine, STAMP, m)]
        self.wrong += [f"{m} is planned" for m in self.people.planned(self.stage) if m != GRANTED]

    async def _come_to_rest(self) -> None:
        if "per_day" in self.scene.limit:
            await self.pass_minutes(80, step=2)
            return
        await self.pass_minutes(LEASE_OVER)
        await self.pass_minutes(LATEST, step=2)
        await self.pass_minutes(LEASE_OVER, step=4)

    def _is_awaited(self, phase: str) -> bool:
        """Whether something that is to go wrong has not happened yet, or comes later than the product reckons with."""
        return self.scene.phase == phase and any(
            not rule.fired
            or (rule.fault.name == "late_write" and rule.fault.number > LONGEST_STALL.total_seconds())
            for rule in self.stage.world.faults.rules
        )

    def _strike(self, phase: str) -> None:
        if phase != self.scene.phase:
            return
        for hit in self.scene.hits:
            operation = OPERATIONS[self.scene.make][hit.on]  # type: ignore[index]
            self.stage.world.faults.add(
                Fault(operation=operation, effect=hit.effect, times=hit.times, retry_after=hit.retry_after)
            )

    def _limit(self) -> None:
        if not self.scene.limit:
            return
        gateway, given = self.people.gateway(self.stage), dict(self.scene.limit)
        used_up = given.pop("used_up", False)
        gateway.limits = Limits(**given)
        if used_up:
            gateway.use_up(self.stage.world.now)

    def _skew(self) -> None:
        if self.scene.skew is not None and self.scene.skew[0] == "device":
            self.stage.world.set_clock(self.people.judging_device(), timedelta(seconds=self.scene.skew[1]))  # type: ignore[arg-type]

    def _ahead(self) -> timedelta:
        ahead = self.scene.skew is not None and self.scene.skew[0] == "product"
        return timedelta(seconds=self.scene.skew[1] if ahead and self.scene.skew else 0)

    @contextmanager
    def _deaths(self) -> Iterator[None]:
        with ExitStack() as armed:
            for name, visit in ((self.scene.kill, self.scene.visit), (self.scene.first_death, 1)):
                if name:
                    armed.enter_context(declared()[name].armed(visit))
            yield
