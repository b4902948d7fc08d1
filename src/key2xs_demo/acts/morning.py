"""Six o'clock: three permits are revalidated for the day."""

from datetime import timedelta

from key2xs_demo.cast import ENDS
from key2xs_demo.night import ISSUER, Night

from .times import at

PARTS = ("pump", "early", "quick")
DAY = timedelta(hours=12)


def plan(night: Night) -> None:
    """At the end of the night."""
    night.plan(at(6, 0), "three permits are revalidated", _revalidate)


async def _revalidate(night: Night) -> None:
    cast = night.cast
    for part in PARTS:
        night.ptw.revalidate(night.permits[part].id, by=ISSUER, valid_to=ENDS + DAY, at=night.now)
    await night.send()
    night.book.expect(
        "three-permits-revalidated", ["live"] * 3, [await night.permit_state(part) for part in PARTS]
    )
    holders = (cast.pump, cast.early_bird, cast.quick)
    counts = [len(await night.grants(holder, "active")) for holder in holders]
    night.book.expect("three-keys-go-on", [1, 1, 1], counts)
