"""Rows of locks' logs that arrive hours late: classed by what was true when they happened."""

from datetime import datetime

from key2xs_demo.cast import Holder, Place
from key2xs_demo.night import Night, at_site

from .times import MINUTE, at


def plan(night: Night) -> None:
    """Half past five: a phone is back on the network, and somebody reads a lock."""
    night.plan(at(5, 30), "a phone is back, a lock is read: news of the night", _read)


async def _read(night: Night) -> None:
    cast = night.cast
    await night.twin.act("restore_network", thing=cast.unreachable.stamp)
    await night.twin.act("programmer_visit", lock=cast.endless_place.marking)
    await night.time.advance(2 * MINUTE)
    night.book.expect(
        "late-news-of-the-unreachable-phone",
        "after_end",
        await _newest_opening(night, cast.unreachable, cast.unreachable_panel),
    )
    night.book.expect(
        "late-news-of-the-lost-fob",
        "after_end",
        await _newest_opening(night, cast.careless, cast.endless_place),
    )
    night.book.expect(
        "unreachable-key-is-empty-at-last", "delivered", (await night.key(cast.unreachable))["progress"]
    )
    # The programmer brought the block list: what nobody could shorten from afar ends at this lock.
    opened = await night.open(cast.careless, cast.endless_place)
    night.book.expect("block-list-in-the-lock-ends-it", False, opened)


async def _newest_opening(night: Night, holder: Holder, place: Place) -> str | None:
    found = await night.machine.get("/api/v1/openings", key=holder.stamp, cylinder=place.marking)
    rows = [row for row in found["items"] if row["class"] != "refused" and row["occurred_at"]]
    rows.sort(key=lambda row: datetime.fromisoformat(row["occurred_at"]))
    if not rows:
        return None
    night.figures.setdefault("late", []).append(at_site(datetime.fromisoformat(rows[-1]["occurred_at"])))
    return str(rows[-1]["class"])
