"""Every opening says how sure it is who had the key, and says it anew when more is known."""

import pytest

from key2xs.core.ids import PersonId, new_id
from key2xs.keys.desk.certainty import how_sure
from key2xs.keys.desk.crews import make_crew
from key2xs.keys.desk.mishaps import report_lost
from tests.support.tiny import twin_id

from .site import HOUR, MINUTE, Desk, fob

SOMEBODY = PersonId(new_id())


@pytest.mark.parametrize(
    ("person", "given", "word"),
    [
        (SOMEBODY, {}, "sure"),
        (SOMEBODY, {"crew_size": 4}, "crew"),
        (SOMEBODY, {"crew_size": 1}, "sure"),
        (SOMEBODY, {"changing": True}, "between"),
        (SOMEBODY, {"disputed": True, "crew_size": 4}, "between"),
        (SOMEBODY, {"lost": True, "disputed": True}, "lost"),
        (None, {"in_cabinet": True}, "in_cabinet"),
        (None, {}, "unknown"),
        (None, {"lost": True}, "lost"),
    ],
)
def test_a_doubt_outranks_a_certainty(person: PersonId | None, given: dict[str, object], word: str) -> None:
    plain = {"crew_size": None, "lost": False, "changing": False, "disputed": False, "in_cabinet": False}
    assert how_sure(person, **{**plain, **given}).certainty == word  # type: ignore[arg-type]


async def openings(desk: Desk) -> list[tuple[str | None, str, int | None]]:
    async with desk.spine.services.database.read() as tx:
        found = await desk.spine.services.events.recent(tx)
    return [
        (desk.ref(each.person_id), each.certainty, each.crew_size)
        for each in sorted(found, key=lambda each: each.occurred_at or each.arrived_at)
    ]


async def test_openings_carry_how_sure_it_is_and_are_told_anew(desk: Desk) -> None:
    spine = desk.spine
    crew = make_crew(
        "pump gang", desk.person("u2"), [desk.person("u1"), desk.person("u3"), desk.person("u4")]
    )
    await desk.hand_out("K001", "u1")
    await desk.hand_out("K002", "u2", crew=crew)
    await spine.live_permit("C1", crew=("u1", "u2"))
    for _ in range(2):
        await spine.advance(MINUTE, every=MINUTE)
        for stamp in ("K001", "K002"):
            spine.world.sync(fob(stamp))
    await spine.advance(MINUTE, every=MINUTE)
    opened_at = spine.now
    assert spine.try_open("K001", "C1")
    await spine.advance(MINUTE, every=MINUTE)
    assert spine.try_open("K002", "C1")
    spine.world.programmer_visit(twin_id("C1"))
    await spine.advance(2 * MINUTE, every=MINUTE)
    assert await openings(desk) == [("u1", "sure", None), ("u2", "crew", 4)]
    # Its loss is reported an hour later, from before that opening on: the log says so, and so does the opening.
    await spine.advance(HOUR, every=10 * MINUTE)
    key = await desk.key("K001")
    await desk.do(
        lambda tx: report_lost(
            tx,
            desk.parts,
            key,
            reason="in the sump",
            actor="user:desk",
            at=desk.now,
            since=opened_at - MINUTE,
        )
    )
    await spine.settle()
    assert await openings(desk) == [("u1", "lost", None), ("u2", "crew", 4)]
    assert (await desk.kinds("keys:opening:"))[-1] == "keys:opening:reclassify"


async def test_an_opening_by_a_key_in_a_cabinet_says_so(desk: Desk) -> None:
    spine = desk.spine
    await desk.hand_out("K001", "u1")
    await spine.live_permit("C1", crew=("u1",))
    for _ in range(2):
        await spine.advance(MINUTE, every=MINUTE)
        spine.world.sync(fob("K001"))
    await spine.advance(MINUTE, every=MINUTE)
    await desk.tell(desk.event("e1", "item_returned", desk.now, "K001", "u1"))
    await spine.advance(MINUTE, every=MINUTE)
    assert spine.try_open("K001", "C1"), "the key does not know yet"
    await spine.advance(MINUTE, every=MINUTE)
    spine.world.programmer_visit(twin_id("C1"))
    await spine.advance(2 * MINUTE, every=MINUTE)
    assert await openings(desk) == [(None, "in_cabinet", None)]
