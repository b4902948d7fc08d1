"""Histories: short strings of acts by everybody around the product, and what must be true after each of them."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from key2xs.core.crash import declared
from key2xs.core.errors import Key2XSError
from key2xs.identity.duties import Duty
from key2xs.identity.types import Act as IdentityAct
from key2xs.plant.service import list_zones, set_zone_mode
from key2xs_twin.clients.permits import Member
from key2xs_twin.clients.webhook import Chaos
from key2xs_twin.faults import Fault
from key2xs_twin.iloq.errors import ApiError
from tests.support.spine import Spine
from tests.support.stage import PEOPLE, Stage
from tests.support.tiny import AREA, UNIT, asset_of, twin_id

from .bounds import Bounds
from .facts_oracle import false_facts

Act: TypeAlias = tuple[str, int, int]
"""What happens, and two numbers that say to whom and how; every act means something for every number."""

STAMPS = ("K001", "K002", "K003", "K004")
SCOPES = (("C1",), ("C1", "C2"), ("C2", "C3"), ("C3",), ("C1", "C2", "C3"), ("C1", "C4"), ("C6", "C1"))
WAITS = tuple(timedelta(seconds=s) for s in (20, 60, 300, 1000, 3700, 15_000))
STEPS = (20, 60, 300, 300, 900, 900)  # seconds; the pace at which a wait is walked
VENDOR_FAULTS = (
    "lose_response_after_commit",
    "lose_request",
    "down",
    "status:500",
    "status:429",
    "garbage",
    "unauthorised",
    "slow:120",
    "late_write:45",
)
VENDOR_CALLS = ("PUT Keys/*/SecurityAccesses", "POST Keys/*/Order", "* **", "GET Keys/*", "POST Blacklists/*/*")
BETWEEN = timedelta(seconds=7)  # so that no two acts carry the same instant


@dataclass
class History:
    """One history on one stage."""

    stage: Stage
    safe: bool = True
    """Check after each act; a history that only sets a scene does not."""
    permits: list[str] = field(default_factory=list)
    bounds: Bounds = field(default_factory=Bounds)
    told: list[str] = field(default_factory=list)
    signed: dict[str, list[datetime]] = field(default_factory=dict)
    handed: dict[str, str] = field(default_factory=dict)

    @property
    def spine(self) -> Spine:
        """The product and the twin."""
        return self.stage.spine

    async def play(self, acts: list[Act]) -> None:
        """Play the acts, checking after each."""
        for name, a, b in acts:
            self.told.append(f"{self.spine.now:%H:%M:%S} {name} {a} {b}")
            with contextlib.suppress(Key2XSError, ApiError):  # what is not possible now does not happen
                await ACTS[name](self, a, b)
            await self.go_on()

    async def go_on(self, by: timedelta = BETWEEN) -> None:
        """Let what was said arrive, a few seconds pass, and check."""
        await self.spine.send()
        await self.stage.settle()
        await self.wait(by, by)

    async def wait(self, by: timedelta, step: timedelta) -> None:
        """Let time pass, checking at every step."""
        end = self.spine.now + by
        while self.spine.now < end:
            at = min(self.spine.now + step, end)
            self.spine.world.advance_to(at)
            self.spine.clock.advance_to(at)
            if not self._silent:
                self.spine.ptw.heartbeat(at=at)
            await self.spine.send()
            await self.stage.settle()
            await self.check()

    _silent: bool = False

    async def check(self) -> None:
        """Fail when a promise is broken at this instant."""
        if not self.safe:
            return
        async with self.spine.services.database.read() as tx:
            wrong = await false_facts(tx, self.spine.now)
        wrong += await self.bounds.check(self.spine)
        wrong += await self._came_back()
        assert not wrong, "\n".join([*wrong, f"at {self.spine.now}", *self.told])

    async def _came_back(self) -> list[str]:
        """P7: a lease that follows one taken away has a signature in between."""
        rows = await self.spine.fetch(
            "SELECT new.id, new.basis_ref, new.decided_at, old.ended_at, old.end_reason FROM grant_lease AS old "
            "JOIN grant_lease AS new ON new.person_id = old.person_id AND new.basis_ref = old.basis_ref "
            "AND new.basis_step = old.basis_step AND new.id > old.id "
            "WHERE old.state = 'ended' AND old.end_reason NOT IN ('lapsed', 'renewed') AND new.state <> 'ended'"
        )
        wrong = []
        for row in rows:
            signed = self.signed.get(await self._permit_of(row["basis_ref"]), [])
            if not any(row["ended_at"] < at for at in signed):
                wrong.append(f"{row['basis_ref']} came back by itself after {row['end_reason']}")
        return wrong

    async def _permit_of(self, ref: str) -> str:
        if not ref.startswith("permit:"):
            return ref
        rows = await self.spine.fetch("SELECT external_id FROM work_permit WHERE id = $1", UUID(ref[7:]))
        return str(rows[0]["external_id"])

    def _permit(self, number: int) -> str:
        return self.permits[number % len(self.permits)] if self.permits else ""

    def _sign(self, permit: str) -> None:
        self.signed.setdefault(permit, []).append(self.spine.now)


# --- what can happen ---------------------------------------------------------------------------------------


async def _issue(it: History, a: int, b: int) -> None:
    crew = (PEOPLE[b % 4],) if b < 8 else (PEOPLE[b % 4], PEOPLE[(b + 1) % 4])
    ptw, at = it.spine.ptw, it.spine.now
    permit = ptw.create(
        type_="hot_work" if a >= 10 else "cold_work",
        area=AREA,
        unit=UNIT,
        assets=[asset_of(marking) for marking in SCOPES[a % len(SCOPES)]],
        valid_from=at,
        valid_to=at + timedelta(hours=1 + b % 6),
        at=at,
        people=[Member(ref=ref, role="performing_authority", company="v017") for ref in crew],
    )
    it.permits.append(permit.id)
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    if a >= 10:
        ptw.gas_test(permit.id, safe=True, by="u00412", at=at)
    ptw.go_live(permit.id, by="u00411", at=at)
    for ref in crew:
        ptw.sign_on(permit.id, ref, at=at)
    it._sign(permit.id)


async def _on_permit(it: History, a: int, act: Callable[[str], Any], *, signs: bool = False) -> None:
    permit = it._permit(a)
    if permit:
        act(permit)
        if signs:
            it._sign(permit)


async def _sign_on(it: History, a: int, b: int) -> None:
    ref = PEOPLE[b % 4]
    await _on_permit(
        it,
        a,
        lambda p: it.spine.ptw.sign_on(p, ref, at=it.spine.now, role="performing_authority", company="v017"),
        signs=True,
    )


async def _sign_off(it: History, a: int, b: int) -> None:
    await _on_permit(it, a, lambda p: it.spine.ptw.sign_off(p, PEOPLE[b % 4], at=it.spine.now))


async def _suspend(it: History, a: int, _b: int) -> None:
    await _on_permit(it, a, lambda p: it.spine.ptw.suspend(p, code="weather", at=it.spine.now))


async def _revalidate(it: History, a: int, b: int) -> None:
    at = it.spine.now
    until = at + timedelta(hours=1 + b % 4)
    await _on_permit(
        it, a, lambda p: it.spine.ptw.revalidate(p, by="u00411", valid_to=until, at=at), signs=True
    )


async def _reopen(it: History, a: int, _b: int) -> None:
    """The permit system says *live* again without anybody signing."""
    at = it.spine.now
    await _on_permit(it, a, lambda p: it.spine.ptw.set_state(p, state="live", native_state="live", at=at))


async def _close(it: History, a: int, b: int) -> None:
    ptw, at = it.spine.ptw, it.spine.now
    await _on_permit(
        it, a, lambda p: ptw.close(p, at=at) if b % 2 else ptw.cancel(p, code="job_void", at=at)
    )


async def _scope(it: History, a: int, b: int) -> None:
    assets = [asset_of(marking) for marking in SCOPES[b % len(SCOPES)]]
    await _on_permit(it, a, lambda p: it.spine.ptw.change_scope(p, assets=assets, at=it.spine.now))


async def _gas(it: History, a: int, b: int) -> None:
    await _on_permit(
        it, a, lambda p: it.spine.ptw.gas_test(p, safe=b % 3 != 0, by="u00412", at=it.spine.now)
    )


async def _area_stop(it: History, _a: int, _b: int) -> None:
    it.spine.ptw.area_stop(AREA, code="gas_alarm", at=it.spine.now)


async def _hand_out(it: History, a: int, b: int) -> None:
    stamp, ref = STAMPS[a % 4], PEOPLE[b % 4]
    if stamp not in it.handed:
        await it.spine.hand_out(stamp, ref)
        it.handed[stamp] = ref


async def _take_back(it: History, a: int, _b: int) -> None:
    stamp, services = STAMPS[a % 4], it.spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, stamp)
        await services.custody.take_back(tx, key.id, actor="user:desk", at=it.spine.now)
    it.handed.pop(stamp, None)


async def _block(it: History, a: int, _b: int) -> None:
    services = it.spine.services
    async with services.database.transaction() as tx:
        key = await services.registry.get_key(tx, STAMPS[a % 4])
        await services.custody.block(tx, key.id, reason="lost", actor="user:desk", at=it.spine.now)


async def _kill(it: History, a: int, _b: int) -> None:
    """A person ends everything that somebody has."""
    services, person = it.spine.services, it.spine.persons[PEOPLE[a % 4]]
    async with services.database.transaction() as tx:
        affected = await services.mass.look(tx, [person])
        await services.mass.end_all(
            tx, affected, subject=f"person:{person}", reason="test", actor="user:soc", at=it.spine.now
        )


async def _disable(it: History, a: int, _b: int) -> None:
    await it.spine.scim.disable(it.spine.scim_ids[PEOPLE[a % 4]])


async def _enable(it: History, a: int, _b: int) -> None:
    await it.spine.scim.enable(it.spine.scim_ids[PEOPLE[a % 4]])


async def _contract(it: History, a: int, b: int) -> None:
    day = (it.spine.now + timedelta(days=(-1, 0, 0, 20)[b % 4])).date()
    await it.spine.scim.set_contract_end(it.spine.scim_ids[PEOPLE[a % 4]], day)


async def _request(it: History, a: int, b: int) -> None:
    services, at = it.spine.services, it.spine.now
    emergency = b % 2 == 1
    holder, requester = it.spine.persons[PEOPLE[a % 4]], it.spine.persons[PEOPLE[(a + 1) % 4]]
    cylinder = await it.spine.cylinder("C1" if emergency else "C3")
    async with services.database.transaction() as tx:
        request = await services.requests.ask(
            tx,
            kind="emergency" if emergency else "approved_request",
            person_id=holder,
            requester_id=requester,
            cylinders=[cylinder],
            access_points=1,
            starts_at=at,
            ends_at=at + timedelta(minutes=45),
            reason="test",
            actor="user:desk",
            at=at,
        )
    for number in (2, 3)[: 2 if emergency else 1]:
        async with services.database.transaction() as tx:
            await services.requests.decide(
                tx,
                request,
                approver_id=it.spine.persons[PEOPLE[(a + number) % 4]],
                approve=True,
                reason="",
                actor="user:approver",
                at=at,
            )
    it._sign(f"request:{request}")


async def _duty(it: History, a: int, b: int) -> None:
    services, at = it.spine.services, it.spine.now
    person = it.spine.persons[PEOPLE[a % 4]]
    units = await it.spine.fetch("SELECT id FROM plant_unit")
    act = IdentityAct("user:rota", at)
    async with services.database.transaction() as tx:
        if b % 3 == 0:
            await services.identity.end_duties(tx, act, person)
        else:
            duty = Duty("field_operator", units[0]["id"], at, at + timedelta(hours=1 + b % 8))
            await services.identity.put_duty(tx, act, person, duty)
            it._sign(f"duty:field_operator:{units[0]['id']}")


async def _zone(it: History, a: int, b: int) -> None:
    services = it.spine.services
    async with services.database.transaction() as tx:
        zones = await list_zones(tx)
        await set_zone_mode(
            tx,
            services.ledger,
            zones[a % len(zones)].id,
            mode="observe" if b % 2 else "enforce",
            actor="user:admin",
            at=it.spine.now,
            reason="test",
        )


async def _present(it: History, a: int, b: int) -> None:
    it.spine.try_open(STAMPS[a % 4], f"C{1 + b % 6}")


async def _cut(it: History, a: int, _b: int) -> None:
    it.spine.world.cut_network(_key(a))


async def _restore(it: History, a: int, _b: int) -> None:
    it.spine.world.restore_network(_key(a))


async def _sync(it: History, a: int, _b: int) -> None:
    it.spine.world.sync(_key(a))


async def _wait(it: History, a: int, _b: int) -> None:
    await it.wait(WAITS[a % len(WAITS)], timedelta(seconds=STEPS[a % len(STEPS)]))


async def _fault(it: History, a: int, b: int) -> None:
    effect = VENDOR_FAULTS[b % len(VENDOR_FAULTS)]
    it.spine.world.faults.add(
        Fault(operation=VENDOR_CALLS[a % len(VENDOR_CALLS)], effect=effect, times=1 + b % 3)
    )


async def _edit(it: History, a: int, b: int) -> None:
    """Another operator changes the key in the vendor's own program."""
    others = it.spine.world.out_of_band
    if b % 4 == 3:
        others.fail_programming(_key(a))
        return
    rights = [twin_id(f"right C{1 + n}") for n in range(b % 4)]
    others.change_rights(_key(a), rights)
    others.order(_key(a))
    it.bounds.edited(STAMPS[a % 4], it.spine.now)


