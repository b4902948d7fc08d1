"""A key that was programmed ahead does not open before its time."""

from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at

HANDOVER = 15 * MINUTE  # permits run on a little beyond the shift, so that they can be revalidated at its end


def plan(night: Night) -> None:
    """A permit issued at 18:30 for work from 19:00 on."""
    night.plan(at(18, 30), "a permit for seven o'clock is issued, its key programmed ahead", _issue)
    night.plan(at(18, 50), "ten minutes early: the lock refuses", _early)
    night.plan(at(19, 5), "in time: the lock opens", _in_time)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.early_bird)
    await night.issue(
        "early", [cast.early_panel], [cast.early_bird], valid_from=at(19), valid_to=ENDS + HANDOVER
    )
    night.book.expect("grant-scheduled", ["scheduled"], await night.states(cast.early_bird))
    await night.time.advance(2 * MINUTE)
    night.book.expect("key-programmed-ahead", "delivered", (await night.key(cast.early_bird))["progress"])


async def _early(night: Night) -> None:
    night.book.expect(
        "refused-outside-the-window", False, await night.open(night.cast.early_bird, night.cast.early_panel)
    )
    await night.time.advance(2 * MINUTE)
    found = await night.machine.get("/api/v1/openings", key=night.cast.early_bird.stamp)
    night.book.expect(
        "attempt-outside-the-window-classed", ["refused"], [each["class"] for each in found["items"]]
    )


async def _in_time(night: Night) -> None:
    night.book.expect(
        "opens-inside-the-window", True, await night.open(night.cast.early_bird, night.cast.early_panel)
    )
