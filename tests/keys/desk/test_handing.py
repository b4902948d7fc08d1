"""Over the counter and from hand to hand: at most one holder, nothing lost, nothing twice, nothing inherited."""

from datetime import timedelta

import pytest

from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import new_id
from key2xs.identity import Act
from key2xs.keys.desk import due, handing, leaving, transfers
from key2xs.keys.desk.crews import make_crew
from key2xs.keys.desk.lists import as_csv, grouped, keys_by_stamp, keys_out, one_key
from key2xs.keys.desk.outlook import outlook
from key2xs.plant.service import list_units

from .site import HOUR, MINUTE, Desk, fob


async def test_a_key_goes_out_and_comes_back(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    assert await desk.holder("K001") == "u1"
    assert (await desk.custodian("K001")).certainty == "sure"
    began = desk.now
    desk.pass_time(HOUR)
    await desk.take_back("K001")
    assert await desk.spans("K001") == [("u1", began, desk.now)]
    assert (await desk.custodian("K001")).certainty == "unknown"


async def test_a_key_that_is_out_is_not_handed_out_again(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    with pytest.raises(Conflict, match="has not come back; take it back first"):
        await desk.hand_out("K001", "u2")
    assert await desk.holder("K001") == "u1"


async def test_whoever_the_iam_ended_gets_no_key(desk: Desk) -> None:
    async def end(tx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return await desk.parts.identity.end_person(tx, Act("user:hr", desk.now), desk.person("u1"))

    await desk.do(end)
    with pytest.raises(
        Conflict, match="K001 was not handed out: the IAM says that this person is not active"
    ):
        await desk.hand_out("K001", "u1")
    await desk.hand_out("K001", "u2")


async def test_a_mistake_is_taken_back_by_whoever_made_it_while_it_is_fresh(desk: Desk) -> None:
    key = await desk.key("K001")

    async def undo(actor: str) -> None:
        await desk.do(lambda tx: handing.undo(tx, desk.parts, key, actor=actor, at=desk.now))

    await desk.hand_out("K001", "u1", actor="user:one")
    desk.pass_time(2 * MINUTE)
    with pytest.raises(Conflict, match="by whoever handed it out, within 2 minutes"):
        await undo("user:two")
    await undo("user:one")
    assert await desk.holder("K001") is None
    assert (await desk.spine.fetch("SELECT body FROM log_body WHERE kind = 'keys:custody:take_back'"))[0][
        "body"
    ]["reason"] == "mistake"
    await desk.hand_out("K001", "u1", actor="user:one")
    desk.pass_time(timedelta(seconds=121))
    with pytest.raises(Conflict):
        await undo("user:one")
    assert await desk.holder("K001") == "u1"


async def test_what_a_key_opens_never_goes_along_to_the_next_person(desk: Desk) -> None:
    spine = desk.spine
    await desk.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await spine.advance(2 * MINUTE, every=MINUTE)
    spine.world.sync(fob("K001"))
    await spine.advance(MINUTE, every=MINUTE)
    assert spine.try_open("K001", "C1"), "the liveness twin: it worked before"
    key = await desk.key("K001")
    giver = await desk.do(
        lambda tx: transfers.transfer(
            tx, desk.parts, key, desk.person("u2"), actor="user:desk", at=desk.now, reason="goes home"
        )
    )
    assert desk.ref(giver) == "u1"
    async with spine.services.database.read() as tx:
        target = await spine.services.targets.find(tx, key)
    assert target is not None
    assert target.desired.opens_nothing, "in the same transaction, before the log is read"
    await spine.advance(MINUTE, every=MINUTE)
    spine.world.sync(fob("K001"))
    await spine.advance(MINUTE, every=MINUTE)
    assert not spine.try_open("K001", "C1")
    assert await desk.holder("K001") == "u2"


async def test_a_key_nobody_has_is_not_passed_on_nor_one_to_whom_has_it(desk: Desk) -> None:
    key = await desk.key("K001")

    async def to(ref: str) -> None:
        await desk.do(
            lambda tx: transfers.transfer(
                tx, desk.parts, key, desk.person(ref), actor="user:desk", at=desk.now
            )
        )

    with pytest.raises(Conflict, match="was not handed out"):
        await to("u1")
    await desk.hand_out("K001", "u1")
    with pytest.raises(Conflict, match="is with that person already"):
        await to("u1")
    desk.pass_time(HOUR)
    await to("u2")
    desk.pass_time(MINUTE)
    assert (await desk.custodian("K001")).certainty == "between", (
        "a minute after a change of hands nobody is sure"
    )
    desk.pass_time(2 * MINUTE)
    assert (await desk.custodian("K001")).certainty == "sure"


async def test_a_teams_keys_go_to_the_next_team_and_refusals_are_named(desk: Desk) -> None:
    end = desk.now + 20 * MINUTE
    await desk.on_duty("u1", desk.now - 11 * HOUR, end)
    await desk.on_duty("u2", desk.now - 11 * HOUR, end, role="fire_watch")
    await desk.on_duty("u3", end, end + 12 * HOUR)
    await desk.on_duty("u4", desk.now - 30 * MINUTE, end + 12 * HOUR)
    for stamp, ref in (("K001", "u1"), ("K002", "u1"), ("K003", "u2")):
        await desk.hand_out(stamp, ref)

    async def propose(tx):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        unit = (await list_units(tx))[0]
        return await transfers.propose_change(tx, desk.parts, unit.id, desk.now)

    lines = await desk.do(propose)
    assert sorted((line.stamp, desk.ref(line.giver)) for line in lines) == [
        ("K001", "u1"), ("K002", "u1"), ("K003", "u2"),
    ]  # fmt: skip
    heirs = {line.stamp: desk.ref(line.receiver) for line in lines}
    assert {heirs["K001"], heirs["K002"]} == {"u3", "u4"}, (
        "everybody of the next team gets one before anybody gets two"
    )
    assert heirs["K003"] is None
    assert [line.why_not for line in lines if line.why_not] == [
        "nobody of the next team is on duty as fire watch"
    ]
    missing = new_id()
    wanted = [(line.key_id, line.receiver) for line in lines if line.receiver]
    wanted += [(missing, desk.person("u3")), (await desk.key("K004"), desk.person("u3"))]
    done = await desk.do(
        lambda tx: transfers.transfer_many(tx, desk.parts, wanted, actor="user:leader", at=desk.now)
    )
    refused = {line.stamp: line.why_not for line in done if line.why_not}
    assert sorted(refused) == sorted([str(missing), "K004"])
    assert refused["K004"] == "key K004 was not handed out; hand it out at the desk"
    assert {await desk.holder("K001"), await desk.holder("K002")} == {"u3", "u4"}
    assert await desk.holder("K003") == "u2"
    assert await desk.kinds("keys:custody:transfer") == ["keys:custody:transfer"] * 2


async def test_a_crews_key_says_one_of_how_many(desk: Desk) -> None:
    crew = make_crew("scaffold, tank 12", desk.person("u1"), [desk.person("u2"), desk.person("u3")])
    await desk.hand_out("K001", "u1", crew=crew)
    found = await desk.custodian("K001")
    assert (desk.ref(found.person_id), found.certainty, found.crew_size) == ("u1", "crew", 3)
    async with desk.spine.services.database.read() as tx:
        line = (await keys_out(tx, desk.now))[0]
    assert (line.crew, line.crew_size, line.certainty) == ("scaffold, tank 12", 3, "crew")
    with pytest.raises(InvalidInput, match="a crew has somebody beside its leader"):
        make_crew("alone", desk.person("u1"), [desk.person("u1")])


async def test_a_key_is_due_with_the_shift_and_with_the_permit_where_there_is_none(desk: Desk) -> None:
    await desk.on_duty("u1", desk.now - HOUR, desk.now + 7 * HOUR)
    await desk.spine.live_permit("C1", crew=("u2",), hours=3)
    for stamp, ref in (("K001", "u1"), ("K002", "u2"), ("K003", "u3")):
        await desk.hand_out(stamp, ref)
    async with desk.spine.services.database.read() as tx:
        found = {line.key.stamp: line.due_at for line in await keys_out(tx, desk.now)}
    assert found == {
        "K001": desk.now + 7 * HOUR, "K002": desk.now + 3 * HOUR, "K003": desk.now + 12 * HOUR,
    }  # fmt: skip


async def test_leaving_with_a_key_is_noted_until_it_comes_back(desk: Desk) -> None:
    async def check(ref: str) -> leaving.ExitCheck:
        found: leaving.ExitCheck = await desk.do(
            lambda tx: leaving.check_exit(tx, desk.parts, desk.person(ref), actor="user:gate", at=desk.now)
        )
        return found

    await desk.hand_out("K001", "u1")
    assert (await check("u2")).may_leave
    found = await check("u1")
    assert not found.may_leave
    assert [key.stamp for key in found.keys] == ["K001"]
    await check("u1")
    assert await desk.findings() == ["left_with_key"], "asked twice, noted once"
    await desk.take_back("K001")
    assert await desk.findings() == []
    assert (await check("u1")).may_leave


async def test_a_key_of_somebody_whose_access_ended_is_owed_to_the_desk(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    await desk.hand_out("K002", "u2")
    await desk.spine.settle()
    assert await desk.findings() == []
    await desk.do(lambda tx: desk.parts.identity.end_person(tx, Act("user:hr", desk.now), desk.person("u1")))
    await desk.spine.settle()
    assert await desk.findings() == ["holder_gone"]


async def test_the_desk_says_what_the_key_will_do_or_why_it_waits(desk: Desk) -> None:
    spine = desk.spine
    await desk.hand_out("K001", "u1")
    await desk.hand_out("K002", "u2")
    await spine.live_permit("C1", "C2", crew=("u1",), hours=2)

    async def look(stamp: str, ref: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
        async with spine.services.database.read() as tx:
            key = await spine.services.registry.get_key(tx, stamp)
            zone = spine.services.settings.zone
            return await outlook(tx, desk.parts, key, desk.person(ref), desk.now, zone)

    found = await look("K001", "u1")
    assert (found.locks, found.until, found.why) == (2, desk.now + 2 * HOUR, ())
    waits = await look("K002", "u2")
    assert (waits.locks, waits.why) == (0, ("no permit, duty or request names this person",))


async def test_why_a_key_waits_names_the_permit_that_is_not_signed(desk: Desk) -> None:
    spine = desk.spine
    permit = await spine.live_permit("C1", crew=("u1", "u2"))
    spine.ptw.sign_off(permit.id, "u2", at=spine.now)
    await spine.send()
    await spine.settle()
    async with spine.services.database.read() as tx:
        key = await spine.services.registry.get_key(tx, "K002")
        zone = spine.services.settings.zone
        found = await outlook(tx, desk.parts, key, desk.person("u2"), desk.now, zone)
    assert found.why == (f"not signed on to permit {permit.number}",)


async def test_the_list_of_keys_that_are_out_has_companies_areas_and_no_names(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    await desk.hand_out("K002", "u4")
    await desk.spine.live_permit("C1", crew=("u1",))
    await desk.spine.advance(2 * MINUTE, every=MINUTE)
    async with desk.spine.services.database.read() as tx:
        lines = await keys_out(tx, desk.now)
    assert [(name, [line.key.stamp for line in part]) for name, part in grouped(lines, "company")] == [
        ("Rotor & Seal", ["K001"]),
        ("The operator", ["K002"]),
    ]
    assert [(name, [line.key.stamp for line in part]) for name, part in grouped(lines, "area")] == [
        (lines[0].areas[0], ["K001"]),
        ("opens nothing now", ["K002"]),
    ]
    text = as_csv(lines, desk.now)
    assert "Family" not in text
    assert "00001" not in text
    assert text.splitlines()[1].startswith(f"K001,fob,{desk.person('u1')},Rotor & Seal,")


async def test_a_stamp_of_two_key_systems_is_asked_about_never_guessed(desk: Desk) -> None:
    await desk.second_system(["K001", "9999"])
    async with desk.spine.services.database.read() as tx:
        both = await keys_by_stamp(tx, "k001")
        assert sorted(name for _, name in both) == ["cliq-main", "iloq"]
        with pytest.raises(NotFound, match="keys of cliq-main and iloq carry the stamp K001"):
            await one_key(tx, "K001")
        assert (await one_key(tx, "9999")).kind == "dynamic"
        assert (await one_key(tx, "K002")).kind == "fob"


async def test_a_due_time_is_moved_and_nobody_moves_it_into_the_past(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    key = await desk.key("K001")
    until = desk.now + 30 * HOUR
    await desk.do(
        lambda tx: due.move_due(
            tx, desk.parts, key, until, reason="turnaround", actor="user:leader", at=desk.now
        )
    )
    async with desk.spine.services.database.read() as tx:
        assert (await keys_out(tx, desk.now))[0].due_at == until
    with pytest.raises(InvalidInput, match="has passed already"):
        await desk.do(
            lambda tx: due.move_due(
                tx, desk.parts, key, desk.now, reason="x", actor="user:leader", at=desk.now
            )
        )
