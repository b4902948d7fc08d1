"""The page *Why doesn't this key work?*."""

from dataclasses import dataclass
from typing import Final

from litestar import Response, get

from key2xs.access import Permission
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, show
from key2xs.console.views.why import WhyAnswer, why
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import CylinderId, PermitId
from key2xs.keys.search import FoundKey, search_keys
from key2xs.keys.types import StoredKey
from key2xs.plant.search import FoundPlace, search_locks, search_points
from key2xs.plant.service import find_cylinder, list_cylinders
from key2xs.plant.types import Cylinder
from key2xs.work.facts import find_permit, permit_facts

_LONGEST: Final = 120
_MOST_LOCKS: Final = 6  # of a permit or an access point; the page is for somebody at one door
_MOST_CHOICES: Final = 12


@dataclass(frozen=True, slots=True)
class WhyView:
    """What was asked, and the answers; or the choices where a stamp exists twice, or a problem with what was typed."""

    key: str
    lock: str
    answers: tuple[WhyAnswer, ...] = ()
    key_choices: tuple[FoundKey, ...] = ()
    lock_choices: tuple[FoundPlace, ...] = ()
    problem: str = ""
    more_locks: int = 0


@get("/why", permission=Permission.POLICY_DECISION_EXPLAIN, include_in_schema=False)
async def why_page(request: Asked) -> Response[str]:
    """Ask for a key and a lock, and answer. Stamps and permits are nobody's personal data; they stand in the address."""
    web = web_of(request)
    key, lock = (request.query_params.get(name, "").strip()[:_LONGEST] for name in ("key", "lock"))

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await _read(tx, web, key, lock)}

    return await show(request, "why.html", "why", read)


async def _read(tx: Connection, web: Web, key: str, lock: str) -> WhyView:
    if not key or not lock:
        return WhyView(key, lock)
    found, choices = await _key(tx, web, key)
    if choices:
        return WhyView(key, lock, key_choices=choices)
    if found is None:
        return WhyView(key, lock, problem=f"No key carries {key}.")
    try:
        locks = await _locks(tx, web, lock)
    except Conflict:
        # A stamp that exists in two systems: the one of the key's own system is meant, if there is one.
        same = [each for each in await search_locks(tx, lock, limit=_MOST_CHOICES) if each.exact]
        return WhyView(key, lock, lock_choices=tuple(same))
    if not locks:
        return WhyView(key, lock, problem=f"No lock, access point or permit with locks is called {lock}.")
    answers = [await why(tx, web.services, found, each, web.now) for each in locks[:_MOST_LOCKS]]
    return WhyView(key, lock, answers=tuple(answers), more_locks=max(0, len(locks) - _MOST_LOCKS))


async def _key(tx: Connection, web: Web, name: str) -> tuple[StoredKey | None, tuple[FoundKey, ...]]:
    found = await web.services.registry.find_key(tx, name)
    if found is not None:
        return found, ()
    same = [each for each in await search_keys(tx, name, limit=_MOST_CHOICES) if each.exact]
    return None, tuple(same)


async def _locks(tx: Connection, web: Web, name: str) -> list[Cylinder]:
    """Return the locks meant: one by its stamp, those of an access point, or those of a permit."""
    one = await find_cylinder(tx, name)
    if one is not None:
        return [one]
    points = [each for each in await search_points(tx, name, limit=2) if each.exact]
    if len(points) == 1:
        found = await list_cylinders(tx, limit=100, access_point_id=points[0].point_id)
        return sorted(found, key=lambda each: each.marking)
    permit = await find_permit(tx, name)
    return await _of_permit(tx, web, permit) if permit else []


async def _of_permit(tx: Connection, web: Web, permit: PermitId) -> list[Cylinder]:
    try:
        facts = await permit_facts(tx, permit, web.now)
    except NotFound:
        return []
    ids: list[CylinderId] = sorted(facts.cylinders | {c for step in facts.steps for c in step.cylinders})
    found = await list_cylinders(tx, ids=ids, limit=len(ids)) if ids else []
    return sorted(found, key=lambda each: each.marking)


HANDLERS = (why_page,)
