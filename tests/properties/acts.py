"""What can happen in a history, by whom and to whom; every act means something for every pair of numbers."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
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
from tests.support.stage import PEOPLE
from tests.support.tiny import AREA, UNIT, asset_of, twin_id

from .history import History

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
VENDOR_CALLS = (
    "PUT Keys/*/SecurityAccesses",
    "POST Keys/*/Order",
    "* **",
    "GET Keys/*",
    "POST Blacklists/*/*",
)


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
    it.sign(permit.id)


async def _on_permit(it: History, a: int, act: Callable[[str], Any], *, signs: bool = False) -> None:
    permit = it.permit(a)
    if permit:
        act(permit)
        if signs:
            it.sign(permit)


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
    await _on_permit(it, a, lambda p: ptw.close(p, at=at) if b % 2 else ptw.cancel(p, code="job_void", at=at))


async def _scope(it: History, a: int, b: int) -> None:
    assets = [asset_of(marking) for marking in SCOPES[b % len(SCOPES)]]
    await _on_permit(it, a, lambda p: it.spine.ptw.change_scope(p, assets=assets, at=it.spine.now))


async def _gas(it: History, a: int, b: int) -> None:
    await _on_permit(it, a, lambda p: it.spine.ptw.gas_test(p, safe=b % 3 != 0, by="u00412", at=it.spine.now))


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
    it.sign(f"request:{request}")


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
            it.sign(f"duty:field_operator:{units[0]['id']}")


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
        seed=b,
        drop=worse / 2,
        duplicate=worse,
        reorder=worse,
        delay=worse / 2,
        delay_for=timedelta(minutes=3),
    )


async def _silence(it: History, a: int, _b: int) -> None:
    it.silent = a % 2 == 1


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
CALM = frozenset(ACTS) - {
    "fault",
    "edit",
    "chaos",
    "silence",
    "crash",
    "lost_marks",
    "cut",
    "restore",
    "zone",
    "reopen",
}


async def play(history: History, acts: list[Act]) -> None:
    """Play the acts, checking after each."""
    for name, a, b in acts:
        history.told.append(f"{history.spine.now:%H:%M:%S} {name} {a} {b}")
        with contextlib.suppress(Key2XSError, ApiError):  # what is not possible now does not happen
            await history.stage.surely(lambda _, n=name, a=a, b=b: ACTS[n](history, a, b))  # type: ignore[misc]
        await history.go_on()
