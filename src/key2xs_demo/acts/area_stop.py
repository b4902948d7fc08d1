"""02:07, an area stop: everything in the area ends at once, and comes back only by being issued anew."""

from datetime import timedelta

from key2xs_demo import trials
from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at
from .window import HANDOVER


def plan(night: Night) -> None:
    """Two permits in the area, one of them with a phone that lost its network."""
    night.plan(at(19, 15), "a permit at the next pump", _issue)
    night.plan(at(1, 50), "a phone loses its network", _cut)
    night.plan(at(2, 7), "AREA STOP", _stop)
    night.plan(at(2, 30), "nothing came back by itself", _nothing)
    night.plan(at(2, 40), "the permit is issued anew", _reissue)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.unreachable)
    await night.issue("unreachable", [cast.unreachable_panel], [cast.unreachable], valid_to=ENDS)
    await night.time.advance(2 * MINUTE)
    night.book.expect("neighbour-delivered", "delivered", (await night.key(cast.unreachable))["progress"])


async def _cut(night: Night) -> None:
    await night.twin.act("cut_network", thing=night.cast.unreachable.stamp)


async def _stop(night: Night) -> None:
    cast = night.cast
    asked_at = night.now
    area = cast.pump_panel.area
    with night.revoking():
        night.ptw.area_stop(area, code="gas_alarm", at=asked_at)
        await night.send()
    night.book.expect(
        "area-stop-cancels-permits",
        ["cancelled", "cancelled"],
        [await night.permit_state("pump"), await night.permit_state("unreachable")],
    )
    open_grants = await night.grants(cast.pump, "active") + await night.grants(cast.unreachable, "active")
    night.book.expect("area-stop-ends-grants", [], open_grants)
    night.book.expect(
        "area-stop-spares-operations",
        True,
        any(grant["basis_kind"] == "duty_role" for grant in await night.grants(cast.operator, "active")),
    )
    night.book.expect("area-stop-spares-other-areas", "live", await night.permit_state("early"))
    await night.time.advance(MINUTE)
    reached = await trials.begin(night, "stopped", cast.pump, cast.pump_panel, asked_at=asked_at)
    night.book.expect("stopped-reachable-proven-end", "proven_end", reached.row["kind"])
    night.book.expect("stopped-key-opens-nothing", False, await night.open(cast.pump, cast.pump_panel))
    away = await trials.begin(
        night, "unreachable", cast.unreachable, cast.unreachable_panel, asked_at=asked_at
    )
    night.book.expect("stopped-unreachable-has-a-bound", "bound", away.row["kind"])


async def _nothing(night: Night) -> None:
    cast = night.cast
    found = await night.grants(cast.pump, "active", "scheduled", "held")
    night.book.expect("nothing-comes-back-by-itself", [], found)


async def _reissue(night: Night) -> None:
    cast = night.cast
    old = night.permits["pump"]
    new = night.ptw.reissue(old.id, valid_from=night.now, valid_to=ENDS + HANDOVER, at=night.now)
    night.permits["pump"] = new
    await night.bring_live(new, [cast.pump])
    found = await night.machine.get(f"/api/v1/permits/{new.number}")
    night.book.expect("reissued-permit-names-the-old", old.id, found["reissued_from"])
    night.book.expect("reissued-permit-gives-a-grant", 1, len(await night.grants(cast.pump, "active")))
    await night.time.advance(2 * MINUTE)
    night.book.expect("opens-under-the-new-permit", True, await night.open(cast.pump, cast.pump_panel))
    await night.time.advance(timedelta(seconds=30))
