"""S3: the key of a lock box ends only after the personal locks are off."""

from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """A permit is suspended while somebody's lock still hangs on the box."""
    night.plan(at(3, 30), "a lock box, and a personal lock on it", _issue)
    night.plan(at(4, 0), "the permit is suspended with the lock on", _suspend)
    night.plan(at(4, 10), "the personal lock is off", _lock_off)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.box)
    permit = await night.issue("box", [cast.box_place], [cast.box], valid_to=ENDS)
    night.ptw.lock_on(permit.id, _box(night), cast.box.ref, at=night.now)
    await night.send()
    await night.time.advance(2 * MINUTE)
    night.book.expect("lock-box-opens", True, await night.open(cast.box, cast.box_place))


async def _suspend(night: Night) -> None:
    cast = night.cast
    night.ptw.suspend(night.permits["box"].id, code="weather", at=night.now)
    await night.send()
    grants = await night.grants(cast.box)
    night.book.expect(
        "lock-box-key-is-held", [["held", "S3"]], [[grant["state"], grant["held_rule"]] for grant in grants]
    )
    await night.time.advance(MINUTE)
    night.book.expect("held-key-still-opens-the-box", True, await night.open(cast.box, cast.box_place))


async def _lock_off(night: Night) -> None:
    cast = night.cast
    night.ptw.lock_off(night.permits["box"].id, _box(night), cast.box.ref, at=night.now)
    await night.send()
    night.book.expect("lock-off-ends-the-held-grant", ["ended"], await night.states(cast.box))
    await night.time.advance(MINUTE)
    night.book.expect("lock-box-key-opens-nothing", False, await night.open(cast.box, cast.box_place))


def _box(night: Night) -> str:
    return night.cast.box_place.cylinder.access_point_id
