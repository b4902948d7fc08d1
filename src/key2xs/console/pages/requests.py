"""The page *Requests*: what waits for a decision or for a second person, and asking for access."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.auth import require_person
from key2xs.api.clearing import checked_reason
from key2xs.api.places import require_decider
from key2xs.api.routes.bundles import put_in_force
from key2xs.api.routes.governing import confirm_proposal, may_see_some, refuse_proposal
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.asking import Wanted, ask_for, read_wanted
from key2xs.console.views.proposals import proposal_lines
from key2xs.console.views.requests import request_lines, urgent_first
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import RequestId
from key2xs.grants.types import Request as AccessRequest

_HERE: Final = "/requests"
_LONGEST_REASON: Final = 200


@get("/requests", signed_in=True, include_in_schema=False)
async def requests(request: Asked) -> Response[str]:
    """List everything that waits and that the reader may see."""
    if not may_see_some(await signed_in(request)):
        raise NotAllowed("nothing on this page is for your role")
    return await _list(request)


@post("/requests", permission=Permission.GRANTS_REQUEST_ASK, asks_why=True, include_in_schema=False)
async def ask(request: Asked) -> Response[str] | Redirect:
    """Ask for access, for oneself or another."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    wanted = read_wanted(form)

    async def act(tx: Connection) -> str:
        await ask_for(tx, web, caller, wanted)
        return "asked"

    return await _do(request, act, wanted=wanted)


@post(
    "/requests/{request_id:uuid}",
    permission=Permission.GRANTS_REQUEST_APPROVE,
    by_unit=True,
    include_in_schema=False,
)
async def decide(request: Asked, request_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Approve or refuse a request."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    approve = form.get("decision") == "approve"
    reason = form.get("reason", "")[:_LONGEST_REASON]
    person_id = caller.person_id

    async def act(tx: Connection) -> str:
        if not approve and (form.get("decision") != "refuse" or not reason):
            raise InvalidInput("reason", "say why you refuse")
        await require_decider(tx, web, caller, RequestId(request_id), approve=approve)
        if person_id is None:
            raise NotAllowed("your account is not linked to a person")
        decided: AccessRequest = await web.services.requests.decide(
            tx,
            RequestId(request_id),
            approver_id=person_id,
            approve=approve,
            reason=reason,
            actor=caller.actor,
            at=web.now,
        )
        return {"approved": "approved", "requested": "more-needed"}.get(decided.state, "refused")

    return await _do(request, act)


@post(
    "/requests/proposals/{proposal_id:uuid}",
    signed_in=True,
    include_in_schema=False,
)
async def decide_proposal(request: Asked, proposal_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Confirm what somebody else proposed, refuse it, or take back one's own."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    decision = form.get("decision")

    async def act(tx: Connection) -> str:
        if decision == "confirm":
            await confirm_proposal(tx, web, caller, proposal_id, seen=form.get("seen"))
            return "confirmed"
        if decision != "refuse":
            raise InvalidInput("decision", "use one of the buttons")
        reason = checked_reason(form.get("reason", ""))
        done = await refuse_proposal(tx, web, caller, proposal_id, reason=reason)
        return "withdrawn" if done.proposal.proposed_by == caller.user_id else "refused"

    return await _do(request, act)


@post(
    "/requests/bundles/{bundle_id:uuid}",
    permission=Permission.POLICY_BUNDLE_ACTIVATE,
    include_in_schema=False,
)
async def activate(request: Asked, bundle_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Put proposed rules in force, as the second person."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> str:
        await put_in_force(tx, web, caller, bundle_id)
        return "rules"

    return await _do(request, act)


async def _do(
    request: Asked, act: Callable[[Connection], Awaitable[str]], *, wanted: Wanted | None = None
) -> Response[str] | Redirect:
    """Do an act and show the list; what stands against it is said above the list."""
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        status = 403 if isinstance(error, NotAllowed) else 409
        return await _list(request, problem=problem, wanted=wanted, status=status)
    except NotFound as error:
        if wanted is None:
            raise
        return await _list(request, problem=str(error), wanted=wanted, status=409)
    web.runtime.wake()
    return go(_HERE, done=done)


async def _list(
    request: Asked, *, problem: str = "", wanted: Wanted | None = None, status: int = 200
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, Any]:
        reads = caller.may(Permission.GRANTS_LEASE_READ)
        waiting = await web.services.requests.waiting(tx) if reads else []
        lines = await request_lines(tx, waiting, web.now)
        return {
            "lines": urgent_first(lines),
            "proposals": await proposal_lines(tx, web, caller),
            "person_id": caller.person_id,
            "problem": problem,
            "wanted": wanted or Wanted(),
            "zone": web.services.settings.site_time_zone,
        }

    return await show(request, "requests.html", "requests", read, status=status, home=_HERE)


HANDLERS = (requests, ask, decide, decide_proposal, activate)
