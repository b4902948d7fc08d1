"""Events twice, late, lost and in any order: the end is the same, and nothing is live that the newest one denies."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from key2xs_twin.clients.permits import Member
from tests.work.worlds import NIGHT, World, after

Act = Callable[["Night"], Any]

# What the rows of a permit look like without what only tells when we learnt of it.
_STATES = """
SELECT state, cause, sequence, valid_from, valid_to, withheld, during FROM work_permit_state
WHERE permit_id = $1 AND upper_inf(known) ORDER BY during
"""
_PERMIT = """
SELECT number, type, area, unit, parent, sequence, revision, needs_pull, findings FROM work_permit WHERE id = $1
"""
_CREW = """
SELECT line, role, signed_on, signed_off FROM work_crew WHERE permit_id = $1 AND present ORDER BY line
"""
_BOUNDARIES = "SELECT kind, due_at FROM work_boundary WHERE permit_id = $1 AND wanted ORDER BY kind, due_at"


class Night:
    """One permit whose people do as the acts say, wise or not."""

    def __init__(self, world: World, area: str) -> None:
        self.world, self.ptw, self.at = world, world.ptw, NIGHT
        self.permit = world.create(area=area, assets=["P-1"], people=[Member(ref="u1", role="worker")])
        self.id = self.permit.id

    def act(self, number: int, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)
        acts: list[Callable[[], Any]] = [
            lambda: self.ptw.approve(self.id, by="aa", at=self.at),
            lambda: self.ptw.go_live(self.id, by="ia", at=self.at),
            lambda: self.ptw.suspend(self.id, code="weather", at=self.at),
            lambda: self.ptw.revalidate(self.id, by="ia", valid_to=self.at + timedelta(hours=4), at=self.at),
            lambda: self.ptw.sign_on(self.id, "u1", at=self.at, role="worker"),
            lambda: self.ptw.sign_off(self.id, "u1", at=self.at),
            lambda: self.ptw.gas_test(self.id, safe=True, by="gt", at=self.at),
            lambda: self.ptw.gas_test(self.id, safe=False, by="gt", at=self.at),
            lambda: self.ptw.change_scope(self.id, assets=["P-1", "P-2"], at=self.at),
            lambda: self.ptw.set_state(self.id, state="live", native_state="???", at=self.at),
            lambda: self.ptw.set_state(self.id, state="live", native_state="ISSUED", at=self.at),
            lambda: self.ptw.hand_back(self.id, at=self.at),
            lambda: self.ptw.expire(self.id, at=self.at),
            lambda: self.ptw.close(self.id, at=self.at),
            lambda: self.ptw.area_stop(self.permit.area, code="gas_alarm", at=self.at),
        ]
        acts[number % len(acts)]()


async def stored(world: World, source: str, permit: str) -> list[Any]:
    async with world.db.read() as tx:
        permit_id = await tx.fetchval(
            "SELECT id FROM work_permit WHERE source = $1 AND external_id = $2", source, permit
        )
        tables = [await tx.fetch(sql, permit_id) for sql in (_PERMIT, _STATES, _CREW, _BOUNDARIES)]
    return [[dict(row) for row in table] for table in tables]


async def live_at(world: World, source: str, permit: str, at: datetime) -> bool:
    async with world.db.read() as tx:
        state = await tx.fetchval(
            "SELECT held.state FROM work_permit_state AS held JOIN work_permit AS permit ON permit.id = held.permit_id "
            "WHERE permit.source = $1 AND permit.external_id = $2 AND upper_inf(held.known) "
            "AND held.during @> $3::timestamptz",
            source, permit, at,
        )  # fmt: skip
    return bool(state == "live")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    acts=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 90)), min_size=2, max_size=9),
    seed=st.integers(0, 2**32),
    lost=st.integers(0, 2),
)
async def test_any_order_and_any_repetition_end_in_the_same_state(
    world: World, acts: list[tuple[int, int]], seed: int, lost: int
) -> None:
    dice = random.Random(seed)
    name = f"{seed}-{len(world.ptw.permits)}"
    # An area of its own, so that a stop ends no other example's permits.
    night = Night(world, area=f"area {name}")
    for number, minutes in [(0, 1), (1, 1), *acts]:
        night.act(number, minutes)
    events, world.outbox.events = world.outbox.events, []
    for _ in range(min(lost, len(events) - 1)):
        events.pop(dice.randrange(len(events)))
    if not any(event["subject"] == night.id for event in events):
        return
    now = night.at + timedelta(minutes=1)
    for event in events:
        await world.take(event, at=now, source=f"order-{name}")
    shuffled = events + dice.choices(events, k=len(events) // 2)
    dice.shuffle(shuffled)
    newest: dict[str, Any] = {}
    for event in shuffled:
        await world.take(event, at=now, source=f"chaos-{name}")
        if event["subject"] == night.id and event["sequence"] > newest.get("sequence", 0):
            newest = event
        if newest and newest["data"]["permit"]["state"] != "live":
            assert not await live_at(world, f"chaos-{name}", night.id, now)
    in_order = await stored(world, f"order-{name}", night.id)
    in_chaos = await stored(world, f"chaos-{name}", night.id)
    assert in_chaos == in_order


async def test_a_stop_that_arrives_before_the_permit_it_ends_still_ends_it(world: World) -> None:
    permit = world.create()
    world.go_live(permit)
    world.ptw.area_stop("CDU", code="gas_alarm", at=after(30))
    requested, approved, live, stop, _ = world.outbox.events
    for event in (requested, stop, approved, live):
        await world.take(event, at=after(31))
    assert (await world.facts(permit, after(32))).state == "cancelled"
    assert (await world.facts(permit, after(20))).live == "yes"


async def test_a_sender_that_starts_counting_again_is_not_believed(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.sequences[permit.id] = 90
    world.ptw.sign_on(permit.id, "u1", at=after(10))
    world.ptw.sequences[permit.id] = 10
    world.ptw.sign_off(permit.id, "u1", at=after(40))
    for event in world.outbox.events:
        await world.take(event)
    facts = await world.facts(permit, after(41))
    assert facts.live == "unknown"
    assert any(finding.code == "time_runs_back" for finding in facts.findings)


async def test_two_different_events_with_one_sequence_leave_the_permit_unknown(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.sign_on(permit.id, "u1", at=after(10))
    world.ptw.sequences[permit.id] -= 1
    world.ptw.sign_on(permit.id, "u2", role="worker", at=after(10))
    await world.take_all()
    facts = await world.facts(permit, after(11))
    assert facts.live == "unknown"
    assert any(finding.code == "sequence_conflict" for finding in facts.findings)
