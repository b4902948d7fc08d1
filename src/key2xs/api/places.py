"""Acts that take effect at a place: the matrix may give a permission for a unit or an area only."""

from collections.abc import Iterable

from key2xs.access import Permission, Principal
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, RequestId
from key2xs.plant import get_cylinder
from key2xs.policy.acts import EVERYWHERE, Place

from .auth import require
from .web import Web


async def places_of(tx: Connection, cylinders: Iterable[CylinderId]) -> set[Place]:
    """Return the units and areas that cylinders lie in; one that lies in no unit counts as everywhere."""
    found = [await get_cylinder(tx, cylinder) for cylinder in cylinders]
    return {Place(place.unit or "", place.area) for place in found} or {EVERYWHERE}


async def require_decider(
    tx: Connection, web: Web, caller: Principal, request_id: RequestId, *, approve: bool
) -> None:
    """Refuse somebody who may not decide on a request where its locks are, or who approves and may be whoever asked.

    Raises:
        NotFound: there is no such request.
        NotAllowed: says why.
    """
    asked = await web.services.requests.find(tx, request_id)
    places = await places_of(tx, asked.cylinders)
    for place in places:
        require(caller, Permission.GRANTS_REQUEST_APPROVE, place=place)
    requester = await web.access.users.of_person(tx, asked.requester_id) if approve else None
    if requester is None:
        return
    for place in places:
        await web.access.proposals.require_second(
            tx,
            requester.id,
            caller,
            web.now,
            permission=Permission.GRANTS_REQUEST_APPROVE,
            # In an emergency an account that was put right an hour ago may approve: a second approver is needed
            # anyway, and every emergency is reviewed.
            part="approve" if asked.kind == "emergency" else "second",
            place=place,
        )
