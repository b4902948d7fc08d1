"""An edit made in the vendor's own tool: found by the timed re-read, shown, and put right."""

from datetime import timedelta

from key2xs_demo.night import Night
from key2xs_demo.preparing import REREAD_MINUTES

from .cliq_night import updater_of
from .times import at


def plan(night: Night) -> None:
    """Somebody adds a valve to a key at 20:45 and tells nobody."""
    night.plan(at(20, 45), "somebody adds a valve to a CLIQ key in the vendor's own tool", _edit)
    night.plan(at(20, 50), "the key takes it at an updater: it opens more than anybody was given", _taken)
    night.plan(
        at(20, 45) + timedelta(minutes=REREAD_MINUTES + 1),
        "the timed re-read found the edit and put it right",
        _found,
    )
    night.plan(at(21, 25), "the key is at an updater again: the edit is gone", _gone)


async def _edit(night: Night) -> None:
    cast = night.cast
    both = [cast.tank_valve.marking, cast.edited_valve.marking]
    key = cast.tanker.stamp
    await night.twin.act("cliq_out_of_band", what="change_plan", key=key, cylinders=both)
    await night.twin.act("cliq_out_of_band", what="send", key=key)


async def _taken(night: Night) -> None:
    cast = night.cast
    await night.at_updater(cast.tanker, updater_of(night))
    true = await night.twin.who(cast.edited_valve.marking)
    night.book.expect("the-edit-is-on-the-key", True, cast.tanker.stamp in true)
    night.book.expect("nobody-is-told-by-the-vendor", False, await _is_told(night))


async def _found(night: Night) -> None:
    """Everything the product needs to know is what it reads by itself, within the pace it was given."""
    cast = night.cast
    night.book.expect("the-edit-is-told-of", True, await _is_told(night))
    opener = await night.opener(cast.tanker, cast.edited_valve)
    night.book.check(
        "the-edit-is-found-by-the-re-read",
        f"within {REREAD_MINUTES} minutes: the key stands at the valve, with no grant behind it",
        {"key": (opener or {}).get("key"), "basis": (opener or {}).get("basis")},
        held=opener is not None and opener["basis"] is None,
    )
    found = await night.machine.get(f"/api/v1/keys/{cast.tanker.stamp}")
    night.book.expect("the-edit-is-being-put-right", True, found["progress"] in {"accepted", "in_transit"})
    night.book.expect("nobody-was-given-the-valve", 1, len(await night.grants(cast.tanker, "active")))


async def _gone(night: Night) -> None:
    cast = night.cast
    await night.at_updater(cast.tanker, updater_of(night))
    true = await night.twin.who(cast.edited_valve.marking)
    night.book.expect("the-edit-is-off-the-key", False, cast.tanker.stamp in true)
    night.book.expect("the-edit-is-off-the-books", None, await night.opener(cast.tanker, cast.edited_valve))
    night.book.expect("the-edit-is-told-of-no-more", False, await _is_told(night))
    night.book.expect("what-was-given-still-opens", True, await night.open(cast.tanker, cast.tank_valve))


async def _is_told(night: Night) -> bool:
    alarms = (await night.machine.get("/api/v1/alarms"))["items"]
    return any(
        each["kind"] == "edited_elsewhere" and night.cast.tanker.stamp in each["text"] for each in alarms
    )
