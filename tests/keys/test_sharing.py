"""What finds no room on one key goes onto another key of the same holder, and stays there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st

from key2xs.keys.carry import Covers, GrantToCarry, KeyLimits, plan_key
from key2xs.keys.compile.compiler import KeyNow
from key2xs.keys.port import VendorRight
from key2xs.keys.program import Program
from key2xs.keys.sharing import share_out
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import twin_id
from tests.support.tiny_cliq import GATEHOUSE, tiny_cliq_site

EIGHT = datetime(2026, 6, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS = KeyLimits(grid=timedelta(minutes=15), zone=ZoneInfo("Europe/Amsterdam"), free_slots=10)
RIGHTS = {lock: frozenset(lock) for lock in "abcdefg"} | {
    "pair": frozenset("ab"),
    "wide": frozenset("abcdefgh"),
}
COVERS = Covers(VendorRight(name, name, locks, writable=True) for name, locks in RIGHTS.items())


@st.composite
def holders(draw: st.DrawFn) -> tuple[list[KeyNow], list[GrantToCarry]]:
    asked = [
        GrantToCarry(
            f"g{n}",
            frozenset(draw(st.sets(st.sampled_from("abcdefg"), min_size=1, max_size=3))),
            EIGHT - timedelta(hours=draw(st.integers(0, 3))),
            EIGHT + timedelta(hours=draw(st.integers(1, 8))),
        )
        for n in range(draw(st.integers(1, 5)))
    ]
    keys = []
    for n in range(draw(st.integers(1, 3))):
        limits = replace(LIMITS, max_rights=draw(st.integers(0, 4)))
        some = draw(st.lists(st.sampled_from(asked), max_size=3, unique=True))
        current = plan_key(some, COVERS, limits, at=EIGHT).program if draw(st.booleans()) else None
        keys.append(KeyNow(f"k{n}", f"K{n}", limits, current))
    return keys, asked


@given(holders())
def test_it_is_shared_out_only_where_it_must_be_and_never_opens_more(
    holder: tuple[list[KeyNow], list[GrantToCarry]],
) -> None:
    keys, asked = holder
    alone = {key.key: plan_key(asked, COVERS, key.limits, at=EIGHT) for key in keys}
    best = max(len(plan.carried) for plan in alone.values())
    found = share_out(keys, asked, COVERS, at=EIGHT)
    if found is None:
        return
    assert len(keys) > 1
    assert len(found.carried) >= best, "sharing never carries less than the best single key"
    for name, plan in found.plans.items():
        granted = frozenset[str]().union(*(g.locks for g in asked if found.carried.get(g.grant) == name))
        opened = frozenset[str]().union(*(RIGHTS[right] for right in plan.program.rights))
        assert opened <= granted
        limit = next(key.limits.max_rights for key in keys if key.key == name)
        assert limit is not None
        assert len(plan.program.rights) <= limit
    assert share_out(list(reversed(keys)), asked, COVERS, at=EIGHT) == found, "whichever key is planned"


@given(holders(), st.randoms(use_true_random=False))
def test_nothing_moves_while_the_keys_are_written_one_by_one(
    holder: tuple[list[KeyNow], list[GrantToCarry]], draw: object
) -> None:
    keys, asked = holder
    first = share_out(keys, asked, COVERS, at=EIGHT)
    if first is None:
        return
    order = list(range(len(keys)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    for number in order:
        plan: Program = first.plans[keys[number].key].program
        keys[number] = replace(keys[number], current=plan)
        again = share_out(keys, asked, COVERS, at=EIGHT)
        assert again is not None
        assert again.carried == first.carried


async def _opens(spine: Spine) -> dict[str, str]:
    """Hold both keys to an updater; say which opens which cabinet."""
    for number in (1, 2):
        spine.world.present_at_updater(twin_id(f"key {number}"), GATEHOUSE)
    await spine.advance(MINUTE)
    found: dict[str, str] = {}
    for stamp in ("K001", "K002"):
        for marking in ("C1", "C3"):
            if spine.try_open(stamp, marking):
                found[marking] = found.get(marking, "") + stamp
    return found


async def test_two_permits_that_do_not_fit_one_key_go_onto_two_and_stay_there(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START, site=tiny_cliq_site) as stage:
        spine = stage.spine
        stage.world.cliq.settings.max_access_entries = 1
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u1")
        await spine.settle()
        first = await spine.live_permit("C1", crew=("u1",))
        assert await _opens(spine) == {"C1": "K001K002"}, "what fits is on either"
        await spine.live_permit("C3", crew=("u1",))
        found = await _opens(spine)
        assert sorted(found) == ["C1", "C3"]
        assert found["C1"] != found["C3"], "one on each"
        await spine.advance(timedelta(minutes=20), every=timedelta(minutes=2))
        assert await _opens(spine) == found, "it stays where it is"
        rows = await spine.fetch("SELECT cannot FROM key_target WHERE cannot <> '{}'")
        ways = [why for row in rows for why in row["cannot"].values()]
        assert {why["why"] for why in ways} == {"on_another_key"}
        assert {why["ways_out"][0]["stamp"] for why in ways} == {"K001", "K002"}
        spine.ptw.suspend(first.id, code="weather", at=spine.now)
        await spine.send()
        await spine.settle()
        assert await _opens(spine) == {"C3": "K001K002"}, "there is room again"


async def test_what_the_lost_key_carried_goes_onto_the_other_as_far_as_it_fits(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START, site=tiny_cliq_site) as stage:
        spine = stage.spine
        stage.world.cliq.settings.max_access_entries = 1
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u1")
        await spine.settle()
        await spine.live_permit("C1", crew=("u1",))
        await spine.live_permit("C3", crew=("u1",))
        found = await _opens(spine)
        assert len(found) == 2
        async with spine.services.database.transaction() as tx:
            key = await spine.services.registry.get_key(tx, found["C1"])
            await spine.services.custody.block(tx, key.id, reason="lost", actor="user:soc", at=spine.now)
        await spine.settle()
        left = await _opens(spine)
        assert found["C1"] not in "".join(left.values())
        assert left == {"C1": found["C3"]}, "one fits, and the grant that began first stays"
