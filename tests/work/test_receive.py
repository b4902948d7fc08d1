"""Taking in permit events, as an independent permit system sends them."""

import asyncio
import json
from datetime import timedelta

import pytest

from key2xs.core.crash import SimulatedCrash, declared
from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from key2xs.work import (
    PeopleReader,
    held_messages,
    list_permits,
    live_permits_of_person,
    resolve_people,
    set_native_state,
)
from key2xs_twin.clients.permits import Member, Step
from tests.work.worlds import NIGHT, SOURCE, Change, World, after, having, without


async def test_a_permit_that_goes_live_gives_scope_crew_and_steps(world: World) -> None:
    worker = await world.person("u1")
    issuer = await world.person("ia")
    permit = world.create(
        steps=[
            Step(id="s1", title="Open", state="authorised", assets=["P-1"], roles=["performing_authority"])
        ]
    )
    world.go_live(permit)
    world.ptw.sign_on(permit.id, "u1", at=after(5))
    outcomes = await world.take_all()
    assert [outcome.kind for outcome in outcomes] == ["accepted"] * 4
    facts = await world.facts(permit, after(6))
    assert (facts.state, facts.live, facts.revision, facts.type) == ("live", "yes", 1, "cold_work")
    assert facts.window == (NIGHT, after(720))
    assert len(facts.cylinders) == 1
    assert facts.steps[0].cylinders == facts.cylinders
    assert [(m.person_id, m.is_signed_on(after(6))) for m in facts.crew] == [(worker, True)]
    assert facts.approvals[-1].person_id == issuer
    assert facts.basis_at == after(2)
    assert facts.feed_ok == "yes"
    assert await world.kinds() == [
        "work:permit:change", "work:source:connect", "work:permit:change", "work:permit:issue", "work:permit:change",
    ]  # fmt: skip
    async with world.db.read() as tx:
        assert [p.number for p in await live_permits_of_person(tx, worker, after(6))] == ["0001"]
        assert [p.state for p in await list_permits(tx, after(6), area="cdu")] == ["live"]
        assert await list_permits(tx, NIGHT - timedelta(minutes=1)) == []


async def test_before_its_going_live_a_permit_is_not_live_at_past_instants(world: World) -> None:
    permit = await world.live_permit()
    assert (await world.facts(permit, after(1.5))).state == "approved"
    assert (await world.facts(permit, after(1.5))).live == "no"


async def test_the_same_event_twice_counts_once_also_with_other_blanks(world: World) -> None:
    permit = await world.live_permit()
    event = world.ptw.events[-1]
    before = await world.kinds()
    assert (await world.take(event)).kind == "duplicate"
    spaced = json.dumps(event, indent=2, sort_keys=True).encode()
    assert (await world.take(spaced, at=after(9))).kind == "duplicate"
    assert await world.kinds() == before
    assert (await world.facts(permit, after(10))).live == "yes"


async def test_an_id_that_comes_again_with_other_content_is_refused_and_holds_the_permit(
    world: World,
) -> None:
    permit = await world.live_permit()
    event = {**world.ptw.events[-1], "time": after(3).isoformat(), "sequence": 4}
    outcome = await world.take(event)
    assert outcome.kind == "refused"
    assert [problem.field for problem in outcome.problems] == ["id"]
    assert (await world.facts(permit, after(4))).live == "unknown"
    entries = await world.kinds()
    assert (await world.take(event)).kind == "refused"
    assert await world.kinds() == entries


async def test_an_older_event_that_comes_late_changes_the_past_only(world: World) -> None:
    permit = world.create()
    world.go_live(permit)
    first, second, third = world.outbox.events
    assert (await world.take(first)).kind == "accepted"
    assert (await world.take(third)).kind == "accepted"
    facts = await world.facts(permit, after(3))
    assert facts.needs_pull
    assert facts.live == "yes"
    assert (await world.take(second, at=after(20))).kind == "stale"
    facts = await world.facts(permit, after(21))
    assert not facts.needs_pull
    assert facts.live == "yes"
    assert (await world.facts(permit, after(1.5))).state == "approved"


