"""S5: somebody inside a vessel is to lose all access. The shift leader is told first, and then it happens for sure."""

from datetime import timedelta
from typing import Any

from key2xs_demo import trials
from key2xs_demo.night import ISSUER, Night
from key2xs_twin.clients.permits import Member

from .times import MINUTE, at

WAIT_SECONDS = 120.0
CERTIFICATE = "ISO-4711"


def plan(night: Night) -> None:
    """In at a quarter to three; the SOC wants him out of everything ten minutes later."""
    night.plan(at(2, 45), "a man goes into a vessel; an attendant stays at the manway", _enter)
    night.plan(at(2, 55), "the SOC stops the man inside: the shift leader is told first", _stop)
    night.plan(at(2, 56), "a minute of the countdown left: he can still come out", _countdown)
    night.plan(at(2, 57) + timedelta(seconds=2), "the countdown is over: it happened by itself", _over)
    night.plan(at(3, 5), "his lock is off the box: that ends as well", _lock_off)


async def _enter(night: Night) -> None:
    cast, ptw = night.cast, night.ptw
    await night.hand_out(cast.entrant)
    permit = ptw.create(
        type_="confined_space",
        area=cast.manway.area,
        unit=cast.manway.unit,
        assets=[cast.manway.asset, cast.entry_box.asset],
        valid_from=night.now,
        valid_to=night.now + timedelta(minutes=100),
        at=night.now,
        people=[
            Member(ref=cast.entrant.ref, role="performing_authority", company=cast.entrant.person.company),
            Member(ref=cast.attendant.ref, role="confined_space_attendant"),
        ],
    )
    night.permits["vessel"] = permit
    ptw.approve(permit.id, by=ISSUER, at=night.now, role="area_authority")
    ptw.isolate(permit.id, certificate=CERTIFICATE, points=[cast.manway.asset], at=night.now)
    ptw.prove_isolation(permit.id, by=ISSUER, at=night.now)
    ptw.gas_test(permit.id, safe=True, by=cast.attendant.ref, at=night.now)
    ptw.go_live(permit.id, by=ISSUER, at=night.now)
    for ref in (cast.attendant.ref, cast.entrant.ref):
        ptw.sign_on(permit.id, ref, at=night.now)
        ptw.lock_on(permit.id, cast.entry_box.cylinder.access_point_id, ref, at=night.now)
    await night.send()
    await night.time.advance(2 * MINUTE)
    opened = [await night.open(cast.entrant, place) for place in (cast.manway, cast.entry_box)]
    night.book.expect("entrant-opens-manway-and-box", [True, True], opened)


async def _stop(night: Night) -> None:
    cast = night.cast
    asked = {"person": night.persons[cast.entrant.ref], "reason": "credentials abused, seen by the SOC"}
    told = await night.people["soc"].post("/api/v1/revoke", asked)
    await night.time.settle()
    night.figures["stop"] = told["stop"]
    proceeds_in = (trials.instant(told["proceeds_at"]) - night.now).total_seconds()
    night.book.expect(
        "stop-of-a-man-inside-waits",
        ["waiting", WAIT_SECONDS, [asked["person"]]],
        [told["state"], proceeds_in, told["at_work"]],
    )
    night.book.expect(
        "shift-leader-is-told-first", [told["stop"]], [each["id"] for each in await _stops(night)]
    )
    questions = (await night.people["leader"].get("/api/v1/safety/inside"))["items"]
    about = [each for each in questions if each["person"] == asked["person"]]
    night.book.check(
        "shift-leader-is-asked-who-is-inside",
        "at the manway, whose lock may bar the way out",
        [(each["egress_free"], each["cause"]) for each in about],
        held=any(each["egress_free"] == "no" for each in about),
    )
    for each in about:
        await night.people["leader"].post(f"/api/v1/safety/inside/{each['id']}", {"answer": "inside"})


async def _countdown(night: Night) -> None:
    cast = night.cast
    night.book.expect("the-countdown-takes-nothing-away", True, await night.open(cast.entrant, cast.manway))
    alone = f"/api/v1/safety/stops/{night.figures['stop']}/proceed"
    night.book.expect("whoever-asked-cannot-hurry-it", 403, await night.people["soc"].refused(alone))


async def _over(night: Night) -> None:
    cast = night.cast
    asked_at = night.now
    night.book.expect("the-stop-proceeds-for-sure", [], await _stops(night))
    held = [(each["state"], each["held_rule"]) for each in await night.grants(cast.entrant, "active", "held")]
    night.book.expect("lock-box-is-kept-while-the-lock-is-on", [("held", "S3")], held)
    await night.time.advance(MINUTE)
    trial = await trials.begin(night, "vessel", cast.entrant, cast.manway, asked_at=asked_at)
    night.book.expect("vessel-proven-end", "proven_end", trial.row["kind"])
    opened = [await night.open(cast.entrant, place) for place in (cast.manway, cast.entry_box)]
    night.book.expect("after-the-stop-only-the-box-opens", [False, True], opened)


async def _lock_off(night: Night) -> None:
    cast, permit = night.cast, night.permits["vessel"]
    for ref in (cast.entrant.ref, cast.attendant.ref):
        night.ptw.lock_off(permit.id, cast.entry_box.cylinder.access_point_id, ref, at=night.now)
    night.ptw.hand_back(permit.id, at=night.now)
    await night.send()
    await night.time.advance(MINUTE)
    night.book.expect(
        "nothing-is-left-of-the-man's-access", [], await night.grants(cast.entrant, "active", "held")
    )
    night.book.expect("the-box-is-closed-to-him", False, await night.open(cast.entrant, cast.entry_box))


async def _stops(night: Night) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await night.people["leader"].get("/api/v1/safety/stops"))["items"]
    return found
