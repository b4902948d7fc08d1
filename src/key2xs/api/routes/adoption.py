"""Adoption of an existing site: the inventory report, standing access, runs, and visits."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_of
from key2xs.api.adopting import Answer, over_the_air, plain as _plain, zone_of as _zone
from key2xs.api.paging import Id, Name
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.spreadsheet import as_csv
from key2xs.keys.adoption.adopting import adopt_one
from key2xs.keys.adoption.counting import share, share_by_zone, standing_by_key, standing_by_person
from key2xs.keys.adoption.report import LISTS, inventory_report
from key2xs.keys.adoption.runs import AdoptionRun
from key2xs.keys.adoption.visits import visits

Asked = Request[Any, Any, Any]
MOST_LINES = 200  # of each list in one answer; the CSV has all of them


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class NewRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which keys to adopt: all of a key system, or those of them that open something in a security zone."""

    system: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
    zone: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class RunState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a run: paused, running again, or done with what is left."""

    state: Literal["running", "paused", "done"]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class Report(msgspec.Struct, frozen=True):
    """The inventory report. Each list has its first lines; its CSV has all."""

    at: datetime
    as_of: datetime | None
    totals: dict[str, int]
    openings_since: datetime | None
    openings_cover: bool
    unused_days: int
    counts: dict[str, int]
    lists: dict[str, list[dict[str, Any]]]


class Adopted(msgspec.Struct, frozen=True):
    """A key that is adopted, and how many rights it keeps from before."""

    key: str
    key_id: UUID
    kept: int


class Ended(msgspec.Struct, frozen=True):
    """How many standing rights of a key were ended."""

    key: str
    ended: int


@get(
    "/api/v1/adoption/report",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="The inventory report",
)
async def report(web: WebPart) -> Report:
    """What an existing site has: keys without holder, holders who left, rights nobody uses, locks nobody mapped."""
    async with web.services.database.read() as tx:
        found = await inventory_report(tx, web.now, unused_days=web.services.settings.adoption.unused_days)
    names = ("keys", "adopted", "emergency", "locks", "rights", "unread")
    return Report(
        at=found.at,
        as_of=found.as_of,
        totals={name: getattr(found, name) for name in names},
        openings_since=found.openings_since,
        openings_cover=found.openings_cover,
        unused_days=found.unused_days,
        counts=found.counts,
        lists={name: lines[:MOST_LINES] for name, lines in found.lists.items()},
    )


@get(
    "/api/v1/adoption/report/{name:str}",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="One list of the inventory report as CSV",
)
async def report_csv(web: WebPart, name: Name) -> Response[str]:
    """The whole of one list: `keys_without_holder`, `holders_left`, `rights_unused`, `locks_unmapped`, and so on."""
    wanted = name.removesuffix(".csv")
    if wanted not in LISTS:
        raise NotFound(f"the report has no list {wanted}; it has {', '.join(LISTS)}")
    async with web.services.database.read() as tx:
        found = await inventory_report(tx, web.now, unused_days=web.services.settings.adoption.unused_days)
    columns = LISTS[wanted]
    rows = ([_cell(line[column]) for column in columns] for line in found.lists[wanted])
    text = as_csv(columns, rows, line_end="\n")
    headers = {"Content-Disposition": f'attachment; filename="{wanted}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@get(
    "/api/v1/adoption/standing",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="Standing access beside access given just in time",
)
async def standing(web: WebPart) -> Answer:
    """Pairs of a key and a lock that it may open: standing or just in time; by zone, key and person."""
    at = web.now
    async with web.services.database.read() as tx:
        content = {
            "share": _plain(await share(tx, at)),
            "zones": [_plain(each) for each in await share_by_zone(tx, at)],
            "keys": [_plain(each) for each in await standing_by_key(tx, at, limit=MOST_LINES)],
            "people": [_plain(each) for each in await standing_by_person(tx, at, limit=MOST_LINES)],
        }
    return Answer(at, content)


@get(
    "/api/v1/adoption/runs",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="Adoptions of many keys, with how far they are",
)
async def runs(web: WebPart) -> Answer:
    """Runs, the newest first, each with the keys it has not adopted and why."""
    async with web.services.database.read() as tx:
        found = await web.services.adoption.newest(tx)
        items = [
            {**_run(each), "left_keys": [_plain(k) for k in await web.services.adoption.left(tx, each.id, limit=MOST_LINES)]}
            for each in found
        ]  # fmt: skip
    return Answer(web.now, {"items": items})


@post(
    "/api/v1/adoption/runs",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=202,
    tags=["adoption"],
    summary="Propose to adopt many keys",
)
async def propose_run(
    web: WebPart, request: Asked, caller: CallerPart, data: JSONBody[NewRun]
) -> Response[ProposalOut]:
    """Waits for a second person. Nothing changes on any key by it, but in zones that are enforced already."""

    async def work(tx: Connection) -> ProposalOut:
        system = await web.services.connections.get(tx, data.system)
        zone_id = await _zone(tx, data.zone) if data.zone else None
        keys = await web.services.adoption.scope(tx, system.id, zone_id)
        if not keys:
            raise Conflict("there is no key to adopt there")
        payload = {
            "system": str(system.id), "name": system.name, "zone": str(zone_id) if zone_id else None,
            "code": data.zone, "keys": len(keys),
        }  # fmt: skip
        made = await web.access.proposals.propose(
            tx,
            caller,
            "adopt_keys",
            subject=f"key_system:{system.id}",
            payload=payload,
            reason=data.reason,
            at=web.now,
        )
        return proposal_out(made)

    return await perform(web, request, caller, work, status=202)


@post(
    "/api/v1/adoption/runs/{run:uuid}/state",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=200,
    tags=["adoption"],
    summary="Pause an adoption, go on, or end it",
)
async def set_run(
    web: WebPart, request: Asked, caller: CallerPart, run: Id, data: JSONBody[RunState]
) -> Response[Any]:
    """Nothing that was adopted is undone by it."""

    async def work(tx: Connection) -> dict[str, Any]:
        adoption = web.services.adoption
        await adoption.set_state(tx, run, data.state, actor=caller.actor, reason=data.reason, at=web.now)
        return next(_run(each) for each in await adoption.newest(tx, limit=1_000) if each.id == run)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/adopt",
    permission=Permission.KEYS_CUSTODY_CHANGE,
    status_code=200,
    tags=["adoption"],
    summary="Adopt one key",
)
async def adopt(
    web: WebPart,
    request: Asked,
    caller: CallerPart,
    name: Name,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[Adopted]:
    """Take up what the key opens already, so that it may be handed out and written."""
    why = await reason_of(request)

    async def work(tx: Connection) -> Adopted:
        found = await web.services.registry.get_key(tx, name)
        kept = await adopt_one(tx, web.services.ledger, found, actor=caller.actor, at=web.now, reason=why)
        return Adopted(found.stamp, found.id, kept)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/keys/{name:str}/end-standing",
    permission=Permission.GRANTS_LEASE_REVOKE,
    status_code=200,
    tags=["adoption"],
    summary="End what a key keeps from before",
)
async def end_standing(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[Ended]:
    """End all standing rights of one key at once, whatever mode their zones are in."""

    async def work(tx: Connection) -> Ended:
        found = await web.services.registry.get_key(tx, name)
        if found.adopted_at is None:
            raise Conflict(
                f"key {found.stamp} was not adopted, so it is never written: take its rights off elsewhere"
            )
        ended = await web.services.standing.end(tx, found, reason=data.reason, actor=caller.actor, at=web.now)
        await web.services.kill.narrow_key(tx, found.id, web.now)
        return Ended(found.stamp, len(ended))

    return await perform(web, request, caller, work)


@get(
    "/api/v1/adoption/visits",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="Locks and keys that must be visited",
)
async def to_visit(web: WebPart) -> Answer:
    """Locks to be reprogrammed once, by area; keys to be brought to an updater; cylinders for a programming key."""
    async with web.services.database.read() as tx:
        found = await visits(tx, over_the_air(web))
    content = {
        "locks_done": found.locks_done,
        "locks": [{**_plain(each), "done": each.done} for each in found.locks],
        "keys": [_plain(each) for each in found.keys],
        "cylinders": [_plain(each) for each in found.tasks],
    }
    return Answer(web.now, content)


def _run(found: AdoptionRun) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(found)
    return {**plain, "share": round(found.share, 4)}


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, datetime) else value


HANDLERS = (report, report_csv, standing, runs, propose_run, set_run, adopt, end_standing, to_visit)
