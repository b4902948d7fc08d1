"""The page *Key desk*: one field, two scans, done. And what a person should look at."""

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.views.desk import Ask, Done, Scan, carry_out, read_desk
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PersonId, parse_id
from key2xs.keys.adoption.adopting import StillCarries
from key2xs.keys.desk import findings, handing
from key2xs.keys.types import StoredKey

_LONGEST: Final = 120
_SHORTEST_REASON: Final = 3


@get("/desk", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def desk(request: Asked) -> Response[str]:
    """Show the desk, with what became of the last scan."""
    return await _page(request)


@post("/desk", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def scan(request: Asked) -> Response[str] | Redirect:
    """Do what was scanned."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    given = Scan(
        who=form.get("who", "")[:_LONGEST],
        to=form.get("to", "")[:_LONGEST],
        keys=form.get("keys", "")[: 20 * _LONGEST],
        key_ids=(form["key_id"],) if parse_id(form.get("key_id", "")) else (),
        crew=form.get("crew", "")[:_LONGEST],
        members=form.get("members", "")[: 60 * _LONGEST],
        adopt=tuple(form.get("adopt", "")[: 20 * _LONGEST].split()),
    )
    try:
        found = await web.services.database.transact(lambda tx: carry_out(tx, web, caller, given))
    except StillCarries as error:
        return await _page(request, given=given, legacy=error.key, status=409)
    except (Conflict, InvalidInput, NotFound) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        return await _page(
            request, given=given, problem=problem, status=400 if isinstance(error, InvalidInput) else 409
        )
    if isinstance(found, Ask):
        if found.choices:
            return await _page(request, given=given, ask=found)
        return _go({"to": str(found.person)})
    web.runtime.wake()
    return _go(_after(found))


@post("/desk/undo", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def undo(request: Asked) -> Response[str] | Redirect:
    """Take the last hand-out back: a mistake."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def work(tx: Connection) -> None:
        key = await web.services.registry.get_key(tx, form.get("key_id", ""))
        await handing.undo(tx, web.services.key_desk, key.id, actor=caller.actor, at=web.now)

    try:
        await web.services.database.transact(work)
    except (Conflict, NotFound) as error:
        return await _page(request, problem=str(error), status=409)
    web.runtime.wake()
    return _go({"done": "mistake"})


@post("/desk/settle/{finding:uuid}", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def settle(request: Asked, finding: FromPath[UUID]) -> Response[str] | Redirect:
    """Settle what does not fit."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    reason, holder = form.get("reason", "")[:500], parse_id(form.get("holder", ""))

    async def work(tx: Connection) -> None:
        if len(reason) < _SHORTEST_REASON:
            raise InvalidInput("reason", "say in a few words how you know")
        await findings.settle(
            tx, web.services.key_desk, finding, reason=reason, actor=caller.actor, at=web.now,
            holder=PersonId(holder) if holder else None,
        )  # fmt: skip

    try:
        await web.services.database.transact(work)
    except (Conflict, InvalidInput, NotFound) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        return await _page(request, problem=problem, status=400)
    web.runtime.wake()
    return _go({"done": "settled"})


async def _page(
    request: Asked,
    *,
    given: Scan | None = None,
    ask: Ask | None = None,
    legacy: StoredKey | None = None,
    problem: str = "",
    status: int = 200,
) -> Response[str]:
    web, caller = web_of(request), await signed_in(request)
    given = given or Scan(to=request.query_params.get("to", "")[:_LONGEST])
    acts = request.query_params.getall("act", [])

    async def read(tx: Connection) -> dict[str, object]:
        to = str(ask.person) if ask and ask.person else given.to
        people = await look_up(tx, [ask.person] if ask else [], web.now)
        return {
            "v": await read_desk(tx, web, caller, acts, to),
            "to": to if parse_id(to) else "",
            "given": given,
            "ask": ask,
            "asked": people.of(ask.person) if ask else None,
            "legacy": legacy,
            "problem": problem,
        }

    return await show(
        request, "desk.html", "desk", read, status=status, home="/desk" if given.who or problem else ""
    )


def _after(done: Done) -> dict[str, object]:
    query: dict[str, object] = {"act": [str(each) for each in done.acts]}
    if done.proposed:
        query["done"] = "proposed"
    return query


def _go(query: dict[str, object]) -> Redirect:
    return Redirect(f"/desk?{urlencode(query, doseq=True)}", status_code=303)


HANDLERS = (desk, scan, undo, settle)
