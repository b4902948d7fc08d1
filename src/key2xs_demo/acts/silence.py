"""The permit system falls silent: nothing new is granted, running leases go on."""

from key2xs_demo.night import Night
from key2xs_demo.setting_up import provision
from key2xs_twin.clients.permits import Member

from .times import MINUTE, at


def plan(night: Night) -> None:
    """Silent from 04:30 to 04:45; meanwhile somebody on a permit becomes known."""
    night.plan(at(4, 25), "somebody signs on whom the IAM does not know yet", _sign_on)
    night.plan(at(4, 30), "the permit system falls silent", _silence)
    night.plan(at(4, 35), "the IAM provisions the unknown person meanwhile", _provision)
    night.plan(at(4, 45), "the permit system is back", _resume)


async def _sign_on(night: Night) -> None:
    newcomer, permit = night.cast.newcomer, night.permits["quick"]
    permit.people.append(
        Member(ref=newcomer.ref, role="performing_authority", company=newcomer.person.company)
    )
    night.ptw.sign_on(permit.id, newcomer.ref, at=night.now)
    await night.send()


async def _silence(night: Night) -> None:
    night.time.beating = False


async def _provision(night: Night) -> None:
    cast = night.cast
    status = await night.machine.get("/api/v1/status")
    night.book.expect("silence-is-noticed", "no", status["permit_sources"][0]["feed_ok"])
    await provision(night, [cast.newcomer.person])
    await night.time.settle()
    night.book.expect("silence-gives-nothing-new", [], await night.states(cast.newcomer))
    night.book.expect("silence-takes-nothing-away", ["active"], await night.states(cast.quick))
    night.book.expect("opens-during-silence", True, await night.open(cast.quick, cast.quick_panel))
    await night.time.advance(MINUTE)


async def _resume(night: Night) -> None:
    night.time.beating = True
    await night.time.advance(2 * MINUTE)
    status = await night.machine.get("/api/v1/status")
    night.book.expect("source-is-back", "yes", status["permit_sources"][0]["feed_ok"])
    night.book.expect("decided-on-fresh-facts", ["active"], await night.states(night.cast.newcomer))
