"""A key is not brought back at the end of the shift: it opens nothing any more, and is asked for, louder each time."""

from datetime import datetime

from key2xs_demo.night import Night

from .times import MINUTE, at

ENDS_AT = at(23)  # the late shift


def plan(night: Night) -> None:
    """Handed out in the evening, due with the shift at eleven, back at half past one."""
    night.plan(at(18, 45), "a field operator of the late shift takes a fob", _hand_out)
    night.plan(at(23, 2), "the shift is over and the fob is not back", _due)
    night.plan(at(0, 2), "an hour overdue: the shift leader is told", _leader)
    night.plan(at(1, 2), "two hours overdue: security is told", _security)
    night.plan(at(1, 33), "the fob is back", _back)


async def _hand_out(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.forgetful)
    await night.twin.act("sync", key=cast.forgetful.stamp)
    await night.time.advance(2 * MINUTE)
    await night.twin.act("sync", key=cast.forgetful.stamp)
    await night.time.advance(MINUTE)
    night.book.expect("late-shift-opens", True, await night.open(cast.forgetful, cast.forgetful_place))
    line = await _line(night, "out")
    night.book.expect(
        "due-with-the-shift", True, line is not None and datetime.fromisoformat(line["due_at"]) == ENDS_AT
    )


async def _due(night: Night) -> None:
    cast = night.cast
    line = await _line(night, "overdue")
    night.book.expect("overdue-at-once", "due", (line or {}).get("step"))
    night.book.expect("overdue-alarms-nobody-yet", False, await _alarmed(night))
    opened = await night.open(cast.forgetful, cast.forgetful_place)
    night.book.expect("unreturned-key-opens-nothing", False, opened)


async def _leader(night: Night) -> None:
    line = await _line(night, "overdue")
    night.book.expect("overdue-reaches-the-shift-leader", "shift_leader", (line or {}).get("step"))
    night.book.expect("overdue-alarms", True, await _alarmed(night))


async def _security(night: Night) -> None:
    line = await _line(night, "overdue")
    night.book.expect("overdue-reaches-security", "security", (line or {}).get("step"))


async def _back(night: Night) -> None:
    stamp = night.cast.forgetful.stamp
    await night.people["leader"].post(f"/api/v1/keys/{stamp}/take-back")
    await night.time.settle()
    night.book.expect("returned-key-is-not-overdue", None, await _line(night, "overdue"))
    night.book.expect("returned-key-is-not-out", None, await _line(night, "out"))


async def _line(night: Night, which: str) -> dict[str, str] | None:
    found = (await night.machine.get(f"/api/v1/custody/{which}"))["items"]
    return next((each for each in found if each["key"] == night.cast.forgetful.stamp), None)


async def _alarmed(night: Night) -> bool:
    alarms = (await night.machine.get("/api/v1/alarms"))["items"]
    return any(each["kind"] == "key_overdue" for each in alarms)
