"""The permit system is silent and work has to begin: a permit on paper, by two people, entered when it is back."""

from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at
from .window import HANDOVER

SHEET = "000123"


def plan(night: Night) -> None:
    """Written while the permit system is silent from 04:30 to 04:45 (see `silence`)."""
    night.plan(at(4, 38), "a permit on paper while the permit system is silent", _write)
    night.plan(at(4, 50), "the sheet is entered in the permit system that is back", _enter)


async def _write(night: Night) -> None:
    cast = night.cast
    issuer, leader = night.people["issuer"], night.people["leader"]
    proposed = await issuer.post(
        "/api/v1/paper-permits",
        {
            "number": SHEET,
            "stands_for": "eptw",
            "type": "cold_work",
            "area": cast.paper_place.area,
            "unit": cast.paper_place.unit,
            "locks": [cast.paper_place.marking],
            "issuing": f"iam:{cast.issuer.ref}",
            "performing": f"iam:{cast.fixer.ref}",
            "valid_to": ENDS.isoformat(),
            "reason": "a leak has to be stopped and the permit system is silent",
        },
    )
    await night.time.settle()
    alone = f"/api/v1/proposals/{proposed['id']}/confirm"
    night.book.expect("paper-needs-a-second-person", 403, await issuer.refused(alone))
    night.book.expect("paper-alone-gives-nothing", [], await night.grants(cast.fixer, "active"))
    await leader.post(alone)
    await night.time.settle()
    night.book.expect("paper-gives-a-grant", 1, len(await night.grants(cast.fixer, "active")))
    await night.time.advance(2 * MINUTE)
    night.book.expect("opens-on-paper", True, await night.open(cast.fixer, cast.paper_place))


async def _enter(night: Night) -> None:
    cast = night.cast
    sheet = (await night.machine.get("/api/v1/paper-permits"))["items"][0]
    night.book.expect("paper-has-to-be-entered", True, sheet["to_enter"])
    permit = await night.issue("paper", [cast.paper_place], [cast.fixer], valid_to=ENDS + HANDOVER)
    said = {"number": permit.number}
    done = await night.people["issuer"].post(f"/api/v1/paper-permits/{sheet['permit']}/enter", said)
    await night.time.settle()
    night.book.expect("paper-is-entered", [permit.number, False], [done["entered_as"], done["in_force"]])
    night.book.expect("work-goes-on-under-the-real-permit", 1, len(await night.grants(cast.fixer, "active")))
    await night.time.advance(2 * MINUTE)
    night.book.expect("opens-under-the-real-permit", True, await night.open(cast.fixer, cast.paper_place))