async def _chaos(it: History, a: int, b: int) -> None:
    """From now on events of the permit system get lost, doubled or out of order; or not any more."""
    worse = 0.4 if a % 2 else 0.0
    it.spine.ptw.sender.chaos = Chaos(
        seed=b, drop=worse / 2, duplicate=worse, reorder=worse, delay=worse / 2, delay_for=timedelta(minutes=3)
    )


async def _silence(it: History, a: int, _b: int) -> None:
    it._silent = a % 2 == 1


async def _crash(it: History, a: int, b: int) -> None:
    """The product dies the next time it comes by some place, and starts again."""
    names = sorted(declared())
    point = declared()[names[a * 12 + b if a * 12 + b < len(names) else (a + b) % len(names)]]
    with point.armed(1 + b % 2):
        await it.go_on()


async def _lost_marks(it: History, _a: int, _b: int) -> None:
    """Every wake-up that waits is lost; the sweep has to notice."""
    async with it.spine.services.database.transaction() as tx:
        await tx.execute("DELETE FROM grant_mark")


def _key(number: int) -> UUID:
    return twin_id(f"key {1 + number % 4}")


ACTS: dict[str, Callable[[History, int, int], Awaitable[None]]] = {
    "issue": _issue,
    "sign_on": _sign_on,
    "sign_off": _sign_off,
    "suspend": _suspend,
    "revalidate": _revalidate,
    "reopen": _reopen,
    "close": _close,
    "scope": _scope,
    "gas": _gas,
    "area_stop": _area_stop,
    "hand_out": _hand_out,
    "take_back": _take_back,
    "block": _block,
    "kill": _kill,
    "disable": _disable,
    "enable": _enable,
    "contract": _contract,
    "request": _request,
    "duty": _duty,
    "zone": _zone,
    "present": _present,
    "cut": _cut,
    "restore": _restore,
    "sync": _sync,
    "wait": _wait,
    "fault": _fault,
    "edit": _edit,
    "chaos": _chaos,
    "silence": _silence,
    "crash": _crash,
    "lost_marks": _lost_marks,
}
CALM = frozenset(ACTS) - {"fault", "edit", "chaos", "silence", "crash", "lost_marks", "cut", "restore", "zone", "reopen"}
