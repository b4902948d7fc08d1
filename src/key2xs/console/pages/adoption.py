"""The pages *Adoption* and *Roll-out*, and what people do there: write or not, adopt, switch a zone, let go on."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Final
from urllib.parse import quote
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.adopting import read_rollout, shown_with, zone_of
from key2xs.api.auth import require, require_person
from key2xs.api.clearing import checked_reason
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.views.adoption import LISTS, MOST_LINES, read_adoption, read_connection, read_switch
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import ZoneId
from key2xs.keys.lock_checks import FOUND, note_lock_check
from key2xs.plant import get_zone, set_zone_mode

_HERE: Final = "/adoption"
_ROLLOUT: Final = "/rollout"
_SHORTEST_REASON: Final = 3
_LONGEST: Final = 500


@get(_HERE, permission=Permission.KEYS_ADOPTION_READ, include_in_schema=False)
async def adoption(request: Asked) -> Response[str]:
    """Show what the site has and how far it is taken over."""
    return await _page(request)


@get("/adoption/systems/{name:str}", permission=Permission.KEYS_ADOPTION_READ, include_in_schema=False)
async def connection(request: Asked, name: FromPath[str]) -> Response[str]:
    """Show what a connection lacks; the vendor is asked."""
    return await _connection(request, name)


@post("/adoption/sign-in", permission=Permission.KEYS_ADOPTION_RUN, include_in_schema=False)
async def sign_in_again(request: Asked) -> Response[str] | Redirect:
    """Let Key2XS sign in again."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> str:
        found = await web.services.connections.get(tx, form.get("system", ""))
        why = checked_reason(form.get("reason", ""))
        await web.services.connections.sign_in_again(tx, found.id, reason=why, actor=caller.actor, at=web.now)
        return "changed"

    return await _at_connection(request, form.get("system", ""), act)


@post("/adoption/limits", permission=Permission.KEYS_ADOPTION_RUN, include_in_schema=False)
async def note_lock(request: Asked) -> Response[str] | Redirect:
    """Note what was tried at a lock."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> str:
        found = await web.services.connections.get(tx, form.get("system", ""))
        heeds = FOUND.get(form.get("honours_limits", ""))
        if heeds is None:
            raise InvalidInput("honours_limits", "say what you found")
        why = checked_reason(form.get("reason", ""))
        await note_lock_check(
            tx,
            web.services.ledger,
            found.id,
            form.get("lock", "")[:_LONGEST],
            heeds,
            reason=why,
            actor=caller.actor,
            at=web.now,
        )
        return "changed"

    return await _at_connection(request, form.get("system", ""), act)


async def _at_connection(
    request: Asked, name: str, act: Callable[[Connection], Awaitable[str]]
) -> Response[str] | Redirect:
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotFound) as error:
        return await _connection(request, name, problem=_said(error), status=409)
    web.runtime.wake()
    return go(f"/adoption/systems/{quote(name, safe='')}", done=done)


async def _connection(request: Asked, name: str, *, problem: str = "", status: int = 200) -> Response[str]:
    found = await read_connection(
        web_of(request), name
    )  # outside the page's transaction: the vendor is asked

    async def read(_tx: Connection) -> dict[str, object]:
        return {"c": found, "most": MOST_LINES, "problem": problem}

    return await show(request, "connection.html", "adoption", read, status=status)


@post("/adoption/writes", permission=Permission.KEYS_ADOPTION_RUN, include_in_schema=False)
async def writes(request: Asked) -> Response[str] | Redirect:
    """Let a connection write, or not."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> str:
        found = await web.services.connections.get(tx, form.get("system", ""))
        on = form.get("writes") == "on"
        await web.services.connections.switch(
            tx, found.id, writes=on, reason=form.get("reason", "")[:_LONGEST], actor=caller.actor, at=web.now
        )
        return "changed"

    return await _do(request, act)


@post("/adoption/runs", permission=Permission.KEYS_ADOPTION_RUN, include_in_schema=False)
async def propose(request: Asked) -> Response[str] | Redirect:
    """Propose to adopt the keys of a key system."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> str:
        found = await web.services.connections.get(tx, form.get("system", ""))
        code = form.get("zone", "")
        zone_id = await zone_of(tx, code) if code else None
        keys = await web.services.adoption.scope(tx, found.id, zone_id)
        if not keys:
            raise Conflict("there is no key to adopt there")
        payload = {
            "system": str(found.id), "name": found.name, "zone": str(zone_id) if zone_id else None,
            "code": code or None, "keys": len(keys),
        }  # fmt: skip
        await web.access.proposals.propose(
            tx,
            caller,
            "adopt_keys",
            subject=f"key_system:{found.id}",
            payload=payload,
            reason=form.get("reason", "")[:_LONGEST],
            at=web.now,
        )
        return "proposed"

    return await _do(request, act)


@post("/adoption/brake", permission=Permission.KEYS_BRAKE_CONFIRM, include_in_schema=False)
async def release(request: Asked) -> Response[str] | Redirect:
    """Let stopped bulk writes go on."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)

    async def act(tx: Connection) -> str:
        found = await web.services.connections.get(tx, form.get("system", ""))
        keys = form.get("keys", "")
        if not keys.isascii() or not keys.isdigit():
            raise InvalidInput("keys", "say for how many keys")
        await web.services.brake.release(
            tx,
            found.id,
            keys=int(keys),
            actor=caller.actor,
            reason=form.get("reason", "")[:_LONGEST],
            at=web.now,
        )
        return "changed"

    return await _do(request, act)


