"""Lost, found, broken, replaced: what is blocked, who has what, and what an opening says afterwards."""

from typing import Any, Literal

import pytest

from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import KeyId
from key2xs.keys.desk.crews import make_crew
from key2xs.keys.desk.lists import keys_out
from key2xs.keys.desk.mishaps import (
    ask_unblock,
    end_report,
    open_reports,
    replace,
    report_broken,
    report_lost,
)

from .site import HOUR, MINUTE, Desk, fob


async def lose(desk: Desk, stamp: str, **more: Any) -> None:
    key = await desk.key(stamp)
    await desk.do(
        lambda tx: report_lost(
            tx, desk.parts, key, reason="in the sump", actor="user:desk", at=desk.now, **more
        )
    )


async def found(desk: Desk, stamp: str, ended_as: Literal["found", "repaired"] = "found") -> None:
    key = await desk.key(stamp)
    await desk.do(
        lambda tx: end_report(
            tx,
            desk.parts,
            key,
            ended_as,
            reason="under a seat",
            actor="user:desk",
            at=desk.now,
        )
    )


async def put(desk: Desk, old: str, new: str) -> str | None:
    old_id, new_id = await desk.key(old), await desk.key(new)
    return desk.ref(
        await desk.do(
            lambda tx: replace(tx, desk.parts, old_id, new_id, reason="lost", actor="user:desk", at=desk.now)
        )
    )


