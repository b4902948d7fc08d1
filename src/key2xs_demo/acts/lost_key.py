"""A key is lost: blocked at once, and yet nobody can say when it ends at a lock without limits."""

from key2xs_demo import trials
from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """Handed out at 00:40, lost at 01:10, found by a stranger at 01:30."""
    night.plan(at(0, 40), "a fob from the pool for a fitter", _issue)
    night.plan(at(1, 10), "the fob is lost, and blocked", _lose)
    night.plan(at(1, 30), "somebody who found the fob tries it", _found)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.careless)
    await night.issue("careless", [cast.endless_place, cast.careless_panel], [cast.careless], valid_to=ENDS)
    # A fob gets its program where it is held to a phone or reader with network.
    await night.twin.act("sync", key=cast.careless.stamp)
    await night.time.advance(2 * MINUTE)
    night.book.expect("fob-delivered", "delivered", (await night.key(cast.careless))["progress"])
    night.book.expect("fob-opens", True, await night.open(cast.careless, cast.endless_place))


async def _lose(night: Night) -> None:
    cast = night.cast
    asked_at = night.now
    await night.twin.act("lose", key=cast.careless.stamp)
    soc = night.people["soc"]
    blocked = await soc.post(
        f"/api/v1/keys/{cast.careless.stamp}/block", {"reason": "lost, reported by its holder"}
    )
    # Its holder is at work under a permit: the shift leader is told first, and says that nobody is in danger.
    night.book.expect("block-of-somebody-at-work-waits", "waiting", blocked.get("state"))
    await night.people["leader"].post(f"/api/v1/safety/stops/{blocked['stop']}/proceed")
    await night.time.settle()
    key = await night.key(cast.careless)
    night.book.check("lost-key-blocked", "blocked", key["blocked_at"], held=key["blocked_at"] is not None)
    night.book.expect("blocked-key-ends-the-grant", ["ended"], await night.states(cast.careless))
    endless = await trials.begin(night, "lost-endless", cast.careless, cast.endless_place, asked_at=asked_at)
    night.book.expect("a-block-order-gives-no-bound", "no_bound", endless.row["kind"])
    dated = await trials.begin(night, "lost-dated", cast.careless, cast.careless_panel, asked_at=asked_at)
    night.book.expect("an-end-date-gives-a-bound", "bound", dated.row["kind"])
    emergency = next(key for key in cast.site.keys if key.purpose == "emergency")
    status = await soc.refused(f"/api/v1/keys/{emergency.stamp}/block", {"reason": "must be refused"})
    night.book.expect("an-emergency-key-is-never-blocked", 409, status)
    await night.time.advance(MINUTE)


async def _found(night: Night) -> None:
    cast = night.cast
    opened = await night.open(cast.careless, cast.endless_place)
    night.book.expect("nobody-could-shorten-this-one", True, opened)
