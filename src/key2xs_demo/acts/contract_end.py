"""A contract that ends today ends at midnight at the site, by the product's own clock."""

from datetime import datetime

from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """A permit until morning for somebody whose contract ends tonight."""
    night.plan(at(18, 40), "a permit until morning for a contractor whose contract ends today", _issue)
    night.plan(at(23, 30), "half an hour before midnight: opens", _before)
    night.plan(at(0, 5), "five minutes after midnight: refused", _after)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.leaver)
    await night.issue("leaver", [cast.leaver_panel], [cast.leaver], valid_to=ENDS)
    ends = [datetime.fromisoformat(grant["ends_at"]) for grant in await night.grants(cast.leaver, "active")]
    night.book.expect(
        "contract-end-cuts-the-grant",
        [at(0).isoformat()],
        [end.astimezone(at(0).tzinfo).isoformat() for end in ends],
    )


async def _before(night: Night) -> None:
    night.book.expect(
        "opens-on-the-last-day", True, await night.open(night.cast.leaver, night.cast.leaver_panel)
    )


async def _after(night: Night) -> None:
    cast = night.cast
    night.book.expect("contract-ended-grant-ended", ["ended"], await night.states(cast.leaver))
    found = await night.machine.get(f"/api/v1/persons/{night.persons[cast.leaver.ref]}")
    night.book.expect("contract-ended", "no", found["contract"])
    night.book.expect(
        "contract-ended-key-opens-nothing", False, await night.open(cast.leaver, cast.leaver_panel)
    )
    await night.time.advance(MINUTE)
