"""Ending and erasing people, and what a permit system's own words for states mean."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import Id, Name
from key2xs.api.revoking import by_of
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import PersonId
from key2xs.identity import Act
from key2xs.incidents.kill_types import Waiting
from key2xs.ledger import Entry, Lane, typed
from key2xs.work.service import set_native_state

Reason = Annotated[str, msgspec.Meta(min_length=5, max_length=500)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody is ended or erased."""

    reason: Reason


class ContractEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a contract ends (now, if left out), and why."""

    reason: Reason
    ends: datetime | None = None


class Ended(msgspec.Struct, frozen=True):
    """What was ended, and since when. Grants end as soon as they are decided again, at once as a rule.

    `state`: *ended*, or *waiting*: somebody at work is told of through the shift leader first, and it proceeds at
    `proceeds_at` at the latest, as the stop `stop`.
    """

    person: UUID
    ends: datetime
    state: str = "ended"
    stop: UUID | None = None
    proceeds_at: datetime | None = None


class NativeState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a permit system's own word for a state means here."""

    native: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    canonical: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    reason: Reason


class Mapped(msgspec.Struct, frozen=True):
    """The entry that says so."""

    entry: int


@post(
    "/api/v1/persons/{person:uuid}/end",
    permission=Permission.IDENTITY_PERSON_END,
    status_code=200,
    tags=["identity"],
    summary="End a person here and now, whatever the IAMs say",
)
async def end_person(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, person: Id, data: JSONBody[Why]
) -> Response[Ended]:
    """End all a person may do. Being active in an IAM again does not undo it.

    202 where the person is at work: the shift leader is told first.
    """
    at, person_id = web.now, PersonId(person)

    async def work(tx: Connection) -> Ended:
        await web.identity.person_facts(tx, person_id, at)
        await _say_why(tx, web, caller, person_id, "end", data.reason, at)
        waiting = await web.services.kills.end_person(
            tx, person_id, "person", reason=data.reason, by=by_of(caller), at=at
        )
        return _ended(person_id, at, waiting)

    return await perform(web, request, caller, work, status=_status)


@post(
    "/api/v1/persons/{person:uuid}/end-contract",
    permission=Permission.IDENTITY_CONTRACT_END,
    status_code=200,
    tags=["identity"],
    summary="End a person's contract, now or at an instant",
)
async def end_contract(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, person: Id, data: JSONBody[ContractEnd]
) -> Response[Ended]:
    """End a contract; no IAM can make it longer again.

    202 where it ends now and the person is at work: the shift leader is told first.
    """
    at, person_id, ends = web.now, PersonId(person), web.instant(data.ends, "ends")

    async def work(tx: Connection) -> Ended:
        await web.identity.person_facts(tx, person_id, at)
        await _say_why(tx, web, caller, person_id, "end_contract", data.reason, at)
        waiting = await web.services.kills.end_person(
            tx, person_id, "contract", reason=data.reason, by=by_of(caller), at=at, contract_ends_at=ends
        )
        return _ended(person_id, ends, waiting)

    return await perform(web, request, caller, work, status=_status)


@post(
    "/api/v1/persons/{person:uuid}/erase",
    permission=Permission.IDENTITY_PERSON_ERASE,
    status_code=200,
    tags=["privacy"],
    summary="Erase a person's data for good; takes a second person",
)
async def erase_person(web: WebPart, caller: CallerPart, person: Id, data: JSONBody[Why]) -> Ended:
    """Destroy the key of everything personal. Refused while the person holds a key, is active, or is under a hold."""
    at, person_id = web.now, PersonId(person)

    async def look(tx: Connection) -> None:
        facts = await web.identity.person_facts(tx, person_id, at)
        if facts.active == "yes":
            raise Conflict("this person is active; end them first")
        if await web.services.custody.keys_of(tx, person_id, at):
            raise Conflict("this person has a key; take it back first")
        everybody, held = await web.access.holds.running(tx, at)
        if everybody or person_id in held:
            raise Conflict("a legal hold keeps this person's data")
        await _say_why(tx, web, caller, person_id, "ask_erasure", data.reason, at)

    await web.services.database.transact(look)
    await web.identity.erase_person(web.services.database, Act(caller.actor, at), person_id)
    return Ended(person_id, at)


@post(
    "/api/v1/permit-sources/{source:str}/states",
    permission=Permission.WORK_STATE_MAP,
    status_code=200,
    tags=["work"],
    summary="Say what a permit system's own word for a state means",
)
async def map_state(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    source: Name,
    data: JSONBody[NativeState],
) -> Response[Mapped]:
    """Counts for messages that come from now on."""
    if source not in {each.name for each in web.services.settings.permits}:
        raise NotFound(f"there is no permit system {source}")

    async def work(tx: Connection) -> Mapped:
        why = Entry(
            kind="work:source:explain",
            occurred_at=web.now,
            recorded_at=web.now,
            actor=caller.actor,
            subjects=(f"work_source:{source}",),
            body={"native": data.native, "reason": typed(caller.actor, data.reason.strip())},
        )
        await web.services.ledger.record(tx, why)
        return Mapped(
            await set_native_state(
                tx,
                web.services.desk,
                source,
                native=data.native,
                canonical=data.canonical,
                actor=caller.actor,
                at=web.now,
            )
        )

    return await perform(web, request, caller, work)


def _ended(person_id: PersonId, ends: datetime, waiting: Waiting | None) -> Ended:
    if waiting is None:
        return Ended(person_id, ends)
    return Ended(person_id, max(ends, waiting.proceeds_at), "waiting", waiting.id, waiting.proceeds_at)


def _status(done: Ended) -> int:
    return 200 if done.state == "ended" else 202


async def _say_why(
    tx: Connection, web: WebPart, caller: CallerPart, person_id: PersonId, act: str, reason: str, at: datetime
) -> None:
    """Put the reason on the log, sealed, before the act itself."""
    await web.services.ledger.record(
        tx,
        Entry(
            kind=f"identity:person:{act}_why",
            occurred_at=at,
            recorded_at=at,
            actor=caller.actor,
            subjects=(f"person:{person_id}",),
            body={"reason": typed(caller.actor, reason.strip())},
            lane=Lane.CONTROL,
        ),
    )


HANDLERS = (end_person, end_contract, erase_person, map_state)
