"""Emergency keys under seal: broken by two people, called back, sealed anew, reviewed by somebody else."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import KeyId
from key2xs.incidents.warnings import open_warnings
from key2xs.keys.sealed_types import SealedKey, SealUse, review_due
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import twin_id

MINUTE = timedelta(minutes=1)
STAMP = "K003"  # its plan in the maker's tool opens C1: an emergency key that Key2XS never writes


@pytest.fixture
async def spine(databases: DatabaseServer) -> AsyncIterator[Spine]:
    """The prepared stage, with a right in the emergency key that somebody gave it in the maker's own tool."""
    async with open_stage(databases, START) as stage:
        world = stage.spine.world
        world.out_of_band.change_rights(twin_id("key 3"), [twin_id("right C1")])
        world.out_of_band.order(twin_id("key 3"))
        await stage.spine.advance(MINUTE)
        yield stage.spine


async def test_an_opening_under_a_whole_seal_is_the_top_alarm(spine: Spine) -> None:
    key = await _seal(spine)
    await spine.advance(MINUTE)
    assert (key.state, key.seal) == ("sealed", "4711")
    assert spine.try_open(STAMP, "C1")
    await spine.advance(2 * MINUTE)
    assert await spine.classes() == {"unexplained": 1}
    why = (await spine.fetch("SELECT why FROM key_event"))[0]["why"]
    assert (
        why
        == "this emergency key lies sealed (4711, control room), and nobody noted that the seal was broken"
    )
    # Noted afterwards, with the time it was broken at: then the opening is explained, and the review still comes.
    await _break(spine, broken_at=spine.now - 2 * MINUTE)
    await spine.settle()
    rows = await spine.fetch("SELECT class, person_id FROM key_event")
    assert [(row["class"], row["person_id"]) for row in rows] == [("expected", spine.persons["u1"])]


async def test_the_whole_life_of_a_broken_seal(spine: Spine) -> None:
    await _seal(spine)
    await spine.advance(MINUTE)
    use = await _break(spine)
    assert use.recall_due_at == spine.now + timedelta(minutes=60)
    assert spine.try_open(STAMP, "C1")
    await spine.advance(2 * MINUTE)
    assert await spine.classes() == {"expected": 1}
    # Not back in time: told once, and everybody is warned.
    await spine.advance(timedelta(minutes=70), every=5 * MINUTE)
    assert await _count(spine, "keys:sealed:recall_overdue") == 1
    assert [each.kind for each in await _warnings(spine)].count("seal_overdue") == 1
    await _act(spine, "recall", use.key_id)
    sealed = await _act(spine, "seal_again", use.key_id, seal="4712")
    assert (sealed.state, sealed.seal, sealed.place) == ("sealed", "4712", "control room")
    await spine.advance(2 * MINUTE)
    assert "seal_overdue" not in {each.kind for each in await _warnings(spine)}
    # The review: somebody else, and it does not go away.
    for ref in ("u1", "u2"):
        with pytest.raises(NotAllowed, match="ask somebody else"):
            await _review(spine, use, ref)
    await _look(spine, use.review_due_at + MINUTE)
    assert await _count(spine, "keys:sealed:review_overdue") == 1
    assert "seal_overdue" in {each.kind for each in await _warnings(spine)}
    done = await _review(spine, use, "u4")
    assert (done.reviewed_by, done.outcome) == (spine.persons["u4"], "the pump had to be stopped")
    await _look(spine, use.review_due_at + 3 * MINUTE)
    assert "seal_overdue" not in {each.kind for each in await _warnings(spine)}
    # Under the new seal an opening is the top alarm again, once clocks cannot explain it.
    await spine.advance(6 * MINUTE, every=2 * MINUTE)
    assert spine.try_open(STAMP, "C1")
    await spine.advance(2 * MINUTE)
    assert (await spine.classes())["unexplained"] == 1


async def test_a_key_under_seal_never_enters_a_block_list_and_is_never_written(spine: Spine) -> None:
    key = await _seal(spine)
    await _break(spine)
    with pytest.raises(Conflict, match="S1"):
        async with spine.services.database.transaction() as tx:
            await spine.services.custody.block(tx, key.key_id, reason="lost", actor="user:x", at=spine.now)
    await spine.advance(timedelta(minutes=20), every=5 * MINUTE)
    with pytest.raises(Conflict, match="under seal"):
        await spine.hand_out(STAMP, "u1")
    calls = await spine.fetch(
        "SELECT operation FROM key_call JOIN key_target ON key_target.id = target_id WHERE key_id = $1",
        key.key_id,
    )
    assert calls == []
    assert spine.try_open(STAMP, "C1")


