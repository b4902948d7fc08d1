"""Our own clock: every beginning and end is told once, in order, whatever crashes and however late."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from key2xs.core.crash import SimulatedCrash, declared
from key2xs.core.ids import PersonId, UnitId, new_id
from key2xs.identity import BoundaryLoop, ContractTerms, Duty, PersonStatement, Profile, Qualification
from key2xs.ledger import Ledger
from tests.identity.worlds import World

HOUR = timedelta(hours=1)
TOLD = ("identity:contract:begin", "identity:contract:lapse", "identity:duty:begin", "identity:duty:end",
        "identity:qualification:begin", "identity:qualification:lapse", "identity:role:begin", "identity:role:end")  # fmt: skip


async def person(world: World, ref: str, terms: ContractTerms | None = None) -> PersonId:
    statement = PersonStatement(
        source="entra",
        profile=Profile(user_name=ref),
        active=True,
        external_id=ref,
        contract=terms or ContractTerms(),
    )
    async with world.db.transaction() as tx:
        return (await world.identity.upsert_person_from_source(tx, world.act(), statement)).person_id


async def told(world: World) -> list[tuple[str, int, str]]:
    """Kind, hours after the start it is true from, and whom it is about."""
    start = world.clock.now()
    async with world.db.read() as tx:
        rows = await tx.fetch(
            "SELECT kind, occurred_at, subjects FROM log_body WHERE kind = ANY($1::text[]) ORDER BY seq",
            list(TOLD),
        )
    return [(row["kind"], int((row["occurred_at"] - start) / HOUR), row["subjects"][0]) for row in rows]


async def test_a_contract_ends_without_a_word_from_the_iam(world: World) -> None:
    now = world.clock.now()
    loop = BoundaryLoop(world.db, world.identity.desk.ledger)
    assert await loop.step(now) is None
    who = await person(world, "a", ContractTerms(ends_at=now + 5 * HOUR))
    assert await loop.step(now) == now + 5 * HOUR
    assert await loop.step(now + 4 * HOUR) == now + 5 * HOUR
    async with world.db.read() as tx:
        before = (await world.identity.desk.ledger.read_heads(tx, [f"person:{who}"]))[f"person:{who}"]
    assert await loop.step(now + 5 * HOUR) is None
    assert await loop.step(now + 5 * HOUR) is None
    assert await told(world) == [("identity:contract:lapse", 5, f"person:{who}")]
    async with world.db.read() as tx:
        after = (await world.identity.desk.ledger.read_heads(tx, [f"person:{who}"]))[f"person:{who}"]
        lane = await tx.fetchval("SELECT lane FROM log_pending WHERE seq = $1", after)
    assert after > before, "grants that rest on the person are decided again"
    assert lane == 0, "an end goes by the control lane"


async def test_what_was_stated_before_the_loop_first_ran_is_told(world: World) -> None:
    now = world.clock.now()
    who = await person(world, "a", ContractTerms(ends_at=now + HOUR))
    loop = BoundaryLoop(world.db, world.identity.desk.ledger)
    assert await loop.step(now + 2 * HOUR) is None
    assert await told(world) == [("identity:contract:lapse", 1, f"person:{who}")]


async def test_a_late_correction_is_told_by_its_own_entry_only(world: World) -> None:
    now = world.clock.now()
    loop = BoundaryLoop(world.db, world.identity.desk.ledger)
    who = await person(world, "a", ContractTerms(ends_at=now + 9 * HOUR))
    await loop.step(now + 3 * HOUR)
    async with world.db.transaction() as tx:
        act = world.act(at=now + 4 * HOUR)
        await world.identity.set_contract(tx, act, who, ContractTerms(ends_at=now + HOUR), source="entra")
    await loop.step(now + 10 * HOUR)
    assert await told(world) == []
    assert "identity:contract:change" in await world.kinds()


async def test_a_crash_after_the_entries_repeats_none_of_them(world: World) -> None:
    now, unit = world.clock.now(), UnitId(new_id())
    people = [await person(world, f"p{number}") for number in range(5)]
    async with world.db.transaction() as tx:
        for who in people:
            await world.identity.put_duty(
                tx, world.act(), who, Duty("field_operator", unit, now + HOUR, now + 2 * HOUR)
            )
    loop = BoundaryLoop(world.db, world.identity.desk.ledger, batch=2)
    point = declared("identity.boundary")["identity.boundary.after_entries"]
    at, steps = now + 2 * HOUR, 0
    while True:
        if steps % 2 == 0:
            with pytest.raises(SimulatedCrash), point.armed():
                await loop.step(at)
        due = await loop.step(at)
        steps += 1
        if due != at:
            break
    entries = await told(world)
    assert [entry[:2] for entry in entries] == [("identity:duty:begin", 1)] * 5 + [
        ("identity:duty:end", 2)
    ] * 5
    assert len(set(entries)) == 10


windows = st.lists(
    st.tuples(st.sampled_from(("contract", "duty", "qualification")), st.integers(0, 20), st.integers(1, 20)),
    min_size=1,
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(windows, st.lists(st.integers(0, 45), min_size=1, max_size=6), st.integers(1, 3))
async def test_every_boundary_is_told_once_in_order(
    world: World, facts: list[tuple[str, int, int]], steps: list[int], batch: int
) -> None:
    # Examples share a database: each has a week of its own, after all others.
    world.clock.advance_to(world.clock.now() + 7 * 24 * HOUR)
    start, expected = world.clock.now(), []
    known = len(await told(world))
    ledger: Ledger = world.identity.desk.ledger
    for kind, begin, length in facts:
        who = await person(world, f"{new_id()}")
        subject = f"person:{who}"
        begins, ends = start + begin * HOUR, start + (begin + length) * HOUR
        async with world.db.transaction() as tx:
            if kind == "contract":
                await world.identity.set_contract(
                    tx, world.act(), who, ContractTerms(starts_at=begins, ends_at=ends), source="entra"
                )
            elif kind == "duty":
                await world.identity.put_duty(tx, world.act(), who, Duty("r", UnitId(new_id()), begins, ends))
            else:
                await world.identity.put_qualification(tx, world.act(), who, Qualification("K", begins, ends))
        last = "end" if kind == "duty" else "lapse"
        if begin > 0:
            expected.append((f"identity:{kind}:begin", begin, subject))
        expected.append((f"identity:{kind}:{last}", begin + length, subject))
    loop = BoundaryLoop(world.db, ledger, batch=batch)
    for hour in sorted(steps):
        at = start + hour * HOUR
        while await loop.step(at) == at:
            pass
    found = (await told(world))[known:]
    # What is left goes to nobody else's account.
    while await loop.step(start + 50 * HOUR) == start + 50 * HOUR:
        pass
    assert sorted(found) == sorted(entry for entry in expected if entry[1] <= max(steps))
    assert [entry[1] for entry in found] == sorted(entry[1] for entry in found)
