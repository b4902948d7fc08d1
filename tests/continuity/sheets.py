"""Sheets of paper for tests, and two people to stand for them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from key2xs.core.ids import PermitId, PersonId
from key2xs.work import PaperForm
from tests.support.spine import Spine
from tests.support.tiny import AREA, UNIT

HOUR = timedelta(hours=1)


async def sheet(spine: Spine, *markings: str, **changes: Any) -> PaperForm:
    """A right sheet: u4 issues, u1 performs, for four hours."""
    values: dict[str, Any] = {
        "number": "000123",
        "stands_for": "eptw",
        "type": "cold_work",
        "area": AREA,
        "unit": UNIT,
        "issuing": spine.persons["u4"],
        "performing": spine.persons["u1"],
        "valid_from": spine.now,
        "valid_to": spine.now + 4 * HOUR,
        "cylinders": tuple([await spine.cylinder(marking) for marking in markings or ("C1",)]),
    }
    return PaperForm(**values | changes)


async def issue(spine: Spine, form: PaperForm, *, writer: str = "u4", second: str = "u3") -> PermitId:
    """Two people stand for a sheet."""
    async with spine.services.database.transaction() as tx:
        made = await spine.services.paper.issue(
            tx,
            form,
            reason="the permit system is silent",
            written_by=(f"user:{writer}", spine.persons[writer]),
            confirmed_by=(f"user:{second}", spine.persons[second]),
            at=spine.now,
        )
    await spine.settle()
    return made


async def people(spine: Spine, *refs: str) -> None:
    """Provision people."""
    for ref in refs:
        await spine.person(ref)


def person(spine: Spine, ref: str) -> UUID:
    """The id of somebody."""
    return PersonId(spine.persons[ref])


async def heard(spine: Spine) -> None:
    """Have the permit system give a sign of life."""
    spine.ptw.heartbeat(at=spine.now)
    await spine.send()
    await spine.settle()
