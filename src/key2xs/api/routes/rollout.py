"""The roll-out over thirteen weeks, and what enforcing a zone would change."""

from datetime import date
from typing import Any

from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import Said, perform, reason_of
from key2xs.api.adopting import Answer, difference_of, plain as _plain, read_rollout, zone_of as _zone
from key2xs.api.paging import Id
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.ids import ZoneId

Asked = Request[Any, Any, Any]


class RolloutPlan(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first day of the roll-out, the zones of the pilot by code, and why."""

    starts_on: date
    pilot: list[str]


@get(
    "/api/v1/zones/{zone:uuid}/difference",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="What enforcing a zone would change",
)
async def difference(web: WebPart, zone: Id) -> Answer:
    """Exactly which keys would lose or get which locks, worked out now; in *advise* this is the advice."""
    async with web.services.database.read() as tx:
        found = await difference_of(tx, web, ZoneId(zone))
    content = {
        "digest": found.digest,
        "counts": found.counts,
        "changes": [_plain(each) for each in found.changes],
        "not_adopted": list(found.not_adopted),
    }
    return Answer(found.at, content)


@get(
    "/api/v1/rollout",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="The roll-out: stages and zones",
)
async def show_rollout(web: WebPart) -> Answer:
    """The four stages of thirteen weeks with what each still lacks, and how ready each zone is."""
    async with web.services.database.read() as tx:
        found = await read_rollout(tx, web)
    content = _plain(found)
    content["zones"] = [
        {**_plain(zone), "missing": list(zone.missing), "visited": zone.visited} for zone in found.zones
    ]
    return Answer(web.now, content)


@post(
    "/api/v1/rollout",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=200,
    tags=["adoption"],
    summary="Say when and where the roll-out begins",
)
async def plan_rollout(
    web: WebPart, request: Asked, caller: CallerPart, data: JSONBody[RolloutPlan]
) -> Response[Any]:
    """Only a date and the zones of the pilot; everything else on the roll-out page is computed."""
    why = await reason_of(request)

    async def work(tx: Connection) -> dict[str, Any]:
        pilot = [await _zone(tx, code) for code in data.pilot]
        await web.services.rollouts.plan(
            tx, starts_on=data.starts_on, pilot=pilot, actor=caller.actor, at=web.now, reason=why
        )
        return {"starts_on": data.starts_on.isoformat(), "pilot": data.pilot}

    return await perform(web, request, caller, work)


HANDLERS = (difference, show_rollout, plan_rollout)