async def test_a_lost_key_is_blocked_and_its_holder_is_not_said_to_have_it_any_more(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(2 * HOUR)
    seen = desk.now - HOUR
    await lose(desk, "K001", since=seen)
    async with desk.spine.services.database.read() as tx:
        key = await desk.spine.services.registry.get_key(tx, "K001")
        reports = await open_reports(tx, desk.spine.services.ledger)
    assert [(stamp, report.kind) for stamp, report in reports] == [("K001", "lost")]
    assert key.blocked_at == desk.now
    assert (await desk.custodian("K001", seen - MINUTE)).certainty == "sure"
    assert (await desk.custodian("K001", seen)).certainty == "lost"
    assert (await desk.custodian("K001")).certainty == "lost"
    with pytest.raises(Conflict, match="is reported lost already"):
        await lose(desk, "K001")


async def test_a_lost_emergency_key_is_reported_and_never_blocked(desk: Desk) -> None:
    key = await desk.key("K001")

    async def make_emergency(tx) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        entry = await desk.parts.custody.tell(
            tx, "keys:key:import", await desk.parts.registry.get_key(tx, key), actor="user:x", at=desk.now
        )
        await tx.execute("UPDATE key_key SET emergency = true, entry = $2 WHERE id = $1", key, entry)

    await desk.do(make_emergency)
    await lose(desk, "K001")
    rows = await desk.spine.fetch("SELECT blocked_at FROM key_key WHERE id = $1", key)
    assert rows[0]["blocked_at"] is None


async def test_how_a_key_is_blocked_is_the_safety_rules_business(desk: Desk) -> None:
    """A block that waits for the shift leader: the report stands, and whoever asks later carries it out."""
    await desk.hand_out("K001", "u1")
    asked = []

    async def ask(_tx, key) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        asked.append(key.stamp)

    await lose(desk, "K001", block=ask)
    assert asked == ["K001"]
    assert (await desk.spine.fetch("SELECT blocked_at FROM key_key WHERE stamp = 'K001'"))[0][
        "blocked_at"
    ] is None
    assert (await desk.custodian("K001")).certainty == "lost"


async def test_a_found_key_is_at_the_desk_with_nothing_on_it_and_stays_blocked(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(HOUR)
    await lose(desk, "K001")
    desk.pass_time(HOUR)
    await found(desk, "K001")
    assert await desk.holder("K001") is None
    assert (await desk.custodian("K001", desk.now - MINUTE)).certainty == "lost"
    with pytest.raises(Conflict, match="is blocked or no longer in use"):
        await desk.hand_out("K001", "u1")
    with pytest.raises(Conflict, match="is not reported lost"):
        await found(desk, "K001")


async def test_a_broken_key_stays_at_the_desk_until_it_is_repaired(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    key = await desk.key("K001")
    desk.pass_time(HOUR)
    await desk.do(
        lambda tx: report_broken(tx, desk.parts, key, reason="tip bent", actor="user:desk", at=desk.now)
    )
    assert await desk.holder("K001") is None
    with pytest.raises(Conflict, match="is reported broken; say that it was repaired first"):
        await desk.hand_out("K001", "u1")
    await found(desk, "K001", "repaired")
    await desk.hand_out("K001", "u1")


async def test_a_new_key_takes_a_lost_ones_place_with_crew_due_time_and_access(desk: Desk) -> None:
    spine = desk.spine
    crew = make_crew("pump gang", desk.person("u1"), [desk.person("u2")])
    due = desk.now + 9 * HOUR
    await desk.hand_out("K001", "u1", crew=crew, due_at=due)
    await spine.live_permit("C1", crew=("u1",))
    desk.pass_time(MINUTE)
    await lose(desk, "K001")
    assert await put(desk, "K001", "K002") == "u1"
    async with spine.services.database.read() as tx:
        lines = await keys_out(tx, desk.now)
    assert [(line.key.stamp, line.crew, line.due_at) for line in lines] == [("K002", "pump gang", due)]
    for _ in range(2):
        await spine.advance(MINUTE, every=MINUTE)
        spine.world.sync(fob("K002"))
    await spine.advance(MINUTE, every=MINUTE)
    assert spine.try_open("K002", "C1"), "what its holder may open is planned onto the new one"
    assert (await desk.custodian("K001")).certainty == "lost", "whatever the old one opens, it is a lost key"
    with pytest.raises(Conflict, match="was replaced by another one"):
        await desk.hand_out("K001", "u3")


async def test_a_broken_keys_last_holder_gets_the_new_one(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    desk.pass_time(HOUR)
    key = await desk.key("K001")
    await desk.do(
        lambda tx: report_broken(tx, desk.parts, key, reason="bent", actor="user:desk", at=desk.now)
    )
    desk.pass_time(MINUTE)
    assert await put(desk, "K001", "K003") == "u1"
    assert await desk.holder("K003") == "u1"


async def test_only_a_reported_key_is_replaced_and_only_by_one_that_is_at_hand(desk: Desk) -> None:
    with pytest.raises(Conflict, match="neither reported lost nor broken"):
        await put(desk, "K001", "K002")
    await desk.hand_out("K001", "u1")
    await lose(desk, "K001")
    with pytest.raises(InvalidInput, match="cannot take its own place"):
        await put(desk, "K001", "K001")
    await desk.hand_out("K002", "u2")
    with pytest.raises(Conflict, match="K002 was handed out and has not come back"):
        await put(desk, "K001", "K002")
    assert await desk.holder("K001") == "u1"
    assert (await desk.custodian("K001")).certainty == "lost"


async def test_nothing_new_goes_onto_a_key_that_is_reported_lost_while_its_stop_waits(desk: Desk) -> None:
    spine = desk.spine
    await desk.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    await spine.advance(2 * MINUTE, every=MINUTE)
    spine.world.sync(fob("K001"))
    await spine.advance(MINUTE, every=MINUTE)

    async def waits(_tx, _key) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """The shift leader is told first."""

    await lose(desk, "K001", block=waits)
    desk.pass_time(MINUTE)
    await spine.settle()
    assert spine.try_open("K001", "C1")
    assert await spine.states() == ["active"], "what runs on it is the stop's business"
    await spine.live_permit("C3", crew=("u1",))
    assert await spine.states() == ["active"]
    rows = await spine.fetch("SELECT reasons FROM grant_refusal")
    assert [reason["text"] for row in rows for reason in row["reasons"]] == ["key K001 is reported lost"]
    # Another key takes it; the lost one does not carry it as well.
    await desk.hand_out("K002", "u1")
    await spine.settle()
    await spine.live_permit("C5", crew=("u1",))
    rows = await spine.fetch(
        "SELECT stamp, cardinality(grants) AS carried, cannot FROM key_target AS t JOIN key_key AS k ON k.id = t.key_id "
        "WHERE stamp IN ('K001', 'K002') ORDER BY stamp"
    )
    assert rows[0]["carried"] == 1
    assert {each["why"] for each in rows[0]["cannot"].values()} == {"reported"}
    assert rows[1]["carried"] > 1


async def test_a_good_key_of_one_maker_does_not_stand_in_for_a_blocked_one_of_another(desk: Desk) -> None:
    """The same stamp in both systems: each opens the locks of its own."""
    await desk.second_system(["K001"])
    both = await desk.spine.fetch("SELECT id, external_id FROM key_key WHERE stamp = 'K001'")
    ours = next(KeyId(row["id"]) for row in both if not row["external_id"].startswith("cliq"))
    other = next(KeyId(row["id"]) for row in both if row["external_id"].startswith("cliq"))
    cylinder, custody = await desk.spine.cylinder("C1"), desk.parts.custody

    async def hold_both(tx: Any) -> None:
        await custody.hand_out(tx, ours, desk.person("u1"), actor="user:desk", at=desk.now)
        key = await desk.parts.registry.get_key(tx, other)
        entry = await custody.tell(tx, "keys:key:adopt", key, actor="user:x", at=desk.now)
        await tx.execute(
            "UPDATE key_key SET adopted_at = $2, entry = $3 WHERE id = $1", other, desk.now, entry
        )
        await custody.hand_out(tx, other, desk.person("u1"), actor="user:desk", at=desk.now)
        await custody.block(tx, ours, reason="lost", actor="user:soc", at=desk.now)

    await desk.do(hold_both)
    async with desk.spine.services.database.read() as tx:
        keys = await custody.key_of(tx, desk.person("u1"), [cylinder], desk.now)
    assert (keys.usual.id, keys.usual.blocked) == (str(other), "no")
    assert (keys.key_at(cylinder).id, keys.key_at(cylinder).blocked) == (str(ours), "yes")
    await desk.spine.live_permit("C1", crew=("u1",))
    assert await desk.spine.states() == []


async def test_a_key_comes_off_the_block_list_only_when_it_is_found_and_at_the_desk(desk: Desk) -> None:
    key = await desk.key("K001")

    async def ask() -> None:
        await desk.do(
            lambda tx: ask_unblock(tx, desk.parts, key, reason="found", actor="user:two", at=desk.now)
        )

    with pytest.raises(Conflict, match="is not blocked"):
        await ask()
    await desk.hand_out("K001", "u1")
    await lose(desk, "K001")
    with pytest.raises(Conflict, match="say that it was found first"):
        await ask()
    await found(desk, "K001")
    await ask()
    with pytest.raises(Conflict, match="is blocked or no longer in use"):
        await desk.hand_out("K001", "u1")
    with pytest.raises(Conflict, match="is coming off the block list already"):
        await ask()
    entries = await desk.spine.fetch("SELECT body FROM log_body WHERE kind = 'keys:key:ask_unblock'")
    assert len(entries) == 1
