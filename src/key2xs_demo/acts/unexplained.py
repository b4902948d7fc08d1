"""03:17, a door opens and nothing explains it: the top alarm."""

from datetime import datetime

from key2xs_demo.night import Night, at_site

from .times import MINUTE, at


def plan(night: Night) -> None:
    """A substation door."""
    night.plan(at(3, 17), "a substation door opens with a key in no register", _open)


async def _open(night: Night) -> None:
    place = night.cast.online_place
    await night.twin.act("unexplained_opening", lock=place.marking, how="unknown_key")
    await night.time.advance(2 * MINUTE)
    found = await night.machine.get("/api/v1/openings", cylinder=place.marking)
    seen = [(at_site(datetime.fromisoformat(each["occurred_at"])), each["class"]) for each in found["items"]]
    night.book.check(
        "unexplained-opening-at-03-17",
        ["03:17", "unexplained"],
        seen,
        # The lock's own clock says when; it may be a few seconds off.
        held=len(seen) == 1 and seen[0][1] == "unexplained" and seen[0][0] in {"03:16", "03:17"},
    )
    alarms = await night.machine.get("/api/v1/alarms")
    first = alarms["items"][0] if alarms["items"] else {}
    night.book.expect("unexplained-is-the-top-alarm", "opening_unexplained", first.get("kind"))
