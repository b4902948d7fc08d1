"""The page *Edits made elsewhere*: what somebody changed in a maker's own tool, and what is done about it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.adopting import zone_of
from key2xs.api.clearing import checked_reason
from key2xs.api.drifting import set_policy
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import ZoneId
from key2xs.keys.drift.acts import ACTS, why_not_possible
from key2xs.keys.drift.describing import Described, describe
from key2xs.keys.drift.findings import OPEN, count_findings, list_findings, zone_policies
from key2xs.keys.drift.types import POLICIES, STATES, State

_HERE: Final = "/edits"
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A finding, and why an act about it is not possible."""

    said: Described
    not_revert: str | None
    not_accept: str | None


@get(_HERE, permission=Permission.KEYS_KEY_READ, include_in_schema=False)
async def edits(request: Asked) -> Response[str]:
    """List edits made elsewhere, the unsettled ones unless asked otherwise."""
    return await _page(request)


@post(
    f"{_HERE}/{{finding:uuid}}",
    permission=Permission.KEYS_DRIFT_DECIDE,
    asks_why=True,
    include_in_schema=False,
)
async def settle(request: Asked, finding: FromPath[UUID]) -> Response[str] | Redirect:
    """Say that it was seen, have it undone, or leave it."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def act(tx: Connection) -> str:
        chosen = form.get("act", "")
        if chosen not in ACTS:
            raise InvalidInput("act", "choose one of the three")
        why = checked_reason(form.get("reason", ""))
        await web.services.drift_acts.settle(tx, finding, chosen, actor=caller.actor, reason=why, at=web.now)
        return "settled" if chosen == "accept" else "reported" if chosen == "acknowledge" else "reverting"

    return await _do(request, act)


@post(f"{_HERE}/policy", permission=Permission.KEYS_DRIFT_POLICY, asks_why=True, include_in_schema=False)
async def policy(request: Asked) -> Response[str] | Redirect:
    """Say what a zone does with edits."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def act(tx: Connection) -> str:
        chosen = form.get("policy", "")
        if chosen not in POLICIES:
            raise InvalidInput("policy", "choose one of the three")
        why = checked_reason(form.get("reason", ""))
        zone_id: ZoneId = await zone_of(tx, form.get("zone", "")[:100])
        made = await set_policy(tx, web, caller, zone_id, chosen, reason=why)
        return "changed" if made is None else "proposed"

    return await _do(request, act)


async def _do(request: Asked, act: Callable[[Connection], Awaitable[str]]) -> Response[str] | Redirect:
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotFound) as error:
        return await _page(request, problem=_said(error), status=409)
    web.runtime.wake()
    return go(_HERE, done=done)


async def _page(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web, asked = web_of(request), request.query_params
    caller = await signed_in(request)
    zone, key, state = (asked.get(name, "").strip()[:100] for name in ("zone", "key", "state"))
    states: tuple[State, ...] | None = (
        (cast("State", state),) if state in STATES else None if state == "all" else OPEN
    )

    async def read(tx: Connection) -> dict[str, Any]:
        zones = await zone_policies(tx)
        zone_id = next((each.zone_id for each in zones if each.code == zone), None)
        found_key = await web.services.registry.find_key(tx, key) if key else None
        is_nothing = (bool(zone) and zone_id is None) or (bool(key) and found_key is None)
        found = (
            []
            if is_nothing
            else await list_findings(
                tx,
                zone=zone_id,
                key=found_key.id if found_key is not None else None,
                states=states,
                limit=_MOST + 1,
            )
        )
        decides = caller.may(Permission.KEYS_DRIFT_DECIDE)
        lines = [
            Line(
                each,
                await why_not_possible(tx, each.finding, "revert") if decides else None,
                await why_not_possible(tx, each.finding, "accept") if decides else None,
            )
            for each in await describe(tx, found[:_MOST], web.services.settings.zone)
        ]
        return {
            "lines": lines,
            "more": len(found) > _MOST,
            "counts": await count_findings(tx, zone_id),
            "zones": zones,
            "zone": zone,
            "key": key,
            "state": state,
            "problem": problem,
        }

    return await show(
        request, "edits.html", "edits", read, status=status, home=_HERE if status != 200 else ""
    )


def _said(error: Exception) -> str:
    return error.problem if isinstance(error, InvalidInput) else str(error)


HANDLERS = (edits, settle, policy)
