"""Messages that come twice, or late: the newest state stands."""

from key2xs_demo.cast import ENDS
from key2xs_demo.night import ISSUER, Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """A permit whose messages get into disorder at ten."""
    night.plan(at(19, 20), "a permit for the panel of another pump", _issue)
    night.plan(at(22, 0), "the permit system sends twice, and late", _disorder)
    night.plan(at(22, 10), "the permit is revalidated", _revalidate)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.panel)
    await night.issue("panel", [cast.panel_place], [cast.panel], valid_to=ENDS)
    await night.time.advance(MINUTE)
    night.book.expect("second-firm-opens", True, await night.open(cast.panel, cast.panel_place))


async def _disorder(night: Night) -> None:
    cast, ptw, permit = night.cast, night.ptw, night.permits["panel"]
    live = ptw.events[-1]
    # This one is told, but stays in the permit system's queue while the next overtakes it.
    late = ptw.sign_on(permit.id, cast.panel.ref, at=night.now)
    ptw.sender.queue.clear()
    suspended = ptw.suspend(permit.id, code="weather", at=night.now)
    answers = [delivery.status for delivery in await night.send()]
    answers += [(await ptw.sender.post(event, at=night.now)).status for event in (suspended, live, late)]
    await night.time.settle()
    night.book.check(
        "messages-twice-and-late-are-taken",
        "202, then 204 or 202 for what was known or late",
        answers,
        held=answers[0] == 202 and set(answers) <= {202, 204},
    )
    night.book.expect("late-message-revives-nothing", "suspended", await night.permit_state("panel"))
    night.book.expect("late-message-gives-nothing", ["ended"], await night.states(cast.panel))


async def _revalidate(night: Night) -> None:
    cast = night.cast
    night.ptw.revalidate(night.permits["panel"].id, by=ISSUER, valid_to=ENDS, at=night.now)
    await night.send()
    night.book.expect("after-disorder-a-new-grant", ["active", "ended"], await night.states(cast.panel))
