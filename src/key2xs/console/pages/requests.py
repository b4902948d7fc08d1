"""The page *Requests*: who waits for a decision."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.auth import require_person
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.requests import request_lines, urgent_first
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed
from key2xs.core.ids import RequestId
from key2xs.grants.types import Request as AccessRequest

_LONGEST_REASON = 200


@get("/requests", permission=Permission.GRANTS_LEASE_READ, include_in_schema=False)
async def requests(request: Asked) -> Response[str]:
    """List requests that wait."""
    return await _list(request)


@post("/requests/{request_id:uuid}", permission=Permission.GRANTS_REQUEST_APPROVE, include_in_schema=False)
async def decide(request: Asked, request_id: FromPath[UUID]) -> Response[str] | Redirect:
    """Approve or refuse a request."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    approve = form.get("decision") == "approve"
    reason = form.get("reason", "")[:_LONGEST_REASON]
    person_id = caller.person_id

    async def act(tx: Connection) -> AccessRequest:
        if not approve and (form.get("decision") != "refuse" or not reason):
            raise InvalidInput("reason", "say why you refuse")
        if person_id is None:
            raise NotAllowed("your account is not linked to a person")
        return await web.services.requests.decide(
            tx,
            RequestId(request_id),
            approver_id=person_id,
            approve=approve,
            reason=reason,
            actor=caller.actor,
            at=web.now,
        )

    try:
        decided = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed) as error:
        return await _list(
            request, problem=error.problem if isinstance(error, InvalidInput) else str(error), status=409
        )
    web.runtime.wake()
    said = {"approved": "approved", "requested": "more-needed"}.get(decided.state, "refused")
    return go("/requests", done=said)


async def _list(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)

    async def read(tx: Connection) -> dict[str, Any]:
        lines = await request_lines(tx, await web.services.requests.waiting(tx), web.now)
        return {"lines": urgent_first(lines), "person_id": caller.person_id, "problem": problem}

    return await show(request, "requests.html", "requests", read, status=status)


HANDLERS = (requests, decide)
