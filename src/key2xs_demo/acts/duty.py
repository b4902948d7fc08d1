"""A duty role on shift: access for the unit while the shift lasts, without a permit."""

from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """The night shift begins at eleven."""
    night.plan(at(22, 50), "the night shift's operator gets a key", _hand_out)
    night.plan(at(22, 55), "before the shift: refused", _before)
    night.plan(at(23, 5), "on shift: opens", _on_shift)


async def _hand_out(night: Night) -> None:
    await night.hand_out(night.cast.operator)


async def _before(night: Night) -> None:
    night.book.expect(
        "refused-before-the-shift", False, await night.open(night.cast.operator, night.cast.operator_place)
    )


async def _on_shift(night: Night) -> None:
    cast = night.cast
    grants = await night.grants(cast.operator, "active")
    night.book.expect("duty-gives-a-grant", ["duty_role"], [grant["basis_kind"] for grant in grants])
    await night.time.advance(MINUTE)
    night.book.expect("opens-on-duty", True, await night.open(cast.operator, cast.operator_place))
