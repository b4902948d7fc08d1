"""What the planner stores for a grant that stays out of a key, and what the pages make of it."""

import dataclasses
from typing import Any
from zoneinfo import ZoneInfo

from key2xs.console.views.key import read_key
from key2xs.console.views.why import why
from key2xs.keys.planner import _limits
from key2xs.keys.port import KeyKind
from key2xs.plant.service import get_cylinder
from tests.keys.desk.site import HOUR, MINUTE, Desk
from tests.keys.desk.test_mishaps import lose


async def planned(desk: Desk, stamp: str, **limits: Any) -> dict[str, dict[str, Any]]:
    services, spine = desk.spine.services, desk.spine
    (port,) = (each.port for each in spine.installation.connected)
    async with services.database.read() as tx:
        wanted = await services.planner.plan(
            tx,
            await services.registry.get_key(tx, stamp),
            lambda _kind: dataclasses.replace(port.capabilities(KeyKind.FOB), **limits),
            offline_expires_after=8 * HOUR,
            deliver_ahead=HOUR,
            at=spine.now,
        )
    return wanted.cannot


async def test_a_full_key_names_the_other_key_of_its_holder_that_carries_the_grant(desk: Desk) -> None:
    await desk.hand_out("K001", "u1")
    await desk.hand_out("K002", "u1")
    await desk.spine.live_permit("C1", crew=("u1",))
    assert not await planned(desk, "K001")
    (stays,) = (await planned(desk, "K001", max_rights=0)).values()
    assert stays["why"] == "too_many_rights"
    assert stays["locks"]
    other, desk_key, new = stays["ways_out"]
    assert (other["way"], other["stamp"], other["visits"]) == ("other_key", "K002", 1)
    assert (desk_key["way"], desk_key["visits"]) == ("hand_out", 1)
    assert (new["way"], new["locks"]) == ("make_right", stays["locks"])
    assert await planned(desk, "K001", max_rights=0) == await planned(desk, "K001", max_rights=0)


async def test_the_slots_of_a_key_follow_from_the_firmware_of_the_locks_that_its_grants_open(
    desk: Desk,
) -> None:
    rows = await desk.spine.fetch("SELECT DISTINCT family, firmware FROM key_lock ORDER BY family")
    assert [(row["family"], row["firmware"]) for row in rows] == [("S50", None)], "the site lists no firmware"
    (port,) = (each.port for each in desk.spine.installation.connected)
    can = port.capabilities(KeyKind.FOB)

    def slots(*makes: tuple[str, int | None], **more: Any) -> int:
        found = dataclasses.replace(can, **more)
        return _limits(found, ZoneInfo("UTC"), HOUR, HOUR, makes).free_slots

    assert slots(("D5", 135), ("C5", 138)) == 23
    assert slots(("D5", 135), ("S50", 112)) == slots(("D5", None)) == slots() == 10
    assert slots(("D5", 135), program_slots=5) == 5, "the setting says fewer"
    assert slots(("D5", 1), slots_by_lock=False, program_slots=2) == 2


async def test_the_pages_say_what_helps_in_plain_words(desk: Desk) -> None:
    spine = desk.spine
    await desk.hand_out("K001", "u1")

    async def waits(_tx: Any, _key: Any) -> None:
        """The shift leader is told first."""

    await lose(desk, "K001", block=waits)
    await desk.hand_out("K002", "u1")
    desk.pass_time(MINUTE)
    await spine.settle()
    await spine.live_permit("C5", crew=("u1",))
    async with spine.services.database.read() as tx:
        page = await read_key(tx, spine.services, "K001", spine.now)
        cylinder = await get_cylinder(tx, "C5")
        answer = await why(tx, spine.services, page.key, cylinder, spine.now)
    (stays,) = page.not_carried
    assert "reported lost" in stays.why
    assert "Hand out another key." in [way.change for way in stays.ways]
    assert answer.headline == "This key cannot carry it."
    assert "Hand out another key." in [each.change for each in answer.helps]
    assert "reported lost or broken" in answer.checks[-1].said