async def test_nobody_looked_at_the_seal(spine: Spine) -> None:
    key = await _seal(spine)
    later = START + timedelta(days=30, hours=1)
    await _look(spine, later - timedelta(hours=2))
    assert await _count(spine, "keys:sealed:check_overdue") == 0
    await _look(spine, later)
    await _look(spine, later + 2 * MINUTE)
    assert await _count(spine, "keys:sealed:check_overdue") == 1
    assert "seal_overdue" in {each.kind for each in await _warnings(spine)}
    with pytest.raises(InvalidInput, match="its seal was broken"):
        await _act(spine, "check", key.key_id, seal="9999")
    async with spine.services.database.transaction() as tx:
        looked = await spine.services.sealed.check(tx, key.key_id, seal=" 47 11", actor="user:x", at=later)
    assert looked.check_due_at == later + timedelta(days=30)
    await _look(spine, later + 4 * MINUTE)
    assert "seal_overdue" not in {each.kind for each in await _warnings(spine)}


async def test_what_is_wrong_is_refused_by_its_field(spine: Spine) -> None:
    async with spine.services.database.read() as tx:
        free = (await spine.services.registry.get_key(tx, "K004")).id
    key = await _seal(spine)
    for field, why, act in (
        ("seal", "used before", lambda: _seal(spine, stamp="K004")),
        ("seal", "characters", lambda: _seal(spine, stamp="K004", seal=" ")),
        ("place", "characters", lambda: _seal(spine, stamp="K004", seal="1", place="")),
        ("second", "name the second one", lambda: _break(spine, second="u1")),
        ("reason", "say why", lambda: _break(spine, reason=" ")),
        ("broken_at", "lies ahead", lambda: _break(spine, broken_at=spine.now + MINUTE)),
        ("broken_at", "before this seal", lambda: _break(spine, broken_at=START)),
    ):
        with pytest.raises(InvalidInput, match=why) as refused:
            await act()
        assert refused.value.field == field
    with pytest.raises(Conflict, match="is under seal"):
        await _act(spine, "recall", key.key_id)
    with pytest.raises(Conflict, match="under seal already"):
        await _seal(spine, seal="4800")
    with pytest.raises(NotFound, match="not kept under seal"):
        await _act(spine, "recall", free)
    await spine.hand_out("K004", "u4")
    with pytest.raises(Conflict, match="is handed out"):
        await _seal(spine, stamp="K004", seal="4801")
    use = await _break(spine)
    with pytest.raises(Conflict, match="its seal is broken"):
        await _break(spine)
    with pytest.raises(Conflict, match="not back under seal"):
        await _review(spine, use, "u4")
    with pytest.raises(InvalidInput, match="used before"):
        await _act(spine, "seal_again", key.key_id, seal="4711")


def test_a_review_is_due_on_the_next_working_day_at_the_site() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    friday_night = datetime(2026, 7, 3, 23, 30, tzinfo=UTC)  # already Saturday at the site
    assert review_due(friday_night, zone) == datetime(2026, 7, 6, 15, tzinfo=UTC)
    assert review_due(datetime(2026, 7, 1, 3, tzinfo=UTC), zone) == datetime(2026, 7, 2, 15, tzinfo=UTC)


async def _seal(
    spine: Spine, *, stamp: str = STAMP, seal: str = "4711", place: str = "control room"
) -> SealedKey:
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, stamp)
        return await spine.services.sealed.seal(
            tx, key.id, seal=seal, place=place, actor="user:x", at=spine.now
        )


async def _break(
    spine: Spine, *, second: str = "u2", reason: str = "leak", broken_at: datetime | None = None
) -> SealUse:
    async with spine.services.database.transaction() as tx:
        key = await spine.services.registry.get_key(tx, STAMP)
        return await spine.services.sealed.break_seal(
            tx, key.id, taken_by=spine.persons["u1"], second=spine.persons[second], reason=reason,
            broken_at=broken_at or spine.now, actor="user:x", at=spine.now,
        )  # fmt: skip


async def _act(spine: Spine, what: str, key_id: KeyId, **values: Any) -> Any:
    async with spine.services.database.transaction() as tx:
        done = await getattr(spine.services.sealed, what)(tx, key_id, actor="user:x", at=spine.now, **values)
    await spine.settle()
    return done


async def _look(spine: Spine, at: datetime) -> None:
    """Let the two loops that watch look at a later instant; nothing else moves."""
    for loop in spine.installation.loops:
        if loop.name in {"keys:seals", "incidents:warnings"}:
            await loop.step(at)


async def _review(spine: Spine, use: SealUse, ref: str) -> SealUse:
    async with spine.services.database.transaction() as tx:
        return await spine.services.sealed.review(
            tx,
            use.id,
            reviewer=spine.persons[ref],
            outcome="the pump had to be stopped",
            actor="user:x",
            at=spine.now,
        )


async def _warnings(spine: Spine) -> list[Any]:
    async with spine.services.database.read() as tx:
        return await open_warnings(tx)


async def _count(spine: Spine, kind: str) -> int:
    return len(await spine.fetch("SELECT 1 FROM log_body WHERE kind = $1", kind))
