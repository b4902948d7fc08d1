"""Search by what is printed on a key or lock, by a permit's number, or by an access point's code."""

from dataclasses import dataclass
from urllib.parse import quote

from litestar import Response, get
from litestar.response import Redirect

from key2xs.access import Permission, Principal
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, go, show, signed_in
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.plant.service import find_access_point, search_cylinders
from key2xs.work.facts import find_permit

_MOST = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found. `exact`: it carries exactly what was typed."""

    noun: str
    icon: str
    label: str
    text: str
    href: str
    exact: bool


@get("/search", signed_in=True, include_in_schema=False)
async def search(request: Asked) -> Response[str] | Redirect:
    """Find it, and go there at once when only one thing carries exactly this."""
    web, caller = web_of(request), await signed_in(request)
    text = request.query_params.get("q", "").strip()[:120]
    async with web.services.database.read() as tx:
        found = await _find(tx, web, caller, text) if text else []
    exact = {hit.href for hit in found if hit.exact}
    if len(exact) == 1:
        return go(exact.pop())

    async def read(_tx: Connection) -> dict[str, object]:
        return {"found": found}

    return await show(request, "search.html", "search", read)


async def _find(tx: Connection, web: Web, caller: Principal, text: str) -> list[Hit]:
    found: list[Hit] = []
    if caller.may(Permission.KEYS_KEY_READ):
        for key in await web.services.registry.list_keys(tx, text=text, limit=_MOST):
            href = f"/keys/{quote(key.stamp, safe='')}"
            found.append(Hit("key", "key", key.stamp, "", href, _same(key.stamp, text)))
    if caller.may(Permission.WORK_PERMIT_READ):
        found += await _permits(tx, text)
    if caller.may(Permission.PLANT_CYLINDER_READ):
        found += await _places(tx, text)
    return sorted(found, key=lambda hit: not hit.exact)


async def _permits(tx: Connection, text: str) -> list[Hit]:
    try:
        permit = await find_permit(tx, text)
    except Conflict:
        return [
            Hit(
                "permit",
                "permit",
                text,
                "several permits have this number; see the list",
                "/permits?all=1",
                False,
            )
        ]
    return [Hit("permit", "permit", text, "", f"/permits/{permit}", True)] if permit else []


async def _places(tx: Connection, text: str) -> list[Hit]:
    point = await find_access_point(tx, text)
    found = [_place("access point", point.code, point.name, point.code, exact=True)] if point else []
    for cylinder in await search_cylinders(tx, text, limit=_MOST):
        exact = any(
            _same(each, text) for each in (cylinder.marking, cylinder.external_id, cylinder.access_point)
        )
        found.append(
            _place("lock", cylinder.marking, cylinder.access_point_name, cylinder.access_point, exact=exact)
        )
    return found


def _place(noun: str, label: str, text: str, code: str, *, exact: bool) -> Hit:
    icon = "lock" if noun == "lock" else "door"
    return Hit(noun, icon, label, text, f"/access-points/{quote(code, safe='')}", exact)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


HANDLERS = (search,)
