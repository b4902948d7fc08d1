"""Keys go from the late team to the night team: one by one, and what stands against one is named."""

from typing import Any

from key2xs_demo.night import Night

from .times import MINUTE, at

PATH = "/api/v1/custody/shift-transfer"


def plan(night: Night) -> None:
    """The change of shifts at eleven."""
    night.plan(at(22, 40), "two people of the late shift have keys of the pool", _hand_out)
    night.plan(at(22, 52), "the change of shifts, looked at before: who would get which key", _look)
    night.plan(at(23, 6), "the change of shifts: keys go to the night team", _transfer)


async def _hand_out(night: Night) -> None:
    cast = night.cast
    for holder in (cast.giver, cast.left_over):
        await night.hand_out(holder)
    await night.time.advance(2 * MINUTE)
    await night.twin.act("sync", key=cast.giver.stamp)
    await night.time.advance(MINUTE)


async def _look(night: Night) -> None:
    cast = night.cast
    lines = await _change(night, dry_run=True)
    night.book.expect(
        "next-team-is-proposed",
        {cast.giver.stamp: night.persons[cast.heir.ref], cast.left_over.stamp: None},
        {stamp: line["receiver"] for stamp, line in lines.items()},
    )
    out = {each["key"]: each["holder"] for each in (await night.machine.get("/api/v1/custody/out"))["items"]}
    night.book.expect("looking-moves-nothing", night.persons[cast.giver.ref], out.get(cast.giver.stamp))


async def _transfer(night: Night) -> None:
    cast = night.cast
    heir = night.persons[cast.heir.ref]
    lines = await _change(night, dry_run=False)
    night.book.expect(
        "key-goes-to-the-next-team",
        {"receiver": heir, "why_not": ""},
        {name: lines.get(cast.giver.stamp, {}).get(name) for name in ("receiver", "why_not")},
    )
    refused = lines.get(cast.left_over.stamp, {}).get("why_not", "")
    night.book.check("a-key-without-heir-is-named", "why not", refused, held="gas tester" in refused)
    out = {each["key"]: each["holder"] for each in (await night.machine.get("/api/v1/custody/out"))["items"]}
    night.book.expect("transferred-key-has-a-new-holder", heir, out.get(cast.giver.stamp))
    await night.twin.act("hand_over", key=cast.giver.stamp, person=cast.heir.ref)
    await night.time.advance(2 * MINUTE)
    await night.twin.act("sync", key=cast.giver.stamp)
    await night.time.advance(MINUTE)
    opened = await night.twin.act(
        "present", key=cast.giver.stamp, lock=cast.shift_place.marking, person=cast.heir.ref
    )
    night.book.expect("transferred-key-opens-for-the-night-team", True, opened["worked"])


async def _change(night: Night, *, dry_run: bool) -> dict[str, dict[str, Any]]:
    asked = {"unit": night.cast.shift_place.unit, "dry_run": dry_run}
    done = await night.people["leader"].post(PATH, asked)
    await night.time.settle()
    return {each["key"]: each for each in done["items"]}
