"""A person is disabled in the IAM; enabling gives nothing back by itself."""

from key2xs_demo import trials
from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """Disabled at half past midnight, enabled twenty minutes later."""
    night.plan(at(23, 40), "a permit in the cracker", _issue)
    night.plan(at(0, 30), "the IAM disables a person", _disable)
    night.plan(at(0, 50), "the IAM enables the person again", _enable)
    night.plan(at(1, 5), "nothing came back by itself", _nothing)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.suspect)
    await night.issue("suspect", [cast.suspect_panel], [cast.suspect], valid_to=ENDS)
    await night.time.advance(MINUTE)
    night.book.expect("suspect-opens-first", True, await night.open(cast.suspect, cast.suspect_panel))


async def _disable(night: Night) -> None:
    cast = night.cast
    asked_at = night.now
    with night.revoking():
        await night.scim.disable(night.scim_ids[cast.suspect.ref])
        await night.time.settle()
    night.book.expect("disabled-person-loses-grants", ["ended"], await night.states(cast.suspect))
    await night.time.advance(MINUTE)
    trial = await trials.begin(night, "disabled", cast.suspect, cast.suspect_panel, asked_at=asked_at)
    night.book.expect("disabled-proven-end", "proven_end", trial.row["kind"])
    night.book.expect("disabled-opens-nothing", False, await night.open(cast.suspect, cast.suspect_panel))


async def _enable(night: Night) -> None:
    await night.scim.enable(night.scim_ids[night.cast.suspect.ref])
    await night.time.settle()


async def _nothing(night: Night) -> None:
    cast = night.cast
    night.book.expect("enabling-gives-nothing-back", ["ended"], await night.states(cast.suspect))
    night.book.expect(
        "enabled-key-still-opens-nothing", False, await night.open(cast.suspect, cast.suspect_panel)
    )