@get(_ROLLOUT, permission=Permission.KEYS_ADOPTION_READ, include_in_schema=False)
async def rollout(request: Asked) -> Response[str]:
    """Show the four stages and how ready each zone is."""
    return await _rollout(request)


@post(_ROLLOUT, permission=Permission.KEYS_ADOPTION_RUN, include_in_schema=False)
async def plan(request: Asked) -> Response[str] | Redirect:
    """Say when and where the roll-out begins."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)

    async def act(tx: Connection) -> str:
        try:
            starts_on = date.fromisoformat(form.get("starts_on", ""))
        except ValueError as error:
            raise InvalidInput("starts_on", "say on which day") from error
        pilot = [await zone_of(tx, code) for code in form.get("pilot", "").replace(",", " ").split()]
        why = checked_reason(form.get("reason", ""))
        await web.services.rollouts.plan(
            tx, starts_on=starts_on, pilot=pilot, actor=caller.actor, at=web.now, reason=why
        )
        return "changed"

    return await _do(request, act, back=_ROLLOUT)


@get("/zones/{zone:uuid}/switch", permission=Permission.KEYS_ADOPTION_READ, include_in_schema=False)
async def ask_switch(request: Asked, zone: FromPath[UUID]) -> Response[str]:
    """Show exactly what would change on which keys before a zone is switched."""
    return await _switch(request, ZoneId(zone))


@post(
    "/zones/{zone:uuid}/switch",
    permission=Permission.PLANT_ZONE_SWITCH,
    asks_why=True,
    include_in_schema=False,
)
async def switch(request: Asked, zone: FromPath[UUID]) -> Response[str] | Redirect:
    """Propose a mode, or go back to *observe* at once."""
    web, caller, form = web_of(request), require_person(await signed_in(request)), await form_of(request)
    zone_id, mode, reason = ZoneId(zone), form.get("mode", ""), form.get("reason", "")[:_LONGEST]

    async def act(tx: Connection) -> str:
        if len(reason) < _SHORTEST_REASON:
            raise InvalidInput("reason", "say in a few words why")
        require(caller, Permission.PLANT_ZONE_SWITCH)
        found = await get_zone(tx, zone_id)
        if found.mode == mode:
            raise Conflict(f"zone {found.code} is in mode {mode} already")
        if mode == "observe":
            await set_zone_mode(
                tx,
                web.services.ledger,
                zone_id,
                mode="observe",
                actor=caller.actor,
                at=web.now,
                reason=reason,
            )
            return "changed"
        if mode not in {"advise", "enforce"}:
            raise InvalidInput("mode", "choose observe, advise or enforce")
        shown = await shown_with(tx, web, caller, zone_id, mode)
        payload = {"zone": str(zone_id), "code": found.code, "before": found.mode, "mode": mode, **shown}
        await web.access.proposals.propose(
            tx, caller, "zone_mode", subject=f"zone:{zone_id}", payload=payload, reason=reason, at=web.now
        )
        return "proposed"

    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput) as error:
        return await _switch(request, zone_id, given=reason, problem=_said(error), status=409)
    web.runtime.wake()
    return go(_ROLLOUT, done=done)


async def _do(
    request: Asked, act: Callable[[Connection], Awaitable[str]], *, back: str = _HERE
) -> Response[str] | Redirect:
    web = web_of(request)
    try:
        done = await web.services.database.transact(act)
    except (Conflict, InvalidInput, NotFound) as error:
        if back == _ROLLOUT:
            return await _rollout(request, problem=_said(error), status=409)
        if back == _HERE:
            return await _page(request, problem=_said(error), status=409)
        raise
    web.runtime.wake()
    return go(back, done=done)


async def _page(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"v": await read_adoption(tx, web), "lists": LISTS, "most": MOST_LINES, "problem": problem}

    return await show(request, "adoption.html", "adoption", read, status=status, home=_HERE)


async def _rollout(request: Asked, *, problem: str = "", status: int = 200) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"r": await read_rollout(tx, web), "problem": problem}

    return await show(request, "rollout.html", "rollout", read, status=status, home=_ROLLOUT)


async def _switch(
    request: Asked, zone_id: ZoneId, *, given: str = "", problem: str = "", status: int = 200
) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        return {"s": await read_switch(tx, web, zone_id), "given": given, "problem": problem, "most": 200}

    return await show(request, "zone_switch.html", "rollout", read, status=status)


def _said(error: Exception) -> str:
    return error.problem if isinstance(error, InvalidInput) else str(error)


HANDLERS = (
    adoption,
    connection,
    sign_in_again,
    note_lock,
    writes,
    propose,
    release,
    rollout,
    plan,
    ask_switch,
    switch,
)
