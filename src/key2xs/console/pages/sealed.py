"""The page of emergency keys under seal."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission, Principal
from key2xs.api.auth import require_person
from key2xs.api.clearing import checked_reason
from key2xs.api.paging import Name
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.times import read_local
from key2xs.console.views.asking import find_person
from key2xs.console.words import Status
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import PersonId
from key2xs.keys.lasting import lasting_standing

_HERE: Final = "/sealed"
STATES: Final = {
    "sealed": Status("under seal", "good", "disc"),
    "broken": Status("seal broken", "bad", "triangle", "The key is out; it has to be called back."),
    "recalled": Status("called back", "warn", "half", "It has to come back under a new seal."),
}


@get(_HERE, permission=Permission.KEYS_KEY_READ, include_in_schema=False)
async def sealed(request: Asked) -> Response[str]:
    """Show every key under seal, and what still has to be reviewed."""
    return await _page(request)


@post(_HERE, permission=Permission.KEYS_SEALED_USE, include_in_schema=False)
async def put_under_seal(request: Asked) -> Response[str] | Redirect:
    """Put a key under seal; its stamp stands in the form, since any word may be a stamp."""
    form = await form_of(request)
    return await _carry_out(request, form.get("stamp", "")[:200], form)


@post("/sealed/keys/{name:str}", permission=Permission.KEYS_SEALED_USE, include_in_schema=False)
async def act_on(request: Asked, name: Name) -> Response[str] | Redirect:
    """Check, break, call back or seal again."""
    return await _carry_out(request, name, await form_of(request))


async def _carry_out(request: Asked, stamp: str, form: dict[str, str]) -> Response[str] | Redirect:
    web, caller = web_of(request), await signed_in(request)
    try:
        done = await web.services.database.transact(lambda tx: _act(tx, web, caller, stamp, form))
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        return await _page(request, problem=_why(error), status=403 if isinstance(error, NotAllowed) else 409)
    web.runtime.wake()
    return go(_HERE, done=done)


@post("/sealed/uses/{use:uuid}", permission=Permission.KEYS_SEALED_USE, include_in_schema=False)
async def review(request: Asked, use: FromPath[UUID]) -> Response[str] | Redirect:
    """Review a use, as somebody else."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> None:
        reviewer: Any = caller.person_id
        await web.services.sealed.review(
            tx,
            use,
            reviewer=PersonId(reviewer),
            outcome=form.get("outcome", "")[:2000],
            actor=caller.actor,
            at=web.now,
        )

    try:
        await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotAllowed, NotFound) as error:
        return await _page(request, problem=_why(error), status=403 if isinstance(error, NotAllowed) else 409)
    return go(_HERE, done="seal-reviewed")


async def _act(tx: Connection, web: Web, caller: Principal, stamp: str, form: dict[str, str]) -> str:
    keys, at = web.services.sealed, web.now
    key_id = (await web.services.registry.get_key(tx, stamp)).id
    what, seal = form.get("act", ""), form.get("seal", "")[:100]
    if what == "seal":
        await keys.seal(tx, key_id, seal=seal, place=form.get("place", ""), actor=caller.actor, at=at)
        return "sealed"
    if what == "check":
        await keys.check(tx, key_id, seal=seal, actor=caller.actor, at=at)
        return "seal-checked"
    if what == "recall":
        why = checked_reason(form.get("reason", ""))
        await keys.recall(tx, key_id, actor=caller.actor, at=at, reason=why)
        return "seal-recalled"
    if what == "again":
        await keys.seal_again(tx, key_id, seal=seal, place=form.get("place", ""), actor=caller.actor, at=at)
        return "sealed"
    if what != "break":
        raise InvalidInput("act", "use one of the buttons")
    await keys.break_seal(
        tx,
        key_id,
        taken_by=await _who(tx, web, form.get("taken_by", ""), "taken_by"),
        second=await _who(tx, web, form.get("second", ""), "second"),
        reason=form.get("reason", "")[:500],
        broken_at=_at(web, form.get("broken_at", "")),
        actor=caller.actor,
        at=at,
    )
    return "seal-broken"


async def _who(tx: Connection, web: Web, who: str, field: str) -> PersonId:
    try:
        return await find_person(tx, web, who[:200])
    except InvalidInput as error:
        raise InvalidInput(field, error.problem) from error


def _at(web: Web, text: str) -> datetime:
    if not text:
        return web.now
    at = read_local(text, web.services.settings.zone)
    if at is None:
        raise InvalidInput("broken_at", "give the day and the time, or leave it empty for now")
    return at


async def _page(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, Any]:
        keys, uses = await web.services.sealed.all(tx), await web.services.sealed.uses(tx)
        people = await look_up(tx, [p for use in uses for p in (use.taken_by, use.second_id)], web.now)
        return {
            "keys": keys,
            "uses": uses,
            "open": {use.key_id: use for use in uses if use.returned_at is None},
            "lasts": await lasting_standing(tx, [key.key_id for key in keys]),
            "people": people,
            "states": STATES,
            "problem": problem,
        }

    return await show(request, "sealed.html", "sealed", read, status=status, home=_HERE)


def _why(error: Exception) -> str:
    return f"{error.field}: {error.problem}" if isinstance(error, InvalidInput) else str(error)


HANDLERS = (sealed, put_under_seal, act_on, review)