async def test_a_suspension_is_believed_and_only_a_revalidation_ends_it(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.suspend(permit.id, code="shift_end", at=after(30))
    await world.take_all()
    facts = await world.facts(permit, after(31))
    assert (facts.state, facts.live, facts.reason_code) == ("suspended", "no", "shift_end")
    world.ptw.go_live(permit.id, by="ia", at=after(40))
    (outcome,) = await world.take_all()
    assert any(problem.field == "illegal_move" for problem in outcome.problems)
    assert (await world.facts(permit, after(41))).state == "suspended"
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(720), at=after(50))
    await world.take_all()
    facts = await world.facts(permit, after(51))
    assert facts.live == "yes"
    assert facts.basis_at == after(50)
    kinds = await world.kinds("work:permit:")
    assert kinds[-3:] == ["work:permit:suspend", "work:permit:change", "work:permit:revalidate"]


@pytest.mark.parametrize(
    ("state", "native", "expected"),
    [
        ("live", "ZAUBERHAFT", "unknown"),  # nobody said what this name means
        ("live", "", "unknown"),
        ("flying", "ISSUED", "unknown"),
        ("live", "CLOSED", "closed"),  # the narrower one of two that disagree
        ("suspended", "ISSUED", "suspended"),
        ("suspended", "ZAUBERHAFT", "suspended"),
        ("cancelled", "CANCELED", "cancelled"),
    ],
)
async def test_a_state_that_is_not_surely_live_is_not_live(
    world: World, state: str, native: str, expected: str
) -> None:
    permit = await world.live_permit()
    world.ptw.set_state(permit.id, state=state, native_state=native, at=after(10))
    (outcome,) = await world.take_all()
    facts = await world.facts(permit, after(11))
    assert facts.state == expected
    assert facts.live != "yes"
    if expected == "unknown":
        assert outcome.kind == ("parked" if native else "refused")
        assert outcome.problems


async def test_a_site_can_say_what_a_native_state_means(world: World) -> None:
    permit = await world.live_permit()
    async with world.db.transaction() as tx:
        await set_native_state(
            tx, world.desk, SOURCE, native="Zauberhaft!", canonical="live", actor="user:x", at=after(5)
        )
    world.ptw.set_state(permit.id, state="live", native_state="ZAUBERHAFT", at=after(10))
    await world.take_all()
    assert (await world.facts(permit, after(11))).live == "yes"


@pytest.mark.parametrize("ended", ["close", "cancel"])
async def test_an_ended_permit_stays_ended(world: World, ended: str) -> None:
    permit = await world.live_permit()
    if ended == "close":
        world.ptw.hand_back(permit.id, at=after(9))
        world.ptw.close(permit.id, at=after(10))
    else:
        world.ptw.cancel(permit.id, code="other", at=after(10))
    await world.take_all()
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(720), at=after(20))
    (outcome,) = await world.take_all()
    assert [problem.field for problem in outcome.problems] == ["ended"]
    assert (await world.facts(permit, after(21))).live == "no"


async def test_a_failed_gas_retest_suspends_until_revalidated(world: World) -> None:
    permit = await world.live_permit(type_="hot_work")
    world.ptw.gas_test(permit.id, safe=True, by="gt", at=after(5))
    world.ptw.gas_test(permit.id, safe=False, by="gt", at=after(60))
    await world.take_all()
    facts = await world.facts(permit, after(61))
    assert (facts.state, facts.cause, facts.live) == ("suspended", "gas_unsafe", "no")
    async with world.db.read() as tx:
        lane = await tx.fetchval("SELECT lane FROM log_pending ORDER BY seq DESC LIMIT 1")
    assert lane == 0
    world.ptw.gas_test(permit.id, safe=True, by="gt", at=after(70))
    await world.take_all()
    assert (await world.facts(permit, after(71))).state == "suspended"
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(720), at=after(80))
    await world.take_all()
    facts = await world.facts(permit, after(81))
    assert facts.live == "yes"
    assert facts.gas
    assert facts.gas.standing == "safe"


async def test_losing_the_attendant_suspends_the_permit_while_others_are_inside(world: World) -> None:
    permit = await world.live_permit(
        type_="confined_space",
        people=[Member(ref="u1", role="worker"), Member(ref="w1", role="confined_space_attendant")],
    )
    world.ptw.sign_on(permit.id, "u1", at=after(5))
    world.ptw.sign_on(permit.id, "w1", at=after(5))
    await world.take_all()
    assert (await world.facts(permit, after(6))).live == "yes"
    world.ptw.sign_off(permit.id, "w1", at=after(30))
    await world.take_all()
    facts = await world.facts(permit, after(31))
    assert (facts.state, facts.cause) == ("suspended", "attendant_lost")


