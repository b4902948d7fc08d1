"""Ending access for many: look first, propose, follow, pause, and the keys that are still out."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_of
from key2xs.api.massing import (
    Aim,
    LookOut,
    MassOut,
    MassShown,
    NewMassAction,
    UnreturnedOut,
    aim_at,
    look_out,
    mass_out,
    mass_shown,
    propose,
    propose_lift,
    unreturned_out,
)
from key2xs.api.paging import Id
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.incidents.mass.reading import unreturned, unreturned_csv

Asked = Request[Any, Any, Any]
_READS = (Permission.GRANTS_LEASE_READ, Permission.KEYS_EXPOSURE_READ)


class MassList(msgspec.Struct, frozen=True):
    """Acts on many, the newest first."""

    items: list[MassOut]


class UnreturnedList(msgspec.Struct, frozen=True):
    """Keys that are still out, overdue ones first."""

    items: list[UnreturnedOut]


@post(
    "/api/v1/mass-actions/look",
    permission=_READS,
    status_code=200,
    tags=["mass actions"],
    summary="Look who and what would be affected",
)
async def look(web: WebPart, data: JSONBody[Aim]) -> LookOut:
    """Changes nothing. The digest in the answer is what an act has to name."""

    async def work(tx: Connection) -> LookOut:
        found = await web.services.looks.look(tx, await aim_at(tx, data), web.now)
        await web.services.looks.keep(tx, found.scope, found.world, web.now)
        return await look_out(tx, found)

    return await web.services.database.transact(work)


@post(
    "/api/v1/mass-actions",
    permission=Permission.GRANTS_SET_PROPOSE,
    status_code=202,
    tags=["mass actions"],
    summary="Propose to end access for many",
)
async def start(
    web: WebPart, request: Asked, caller: CallerPart, data: JSONBody[NewMassAction]
) -> Response[ProposalOut]:
    """Waits for a second person, whose word begins it. 409 where it would reach what was not looked at."""

    async def work(tx: Connection) -> ProposalOut:
        return proposal_out(await propose(tx, web, caller, data))

    return await perform(web, request, caller, work, status=202)


@get(
    "/api/v1/mass-actions", permission=_READS, tags=["mass actions"], summary="Acts on many"
)  # fmt: skip
async def mass_actions(web: WebPart) -> MassList:
    """The newest first."""
    async with web.services.database.read() as tx:
        return MassList([await mass_out(tx, each) for each in await web.services.mass_runs.newest(tx)])


@get(
    "/api/v1/mass-actions/{mass:uuid}",
    permission=_READS,
    tags=["mass actions"],
    summary="One act and how far it is",
)
async def mass_action(web: WebPart, mass: Id) -> MassShown:
    """Grants by what became of them, keys by how far each is, with the age of the data."""
    async with web.services.database.read() as tx:
        return await mass_shown(tx, web, await web.services.mass_runs.get(tx, mass))


@post(
    "/api/v1/mass-actions/{mass:uuid}/pause",
    permission=Permission.GRANTS_SET_PROPOSE,
    status_code=200,
    tags=["mass actions"],
    summary="Pause an act",
)
async def pause(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    mass: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[MassOut]:
    """What has ended stays ended; nothing new is given there meanwhile."""
    return await _set(web, request, caller, mass, "paused")


@post(
    "/api/v1/mass-actions/{mass:uuid}/resume",
    permission=Permission.GRANTS_SET_PROPOSE,
    status_code=200,
    tags=["mass actions"],
    summary="Let a paused act go on",
)
async def resume(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    mass: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[MassOut]:
    """Whoever came to work meanwhile is told of first."""
    return await _set(web, request, caller, mass, "running")


@post(
    "/api/v1/mass-actions/{mass:uuid}/lift",
    permission=Permission.GRANTS_SET_PROPOSE,
    status_code=202,
    tags=["mass actions"],
    summary="Propose to allow new access again",
)
async def lift(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    mass: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[ProposalOut]:
    """Waits for a second person. Nothing that ended comes back by it."""
    why = await reason_of(request)

    async def work(tx: Connection) -> ProposalOut:
        return proposal_out(await propose_lift(tx, web, caller, mass, reason=why))

    return await perform(web, request, caller, work, status=202)


@get(
    "/api/v1/mass-actions/{mass:uuid}/unreturned",
    permission=(*_READS, Permission.KEYS_KEY_READ),
    tags=["mass actions"],
    summary="Keys of the people affected that are still out",
)
async def still_out(web: WebPart, mass: Id) -> UnreturnedList:
    """Overdue ones first, with where each was seen last and until when it could still open something."""
    async with web.services.database.read() as tx:
        found = await unreturned(tx, await web.services.mass_runs.get(tx, mass), web.now)
    return UnreturnedList(unreturned_out(found))


@get(
    "/api/v1/mass-actions/{mass:uuid}/unreturned.csv",
    permission=(*_READS, Permission.KEYS_KEY_READ),
    tags=["mass actions"],
    summary="The same as CSV",
)
async def still_out_csv(web: WebPart, mass: Id) -> Response[str]:
    """People by their id."""
    async with web.services.database.read() as tx:
        found = await unreturned(tx, await web.services.mass_runs.get(tx, mass), web.now)
    name = f'attachment; filename="unreturned-{web.now:%Y%m%dT%H%MZ}.csv"'
    text = unreturned_csv(found, web.now)
    return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


async def _set(web: Any, request: Asked, caller: Any, mass: Any, state: Any) -> Response[MassOut]:
    why = await reason_of(request)

    async def work(tx: Connection) -> MassOut:
        done = await web.services.mass_runs.set_state(
            tx, mass, state, reason=why, actor=caller.actor, at=web.now
        )  # fmt: skip
        return await mass_out(tx, done)

    return await perform(web, request, caller, work)


HANDLERS = (look, start, mass_actions, mass_action, pause, resume, lift, still_out, still_out_csv)
