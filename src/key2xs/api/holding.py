"""Legal holds from a page: the same request as over the API, so that a second person's word counts for either."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.access import Permission, Principal, Proposal
from key2xs.access.holds import check_hold, check_reason
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import PersonId

from .auth import require
from .clearing import Said, clear_said
from .routes.privacy import NewHold, put_hold
from .web import Web

_HOLDS: Final = "/api/v1/holds"
_PATH: Final = re.compile(rf"{_HOLDS}(?:/[0-9a-f-]{{36}}/end)?")
_NEEDED: Final = Permission.IDENTITY_HOLD_CHANGE


@dataclass(frozen=True, slots=True)
class ReadyHold:
    """What a second person confirmed about a hold and was not done yet. `ends`: the hold that is to end."""

    proposal: UUID
    person_id: PersonId | None
    until: datetime | None
    ends: UUID | None
    reason: str


async def ask_hold(
    web: Web, caller: Principal, *, person_id: PersonId | None, until: datetime, reason: str
) -> None:
    """Make a hold, once a second person has confirmed it.

    Raises:
        NotAllowed: not for this account.
        InvalidInput: no reason, or an end that cannot be.
        SecondPersonNeeded: it waits for a second person now.
    """
    why = check_hold(reason, until, web.now)
    person = {"person": str(person_id)} if person_id else {}
    fields = {"reason": why, "until": until.isoformat(), **person}
    await _do(web, caller, Said("POST", _HOLDS, fields, ""))


async def ask_end(web: Web, caller: Principal, hold: UUID, *, reason: str) -> None:
    """End a hold, once a second person has confirmed it.

    Raises:
        NotFound: there is none.
        Conflict: it is over already.
        NotAllowed: not for this account.
        SecondPersonNeeded: it waits for a second person now.
    """
    await _do(web, caller, Said("POST", f"{_HOLDS}/{hold}/end", {"reason": check_reason(reason)}, ""))


async def ready_holds(tx: Connection, web: Web, caller: Principal) -> list[ReadyHold]:
    """Return what a second person confirmed for somebody about holds, and that waits to be done."""
    found = await web.access.proposals.list(tx, web.now)
    ready = [each for each in found if _is_ready(each, caller, web.now)]
    # What was asked for over the API in other words than a page's is sent again there.
    return [_ready(each) for each in ready if _said_in(each).digest == each.payload["digest"]]


async def finish_hold(web: Web, caller: Principal, proposal: UUID) -> None:
    """Do what a second person confirmed.

    Raises:
        NotFound: no such proposal.
        Conflict: it is not confirmed, too old, or was asked for in other words than this page's.
    """
    async with web.services.database.read() as tx:
        found = await web.access.proposals.get(tx, proposal, web.now)
    if not _is_ready(found, caller, web.now):
        raise Conflict("nobody has confirmed this for you, or it was too long ago; ask again")
    said = _said_in(found)
    if said.digest != found.payload["digest"]:
        raise Conflict("this was asked for over the API; send the same request there again")
    await _do(web, caller, said)


async def _do(web: Web, caller: Principal, said: Said) -> None:
    cleared = await clear_said(web, caller, (_NEEDED,), said)
    require(cleared, _NEEDED)
    fields = said.fields

    async def work(tx: Connection) -> None:
        if said.path == _HOLDS:
            person = UUID(fields["person"]) if "person" in fields else None
            until = datetime.fromisoformat(fields["until"])
            await put_hold(tx, web, cleared, NewHold(fields["reason"], until, person))
        else:
            hold = _ends(said.path)
            await web.access.holds.end(tx, cleared, hold, reason=fields["reason"], at=web.now)

    await web.services.database.transact(work)


def _said_in(found: Proposal) -> Said:
    """Return what was asked for, as a page asks."""
    return Said("POST", found.payload["path"], {"reason": found.reason, **found.payload["shown"]}, "")


def _is_ready(found: Proposal, caller: Principal, at: datetime) -> bool:
    return (
        found.kind == "act"
        and found.payload["permission"] == _NEEDED
        and _PATH.fullmatch(found.payload["path"]) is not None
        and found.proposed_by == caller.user_id
        and found.state == "confirmed"
        and found.used_at is None
        and found.expires_at > at
    )


def _ready(found: Proposal) -> ReadyHold:
    shown: dict[str, Any] = found.payload["shown"]
    path = found.payload["path"]
    ends = None if path == _HOLDS else _ends(path)
    person = PersonId(UUID(shown["person"])) if "person" in shown else None
    until = datetime.fromisoformat(shown["until"]) if "until" in shown else None
    return ReadyHold(found.id, person, until, ends, found.reason)


def _ends(path: str) -> UUID:
    """Return which hold a path ends."""
    return UUID(path.split("/")[-2])