async def test_assets_that_the_plant_does_not_know_open_nothing_and_are_named(world: World) -> None:
    permit = await world.live_permit(assets=["P-1", "P-77", "BARE"])
    facts = await world.facts(permit, after(3))
    assert facts.live == "yes"
    assert len(facts.cylinders) == 1
    assert {(each.code, each.reason) for each in facts.unmapped} == {
        ("P-77", "unknown"),
        ("BARE", "no_cylinder"),
    }
    assert any("P-77" in finding.text for finding in facts.findings)


async def test_people_nobody_knows_stay_on_the_permit_and_are_matched_when_they_appear(world: World) -> None:
    permit = await world.live_permit()
    facts = await world.facts(permit, after(3))
    assert [member.person_id for member in facts.unresolved] == [None]
    worker = await world.person("u1")
    async with world.db.transaction() as tx:
        resolved = await resolve_people(tx, world.desk, at=after(4))
    assert len(resolved) == 1
    assert [member.person_id for member in (await world.facts(permit, after(5))).crew] == [worker]
    permit_id = await world.permit_id(permit)
    async with world.db.read() as tx:
        entry = await tx.fetchrow("SELECT heads, subjects FROM log_body WHERE kind = 'work:person:resolve'")
    assert entry
    assert entry["heads"] == [f"permit:{permit_id}"]
    assert f"person:{worker}" in entry["subjects"]
    reader = PeopleReader(world.desk, world.clock)
    async with world.db.transaction() as tx:
        await reader.handle(tx, [])
    async with world.db.read() as tx:
        party = await tx.fetchrow("SELECT id, owner, ref_sealed FROM work_party WHERE person_id = $1", worker)
    assert party
    assert await world.vault.open(party["owner"], party["ref_sealed"]) == "u1"
    assert repr(await world.vault.open(party["id"], party["ref_sealed"])) == "erased"


async def test_no_reference_of_a_person_is_stored_in_the_clear(world: World, db_dsns: RoleDsns) -> None:
    permit = world.create(people=[Member(ref="REFERENCE-ONE", role="worker", company="v1")])
    world.ptw.approve(permit.id, by="REFERENCE-TWO", at=after(1))
    world.ptw.go_live(permit.id, by="REFERENCE-THREE", at=after(2))
    world.ptw.gas_test(permit.id, safe=True, by="REFERENCE-FOUR", at=after(3))
    world.ptw.lock_on(permit.id, "LB1", "REFERENCE-ONE", at=after(4))
    world.ptw.expect_checkin(permit.id, "REFERENCE-ONE", due_at=after(60), at=after(5))
    event = world.outbox.events[-1]
    event["data"]["people"][0]["name"] = "REFERENCE-NAME"
    event["data"]["shoe_size"] = "REFERENCE-EXTRA"
    assert {outcome.kind for outcome in await world.take_all()} == {"accepted"}
    owner = await Database.open(db_dsns.owner)
    async with owner.read() as tx:
        for table in await tx.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"):
            rows = await tx.fetch(f'SELECT t::text AS line FROM "{table["name"]}" AS t')
            assert not [row for row in rows if "REFERENCE" in row["line"]], table["name"]
    await owner.close()
    facts = await world.facts(permit, after(6))
    assert facts.personal_locks_on is True


