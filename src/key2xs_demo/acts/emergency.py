"""An emergency: two people who would not hold the key, one access point, at most an hour."""

from datetime import timedelta

from key2xs_demo.night import Night

from .times import MINUTE, at

LASTS = timedelta(minutes=45)


def plan(night: Night) -> None:
    """A high-voltage cabinet must be opened at half past nine."""
    night.plan(at(21, 30), "an emergency: one approver is not enough", _ask)
    night.plan(at(21, 33), "a second person stands for it", _second)
    night.plan(at(22, 20), "the emergency is over", _over)


async def _ask(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.responder)
    asker, leader = night.people["issuer"], night.people["leader"]
    body = {
        "kind": "emergency",
        "person": night.persons[cast.responder.ref],
        "cylinders": [cast.responder_place.marking],
        "ends_at": (night.now + timedelta(minutes=90)).isoformat(),
        "reason": "arc flash alarm in the switchgear",
    }
    night.book.expect(
        "emergency-longer-than-an-hour-refused", 400, await asker.refused("/api/v1/requests", body)
    )
    body["ends_at"] = (night.now + LASTS).isoformat()
    asked = await asker.post("/api/v1/requests", body)
    night.figures["emergency"] = asked["id"]
    first = await leader.post(f"/api/v1/requests/{asked['id']}/approve", {})
    await night.time.settle()
    night.book.expect(
        "one-approver-is-not-enough", ["requested", []], [first["state"], await night.states(cast.responder)]
    )
    again = await leader.refused(f"/api/v1/requests/{asked['id']}/approve", {})
    night.book.expect("same-approver-twice-refused", 409, again)


async def _second(night: Night) -> None:
    cast = night.cast
    done = await night.people["security"].post(
        f"/api/v1/requests/{night.figures.pop('emergency')}/approve", {}
    )
    await night.time.settle()
    night.book.expect(
        "emergency-by-two-people",
        ["approved", ["active"]],
        [done["state"], await night.states(cast.responder)],
    )
    await night.time.advance(MINUTE)
    night.book.expect("opens-in-an-emergency", True, await night.open(cast.responder, cast.responder_place))


async def _over(night: Night) -> None:
    cast = night.cast
    night.book.expect("emergency-ends-by-itself", ["ended"], await night.states(cast.responder))
    night.book.expect(
        "key-after-the-emergency-opens-nothing", False, await night.open(cast.responder, cast.responder_place)
    )
