"""The pages *Keys* and *Key*, and what people do with a key: hand out, take back, block."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal
from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission
from key2xs.api.releasing import propose_take_back
from key2xs.api.revoking import stop
from key2xs.api.web import web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.views.asking import find_person
from key2xs.console.views.care import read_cares
from key2xs.console.views.key import read_affected, read_key
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.keys.desk.handing import hand_out as hand_out_to
from key2xs.keys.drift.describing import describe
from key2xs.keys.drift.findings import OPEN, list_findings
from key2xs.keys.reads import edited_elsewhere, exposed_keys, keys_out

from .key_care import CARES

_MOST: Final = 2_000
_SHORTEST_REASON: Final = 3  # "lost" is enough, a blank is not; the API asks for the same
_LONGEST_REASON: Final = 200

Act = Literal["hand-out", "take-back", "block"]
_TITLES: Final = {"hand-out": "Hand out", "take-back": "Take back", "block": "Block"}


@get("/keys", permission=(Permission.KEYS_KEY_READ, Permission.KEYS_EXPOSURE_READ), include_in_schema=False)
async def keys(request: Asked) -> Response[str]:
    """List keys, those that are out first."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        out = await keys_out(tx, web.now)
        with_people = {line.key.id for line in out}
        all_keys = await web.services.registry.list_keys(tx, limit=_MOST)
        return {
            "out": sorted(out, key=lambda line: line.key.stamp),
            "desk": [key for key in all_keys if key.id not in with_people],
            "exposed": {key.key_id: key for key in await exposed_keys(tx, web.now, limit=_MOST)},
            "people": await look_up(tx, [line.person_id for line in out], web.now),
        }

    return await show(request, "keys.html", "keys", read)


@get(
    "/keys/{stamp:str}",
    permission=(Permission.KEYS_KEY_READ, Permission.KEYS_EXPOSURE_READ),
    include_in_schema=False,
)
async def key(request: Asked, stamp: FromPath[str]) -> Response[str]:
    """Show a key by the stamp printed on it."""
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        v = await read_key(tx, web.services, stamp, web.now)
        return {
            "v": v,
            "edited": await edited_elsewhere(tx, key_id=v.key.id),
            "edits": await describe(
                tx, await list_findings(tx, key=v.key.id, states=OPEN), web.services.settings.zone
            ),
            "cares": await read_cares(tx, web.services, v.key, web.now),
            "titles": CARES,
        }

    return await show(request, "key.html", "keys", read)


@get("/keys/{stamp:str}/hand-out", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def ask_hand_out(request: Asked, stamp: FromPath[str]) -> Response[str]:
    """Ask to whom the key goes."""
    return await _ask(request, stamp, "hand-out")


@get("/keys/{stamp:str}/take-back", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def ask_take_back(request: Asked, stamp: FromPath[str]) -> Response[str]:
    """Show who and what is affected when the key is taken back."""
    return await _ask(request, stamp, "take-back")


@get("/keys/{stamp:str}/block", permission=Permission.KEYS_KEY_BLOCK, include_in_schema=False)
async def ask_block(request: Asked, stamp: FromPath[str]) -> Response[str]:
    """Show who and what is affected when the key is blocked, and ask why."""
    return await _ask(request, stamp, "block")


@post("/keys/{stamp:str}/hand-out", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def hand_out(request: Asked, stamp: FromPath[str]) -> Response[str] | Redirect:
    """Hand the key to somebody."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    who = form.get("who", "")[:120]

    async def act(tx: Connection) -> str:
        person_id = await find_person(tx, web, who)
        found = await web.services.registry.get_key(tx, stamp)
        await hand_out_to(tx, web.services.key_desk, found.id, person_id, actor=caller.actor, at=web.now)
        return "handed-out"

    return await _do(request, stamp, "hand-out", act, given=who)


@post("/keys/{stamp:str}/take-back", permission=Permission.KEYS_CUSTODY_CHANGE, include_in_schema=False)
async def take_back(request: Asked, stamp: FromPath[str]) -> Response[str] | Redirect:
    """Take the key back."""
    web, caller = web_of(request), await signed_in(request)

    async def act(tx: Connection) -> str:
        found = await web.services.registry.get_key(tx, stamp)
        kept = await web.services.key_ends.kept(tx, found, web.now)
        if kept:
            # It stays in the hand that needs it until a second person agrees.
            await propose_take_back(tx, web, caller, found, kept, reason=f"take key {found.stamp} back")
            return "proposed"
        await web.services.custody.take_back(tx, found.id, actor=caller.actor, at=web.now)
        await web.services.kill.narrow_key(tx, found.id, web.now)
        return "taken-back"

    return await _do(request, stamp, "take-back", act)


@post("/keys/{stamp:str}/block", permission=Permission.KEYS_KEY_BLOCK, asks_why=True, include_in_schema=False)
async def block(request: Asked, stamp: FromPath[str]) -> Response[str] | Redirect:
    """Block the key."""
    web, caller, form = web_of(request), await signed_in(request), await form_of(request)
    reason = form.get("reason", "")[:_LONGEST_REASON]

    async def act(tx: Connection) -> str:
        if len(reason) < _SHORTEST_REASON:
            raise InvalidInput("reason", "say in a few words why")
        found = await web.services.registry.get_key(tx, stamp)
        asked = await stop(tx, web, caller, found.subject, reason=reason)
        if asked.state == "waiting":
            return "told-first"
        return "held" if asked.held else "blocked"

    return await _do(request, stamp, "block", act, given=reason)


async def _do(
    request: Asked,
    stamp: str,
    act: Act,
    work: Callable[[Connection], Awaitable[str]],
    *,
    given: str = "",
) -> Response[str] | Redirect:
    """Do an act and show the key; what stands against it is said beside the form."""
    web = web_of(request)
    try:
        done = await web.services.database.transact(work)
    except (Conflict, InvalidInput) as error:
        problem = error.problem if isinstance(error, InvalidInput) else str(error)
        status = 400 if isinstance(error, InvalidInput) else 409
        return await _ask(request, stamp, act, given=given, problem=problem, status=status)
    web.runtime.wake()
    return go(f"/keys/{quote(stamp, safe='')}", done=done)


async def _ask(
    request: Asked, stamp: str, act: Act, *, given: str = "", problem: str = "", status: int = 200
) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        affected = await read_affected(tx, web.services, stamp, web.now)
        wait = web.services.settings.safety.kill_wait_seconds
        return {
            "a": affected, "act": act, "title": _TITLES[act], "given": given, "problem": problem, "kill_wait": wait,
        }  # fmt: skip

    return await show(request, "key_act.html", "keys", read, status=status)


HANDLERS = (
    keys, key, ask_hand_out, ask_take_back, ask_block, hand_out, take_back, block,
)  # fmt: skip