async def test_a_wider_scope_counts_only_after_a_new_approval(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.change_scope(permit.id, assets=["P-1", "P-2"], at=after(20))
    await world.take_all()
    facts = await world.facts(permit, after(21))
    assert facts.withheld == (("sap_floc", "P-2"),)
    assert len(facts.cylinders) == 1
    world.ptw.revalidate(permit.id, by="ia", valid_to=after(720), at=after(30))
    await world.take_all()
    facts = await world.facts(permit, after(31))
    assert facts.withheld == ()
    assert len(facts.cylinders) == 2
    world.ptw.change_scope(permit.id, assets=["P-2"], at=after(40))
    await world.take_all()
    assert len((await world.facts(permit, after(41))).cylinders) == 1


async def test_a_longer_window_counts_only_after_a_new_approval(world: World) -> None:
    permit = await world.live_permit(valid_to=after(120))
    permit.valid_to = after(600)
    world.ptw.sign_on(permit.id, "u1", at=after(10))
    (outcome,) = await world.take_all()
    assert [problem.field for problem in outcome.problems] == ["window_not_signed"]
    assert (await world.facts(permit, after(11))).window[1] == after(120)
    assert (await world.facts(permit, after(121))).state == "expired"


@pytest.mark.parametrize(
    "change", [without("data", "permit", "state"), having("0.3", "specversion"), without("sequence")]
)
async def test_a_wrong_event_is_refused_by_field_and_holds_the_permit(world: World, change: Change) -> None:
    permit = await world.live_permit()
    world.ptw.sign_on(permit.id, "u1", at=after(10))
    (event,) = world.outbox.events
    outcome = await world.take(change(event), at=after(10))
    assert outcome.kind == "refused"
    async with world.db.read() as tx:
        held = await held_messages(tx)
    assert held[0].problems == outcome.problems
    facts = await world.facts(permit, after(11))
    assert facts.live == "unknown"
    assert facts.needs_pull
    # The right event with the same sequence puts it right.
    await world.take(event)
    assert (await world.facts(permit, after(12))).live == "yes"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"specversion":"1.0"}', b"null"],
    ids=["empty", "cut", "no_utf8", "list", "deep", "bare", "null"],
)
async def test_what_is_no_event_is_refused_with_a_field(world: World, body: bytes) -> None:
    outcome = await world.take(body, at=after(1))
    assert outcome.kind == "refused"
    assert outcome.problems
    assert (await world.take(body, at=after(2))).entry == outcome.entry


async def test_a_wrong_suspension_still_suspends(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.suspend(permit.id, code="gas_alarm", at=after(10))
    (event,) = world.outbox.events
    outcome = await world.take(without("data", "scope")(event))
    assert outcome.kind == "refused"
    assert (await world.facts(permit, after(11))).state == "suspended"


async def test_the_same_event_at_once_from_several_connections_counts_once(world: World) -> None:
    world.create()
    (event,) = world.outbox.events
    outcomes = await asyncio.gather(*(world.take(event) for _ in range(5)))
    assert sorted(outcome.kind for outcome in outcomes) == ["accepted"] + ["duplicate"] * 4


async def test_a_stop_and_an_issue_at_once_never_leave_the_permit_live(world: World) -> None:
    permits = []
    for _ in range(6):
        permit = world.create()
        world.go_live(permit)
        permits.append(permit)
    events, world.outbox.events = world.outbox.events, []
    issues = [event for event in events if event["type"].endswith("permit.live.v1")]
    await world.take_all(event for event in events if event not in issues)
    world.ptw.area_stop("CDU", code="gas_alarm", at=after(2))
    stop = world.outbox.events[0]
    await asyncio.gather(*(world.take(event, at=after(3)) for event in (*issues[:3], stop, *issues[3:])))
    for permit in permits:
        assert (await world.facts(permit, after(4))).state == "cancelled"


async def test_a_crash_after_the_write_leaves_nothing_and_the_retry_counts(world: World) -> None:
    permit = await world.live_permit()
    world.ptw.suspend(permit.id, code="weather", at=after(10))
    (event,) = world.outbox.events
    with declared("work.receive.")["work.receive.after_store"].armed(), pytest.raises(SimulatedCrash):
        await world.take(event)
    assert (await world.facts(permit, after(11))).live == "yes"
    assert (await world.take(event)).kind == "accepted"
    assert (await world.facts(permit, after(11))).state == "suspended"


@pytest.mark.parametrize(
    "change",
    [
        having("a\0b", "data", "permit", "number"),
        having("a\0b", "id"),
        having("0001-01-01T00:00:00+14:00", "data", "permit", "valid_from"),
        having("9999-12-31T23:59:59-14:00", "data", "steps", 0, "planned_to"),
    ],
)
async def test_what_no_database_keeps_is_refused(world: World, change: Change) -> None:
    world.create(steps=[Step(id="s1")])
    (event,) = world.outbox.events
    assert (await world.take(change(event), at=after(1))).kind == "refused"
