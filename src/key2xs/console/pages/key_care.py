"""What happens to one key beside hand-out and return.

Passed on, lost, found, broken, repaired, replaced, due later, and off the block list again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from key2xs.access import Permission, Principal
from key2xs.api.handing_back import end_for_good
from key2xs.api.losing import block_of, end_found
from key2xs.api.web import Web, web_of
from key2xs.console.frame import Asked, form_of, go, show, signed_in
from key2xs.console.people import look_up
from key2xs.console.times import read_local
from key2xs.console.views.asking import find_person
from key2xs.console.views.care import read_cares
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeyId
from key2xs.keys.adoption.adopting import adopt_one
from key2xs.keys.desk import due, mishaps, transfers
from key2xs.keys.desk.lists import one_key
from key2xs.keys.types import StoredKey

_SHORTEST_REASON: Final = 3
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Care:
    """One thing to do with a key: its form, and what it says afterwards."""

    title: str
    button: str
    says: str
    field: str = ""
    label: str = ""
    kind: Literal["text", "datetime-local"] = "text"
    danger: bool = False
    permission: Permission = Permission.KEYS_CUSTODY_CHANGE


CARES: Final[dict[str, Care]] = {
    "transfer": Care(
        "Pass on", "Pass it on",
        "The key goes from one person to the next. What it opens does not go along: it is decided anew, from what the "
        "next person may.",
        "who", "Who gets it: personnel number, or the id in the IAM",
    ),
    "lost": Care(
        "Report lost", "Report it lost",
        "The key is blocked; somebody who is at work with it is told of through the shift leader first. From now on "
        "nothing new goes onto it. Openings from the time below on say that the key was lost.",
        "since", "When was it surely there last? Empty: now", "datetime-local", danger=True,
    ),
    "found": Care(
        "Found", "It is found",
        "The key lies at the desk, with nothing on it. A block stays until two people lift it (Unblock). While a safety "
        "rule keeps what only this key carries, it goes back to whoever has it, and taking it back waits for a second person.",
    ),
    "unblock": Care(
        "Unblock", "Take it off the block list",
        "The key is emptied first: bring it to an updater, or to a lock with network. Then the block list is sent without "
        "it, and locks let it in once the list has reached them. Until that is done it stays blocked. Nothing comes "
        "back by itself: what it opened has ended, and whoever gets it needs a new reason for it.",
        permission=Permission.KEYS_KEY_UNBLOCK,
    ),
    "adopt": Care(
        "Adopt", "Adopt it",
        "From now on Key2XS looks after the key. It keeps exactly what it holds today; that is shown and counted as old "
        "rights, and ends when its zone is enforced.",
    ),
    "hand-back": Care(
        "Hand back for good", "Hand it back",
        "For a phone key or RFID tag that does not come back into use. The key is emptied first; when that is proven, its "
        "maker is told to take it back, which deletes it there. A phone without network does that when it has network again.",
        danger=True,
    ),
    "broken": Care("Report broken", "Report it broken", "The key lies at the desk. Whoever had it has it no more, and everything on it is removed."),
    "repaired": Care("Repaired", "It works again", "The key lies at the desk and may be handed out again."),
    "replace": Care(
        "Replace", "Replace it",
        "Another key takes its place, for good. Whoever was handed this one has the other, with crew and due time.",
        "by", "Stamp of the key that takes its place",
    ),
    "due": Care(
        "Due back", "Set it", "The reminders begin anew.", "due_at", "When is it due back? Empty: not at all",
        "datetime-local",
    ),
}  # fmt: skip


def _ask_route(word: str) -> Any:
    @get(
        f"/keys/{{stamp:str}}/{word}",
        permission=CARES[word].permission,
        include_in_schema=False,
        name=f"ask-{word}",
    )
    async def ask(request: Asked, stamp: FromPath[str]) -> Response[str]:
        return await _page(request, stamp, word)

    return ask


def _do_route(word: str) -> Any:
    @post(
        f"/keys/{{stamp:str}}/{word}",
        permission=CARES[word].permission,
        asks_why=True,
        include_in_schema=False,
        name=f"do-{word}",
    )
    async def do(request: Asked, stamp: FromPath[str]) -> Response[str] | Redirect:
        web, caller, form = web_of(request), await signed_in(request), await form_of(request)
        given, reason = form.get(CARES[word].field, "")[:120], form.get("reason", "")[:_LONGEST]

        async def work(tx: Connection) -> str:
            if len(reason) < _SHORTEST_REASON:
                raise InvalidInput("reason", "say in a few words why")
            key = await web.services.registry.get_key(tx, stamp)
            return await _ACTS[word](tx, web, caller, key.id, given, reason) or f"key-{word}"

        try:
            done = await web.services.database.transact(work)
        except (Conflict, InvalidInput, NotFound) as error:
            problem = error.problem if isinstance(error, InvalidInput) else str(error)
            status = 400 if isinstance(error, InvalidInput) else 409
            return await _page(
                request, stamp, word, given=given, reason=reason, problem=problem, status=status
            )
        web.runtime.wake()
        return go(f"/keys/{quote(stamp, safe='')}", done=done)

    return do


async def _page(
    request: Asked,
    stamp: str,
    word: str,
    *,
    given: str = "",
    reason: str = "",
    problem: str = "",
    status: int = 200,
) -> Response[str]:
    web = web_of(request)

    async def read(tx: Connection) -> dict[str, object]:
        key = await web.services.registry.get_key(tx, stamp)
        holder = await web.services.custody.holder_at(tx, key.id, web.now)
        people = await look_up(tx, [holder], web.now)
        cares = await read_cares(tx, web.services, key, web.now)
        return {
            "key": key, "holder": people.of(holder), "care": CARES[word], "word": word, "given": given,
            "reason": reason, "problem": problem, "why_not": "" if problem else cares.why_not[word],
            "by_visits": await _by_visits(tx, web, key) if word == "unblock" else False,
        }  # fmt: skip

    return await show(request, "key_care.html", "keys", read, status=status)


async def _transfer(tx: Connection, web: Web, caller: Principal, key: KeyId, given: str, reason: str) -> None:
    receiver = await find_person(tx, web, given)
    await transfers.transfer(
        tx, web.services.key_desk, key, receiver, actor=caller.actor, at=web.now, reason=reason,
        guard=web.services.key_ends.require_free,
    )  # fmt: skip


async def _lost(tx: Connection, web: Web, caller: Principal, key: KeyId, given: str, reason: str) -> None:
    since = read_local(given, web.services.settings.zone) if given else None
    if given and since is None:
        raise InvalidInput("since", "give the day and the time, or leave it empty")
    await mishaps.report_lost(
        tx, web.services.key_desk, key, reason=reason, actor=caller.actor, at=web.now, since=since,
        block=block_of(web, caller, reason),
    )  # fmt: skip


async def _broken(tx: Connection, web: Web, caller: Principal, key: KeyId, _given: str, reason: str) -> None:
    # Else one person's word would take the key that a lock box or the last holder on shift needs.
    await web.services.key_ends.require_free(tx, await web.services.registry.get_key(tx, key), web.now)
    await mishaps.report_broken(tx, web.services.key_desk, key, reason=reason, actor=caller.actor, at=web.now)


async def _found(
    tx: Connection, web: Web, caller: Principal, key: KeyId, _given: str, reason: str
) -> str | None:
    return "key-found-stays" if await end_found(tx, web, caller, key, reason) else None


async def _unblock(tx: Connection, web: Web, caller: Principal, key: KeyId, _given: str, reason: str) -> None:
    await mishaps.ask_unblock(tx, web.services.key_desk, key, reason=reason, actor=caller.actor, at=web.now)


async def _by_visits(tx: Connection, web: Web, key: StoredKey) -> bool:
    """Tell whether a block lives in cylinders, so that somebody has to carry a programming key to them."""
    systems = {system.id: system for system in await web.services.registry.systems(tx)}
    return systems[key.system_id].vendor == "cliq"


async def _repaired(
    tx: Connection, web: Web, caller: Principal, key: KeyId, _given: str, reason: str
) -> None:
    await mishaps.end_report(
        tx, web.services.key_desk, key, "repaired", reason=reason, actor=caller.actor, at=web.now
    )


async def _replace(tx: Connection, web: Web, caller: Principal, key: KeyId, given: str, reason: str) -> None:
    other = await one_key(tx, given)
    await mishaps.replace(
        tx, web.services.key_desk, key, other.id, reason=reason, actor=caller.actor, at=web.now,
        guard=web.services.key_ends.require_free,
    )  # fmt: skip


async def _due(tx: Connection, web: Web, caller: Principal, key: KeyId, given: str, reason: str) -> None:
    at = read_local(given, web.services.settings.zone) if given else None
    if given and at is None:
        raise InvalidInput("due_at", "give the day and the time, or leave it empty")
    await due.move_due(tx, web.services.key_desk, key, at, reason=reason, actor=caller.actor, at=web.now)


_Act = Callable[[Connection, Web, Principal, KeyId, str, str], Awaitable[str | None]]
"""Does it; what it says afterwards where that is not the usual."""


async def _adopt(tx: Connection, web: Web, caller: Principal, key: KeyId, given: str, reason: str) -> None:  # noqa: ARG001
    found = await web.services.registry.get_key(tx, key)
    await adopt_one(tx, web.services.ledger, found, actor=caller.actor, at=web.now, reason=reason)


async def _hand_back(
    tx: Connection, web: Web, caller: Principal, key: KeyId, _given: str, reason: str
) -> None:
    found = await web.services.registry.get_key(tx, key)
    await end_for_good(tx, web.services, found, reason=reason, actor=caller.actor, at=web.now)


_ACTS: Final[dict[str, _Act]] = {
    "hand-back": _hand_back,
    "adopt": _adopt,
    "transfer": _transfer,
    "lost": _lost,
    "found": _found,
    "unblock": _unblock,
    "broken": _broken,
    "repaired": _repaired,
    "replace": _replace,
    "due": _due,
}

HANDLERS = tuple(made for word in CARES for made in (_ask_route(word), _do_route(word)))
