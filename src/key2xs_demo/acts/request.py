"""Access that no permit gives: asked for by one person, approved by another."""

from datetime import timedelta

from key2xs_demo.night import Night

from .times import MINUTE, at


def plan(night: Night) -> None:
    """A fitter must look at something of low criticality at half past eight."""
    night.plan(at(20, 30), "access on request: whoever asks does not approve", _ask)
    night.plan(at(20, 36), "the request is approved by a second person", _approve)


async def _ask(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.fixer)
    asked = await night.people["issuer"].post(
        "/api/v1/requests",
        {
            "kind": "approved_request",
            "person": night.persons[cast.fixer.ref],
            "cylinders": [cast.fixer_place.marking],
            "ends_at": (night.now + timedelta(hours=2)).isoformat(),
            "reason": "noise reported by the panel operator",
        },
    )
    night.figures["request"] = asked["id"]
    status = await night.people["issuer"].refused(f"/api/v1/requests/{asked['id']}/approve", {})
    night.book.expect("requester-cannot-approve", 403, status)
    night.book.expect("request-alone-gives-nothing", [], await night.states(cast.fixer))


async def _approve(night: Night) -> None:
    cast = night.cast
    done = await night.people["leader"].post(f"/api/v1/requests/{night.figures.pop('request')}/approve", {})
    await night.time.settle()
    night.book.expect("request-approved", "approved", done["state"])
    night.book.expect("request-gives-a-grant", ["active"], await night.states(cast.fixer))
    await night.time.advance(MINUTE)
    night.book.expect("opens-on-request", True, await night.open(cast.fixer, cast.fixer_place))
