"""Rounds that block lost keys: programming keys, the cylinders they still have to visit, and updaters."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import Name
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.keys.block_visits import StoredProgrammingKey, StoredVisit


class VisitOut(msgspec.Struct, frozen=True):
    """A cylinder that must be told that a key is blocked. `state`: unplaced, waiting, loaded, done or failed."""

    key: str
    key_id: UUID
    cylinder: str
    state: str
    programming_key: str | None
    made_at: datetime | None
    done_at: datetime | None
    kind: str = "block"
    """*block*, or *unblock*: the cylinder is to forget the block of a found key."""


class VisitList(msgspec.Struct, frozen=True):
    """Visits."""

    items: list[VisitOut]


class ProgrammingKeyOut(msgspec.Struct, frozen=True):
    """A programming key. `given_up_at`: somebody said that it will not come back."""

    id: str
    key_system: str
    marking: str
    capacity: int
    tasks: int
    open_visits: int
    last_seen_at: datetime | None
    last_seen_place: str | None
    given_up_at: datetime | None


class ProgrammingKeyList(msgspec.Struct, frozen=True):
    """Programming keys as listed last."""

    items: list[ProgrammingKeyOut]


class UpdaterOut(msgspec.Struct, frozen=True):
    """A place where keys get their new program."""

    id: str
    key_system: str
    kind: str
    place: str
    online: bool


class UpdaterList(msgspec.Struct, frozen=True):
    """Updaters as listed last."""

    items: list[UpdaterOut]


class GiveUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a programming key will not come back."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class GivenUp(msgspec.Struct, frozen=True):
    """How many visits go to other programming keys."""

    visits: int


@get(
    "/api/v1/programming-keys",
    permission=Permission.KEYS_KEY_READ,
    tags=["keys"],
    summary="Programming keys, and what they still have to visit",
)
async def programming_keys(web: WebPart) -> ProgrammingKeyList:
    """All programming keys that key systems list."""
    async with web.services.database.read() as tx:
        names = {system.id: system.name for system in await web.services.registry.systems(tx)}
        found = await web.services.visits.programming_keys(tx)
        waiting = await web.services.visits.open(tx)
    return ProgrammingKeyList([_programming_key(each, names[each.system_id], waiting) for each in found])


@get("/api/v1/updaters", permission=Permission.KEYS_KEY_READ, tags=["keys"], summary="Where keys are updated")
async def updaters(web: WebPart) -> UpdaterList:
    """All updaters that key systems list."""
    async with web.services.database.read() as tx:
        names = {system.id: system.name for system in await web.services.registry.systems(tx)}
        found = await web.services.visits.updaters(tx)
    return UpdaterList(
        [UpdaterOut(u.external_id, names[u.system_id], u.kind, u.place, u.online) for u in found]
    )


@get(
    "/api/v1/keys/{name:str}/block-visits",
    permission=Permission.KEYS_KEY_READ,
    tags=["keys"],
    summary="Cylinders that a lost key still opens, and who goes there",
)
async def of_key(web: WebPart, name: Name) -> VisitList:
    """The visits that block one key, and those that take the block away from a found one."""
    async with web.services.database.read() as tx:
        key = await web.services.registry.get_key(tx, name)
        found = await web.services.visits.of_key(tx, key.id)
        if key.unblock_asked_at is not None:
            found = await web.services.visits.of_key(tx, key.id, "unblock")
    return VisitList([_visit(each) for each in found])


@post(
    "/api/v1/programming-keys/{name:str}/give-up",
    permission=Permission.KEYS_KEY_BLOCK,
    status_code=200,
    tags=["keys"],
    summary="Give the visits of a programming key to another",
)
async def give_up(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, name: Name, data: JSONBody[GiveUp]
) -> Response[Any]:
    """Take it that a programming key will not come back. `name` is its id, or its marking if only one has it."""

    async def work(tx: Connection) -> GivenUp:
        visits = web.services.visits
        known = await visits.programming_keys(tx)
        found = [each for each in known if name in {each.external_id, each.marking}]
        if len(found) != 1:
            message = f"no programming key, or more than one, is known by {name}"
            raise NotFound(message)
        moved = await visits.give_up(
            tx, found[0].system_id, found[0].external_id, reason=data.reason, actor=caller.actor, at=web.now
        )
        return GivenUp(moved)

    return await perform(web, request, caller, work)


def _visit(visit: StoredVisit) -> VisitOut:
    return VisitOut(
        key=visit.stamp,
        key_id=visit.key_id,
        cylinder=visit.marking,
        state=visit.state,
        programming_key=visit.programming_key,
        made_at=visit.made_at,
        done_at=visit.done_at,
        kind=visit.kind,
    )


def _programming_key(key: StoredProgrammingKey, system: str, waiting: list[StoredVisit]) -> ProgrammingKeyOut:
    return ProgrammingKeyOut(
        id=key.external_id,
        key_system=system,
        marking=key.marking,
        capacity=key.capacity,
        tasks=key.tasks,
        open_visits=sum(visit.programming_key == key.external_id for visit in waiting),
        last_seen_at=key.last_seen_at,
        last_seen_place=key.last_seen_place,
        given_up_at=key.given_up_at,
    )


HANDLERS = (programming_keys, updaters, of_key, give_up)
