"""Taking in what permit systems say.

One message is one transaction with one entry: the message, the permit's states, its crew and its boundaries change
together or not at all. Order of locks: the subject's advisory lock, the area (shared; a stop takes it alone), the
permit's head, the parties of the source, the feed.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from key2xs.core.clock import require_utc
from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PermitId, new_id
from key2xs.ledger import Entry, Lane
from key2xs.plant import cylinders_of_assets, find_area, normalise

from .checks import PERMIT_TYPES, check_envelope, check_permit, check_storable
from .desk import SQL, Desk, native_states
from .document import references_of, tell, to_document
from .feed import hear
from .messages import Message, find_twin, keep, take
from .paper_form import PAPER
from .parties import Roll, call_roll, store_parties
from .payload import (
    AREA_STOP,
    ENVELOPE,
    HEARTBEAT,
    HEARTBEAT_DATA,
    PERMIT_DATA,
    BadPayload,
    Envelope,
    PermitData,
    Problem,
)
from .permits import (
    PermitRow,
    area_stops,
    boundaries_of,
    find_permit_row,
    newest_document,
    told_events,
    write_boundaries,
    write_crew,
    write_timeline,
)
from .refusals import refuse
from .states import NARROWING, State, is_state, native_key
from .stops import area_lock, receive_stop
from .timeline import Finding, Stretch, Timeline, Told, fold
from .types import Outcome, OutcomeKind

_STORED = declare("work.receive.after_store")

_VERBS: Final[Mapping[str, str]] = {
    "live": "issue",
    "suspended": "suspend",
    "cancelled": "cancel",
    "rejected": "cancel",
    "expired": "expire",
    "closed": "close",
    "handed_back": "hand_back",
    "unknown": "hold",
}
"""How the log calls the move into a state; every other move is a `change`."""


async def receive_event(
    tx: Connection,
    desk: Desk,
    source: str,
    event: bytes | Mapping[str, Any],
    received_at: datetime,
    *,
    webhook_id: str | None = None,
) -> Outcome:
    """Take in one `key2xs.ptw.v1` event whose sender has been verified, and say what became of it.

    Never raises over what the event says: a message that is wrong is *refused* with its problems, and where it is about
    a permit we know, that permit is held until a right one comes.
    """
    body = bytes(event) if isinstance(event, bytes | bytearray) else msgspec.json.encode(event)
    message = take(desk, source, body, received_at=require_utc(received_at), webhook_id=webhook_id)
    try:
        envelope = ENVELOPE.read(body)
        if problems := tuple(check_storable(envelope)):
            raise BadPayload(*problems)  # noqa: TRY301 - one way out
    except BadPayload as error:
        outcome = await find_twin(tx, message, "") or await refuse(tx, desk, message, None, error.problems)
    else:
        outcome = await _receive(tx, desk, message, envelope)
    if outcome.kind != "heard":
        await hear(tx, desk, source, at=message.received_at)
    _STORED.reach()
    return outcome


async def receive_own(
    tx: Connection, desk: Desk, event: Envelope, data: PermitData, at: datetime
) -> PermitId:
    """Take in the full state of a permit on paper, which our own room has checked. Paper is no feed: nothing is heard.

    Raises:
        InvalidInput: it contradicts itself; names the field.
    """
    message = take(desk, PAPER, msgspec.json.encode(event), received_at=require_utc(at))
    try:
        check_permit(event, data)
    except BadPayload as error:
        raise InvalidInput(
            error.problems[0].field, error.problems[0].problem, record=event.subject
        ) from error
    outcome = await _receive_permit(tx, desk, message, event, data)
    if outcome.permit_id is None:
        raise InvalidInput("number", "could not be taken in", record=event.subject)
    return outcome.permit_id


async def set_native_state(
    tx: Connection, desk: Desk, source: str, *, native: str, canonical: str, actor: str, at: datetime
) -> int:
    """Say what a source's own name of a state means; counts for events that come from now on.

    Raises:
        InvalidInput: not a canonical state, or no name.
    """
    if not is_state(canonical):
        raise InvalidInput("canonical", "is not a canonical state")
    if not native_key(native):
        raise InvalidInput("native", "is empty")
    entry = Entry(
        kind="work:source:map_state",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(f"work_source:{source}",),
        body={"native": native_key(native), "canonical": canonical},
    )
    number = await desk.ledger.record(tx, entry)
    await tx.execute(SQL["put_native_state"], source, native_key(native), canonical, number)
    return number


async def _receive(tx: Connection, desk: Desk, message: Message, event: Envelope) -> Outcome:
    if event.type == HEARTBEAT:
        return await _receive_heartbeat(tx, desk, message, event)
    await tx.execute(SQL["serialise_subject"], f"work/{message.source}/{event.subject}")
    try:
        if event.type == AREA_STOP:
            return await receive_stop(tx, desk, message, event)
        if not event.is_permit:
            raise BadPayload(Problem("type", "is not known"), record=event.id)  # noqa: TRY301 - one way out
        check_envelope(event, received_at=message.received_at)
        data = PERMIT_DATA.read(event.data, record=event.id)
        check_permit(event, data)
        return await _receive_permit(tx, desk, message, event, data)
    except BadPayload as error:
        twin = await find_twin(tx, message, event.id)
        if twin and twin.entry is not None:
            return twin
        return await refuse(tx, desk, message, event, error.problems)


async def _receive_heartbeat(tx: Connection, desk: Desk, message: Message, event: Envelope) -> Outcome:
    try:
        check_envelope(event, received_at=message.received_at)
        data = HEARTBEAT_DATA.read(event.data, record=event.id)
    except BadPayload as error:
        # A sign of life that cannot be read is none: the source goes silent if this lasts.
        return Outcome("refused", error.problems)
    await hear(tx, desk, message.source, at=message.received_at, heartbeat_at=event.time, data=data)
    return Outcome("heard")


async def _receive_permit(
    tx: Connection, desk: Desk, message: Message, event: Envelope, data: PermitData
) -> Outcome:
    before = await find_permit_row(tx, message.source, data.permit.id)
    areas = {data.scope.area, before.area if before else data.scope.area}
    await desk.ledger.share_heads(tx, [area_lock(area) for area in areas])
    permit_id = before.id if before else PermitId(new_id())
    await desk.ledger.lock_heads(tx, [f"permit:{permit_id}"])
    if twin := await find_twin(tx, message, event.id):
        seen_before = twin.entry is not None
        return twin if seen_before else await refuse(tx, desk, message, event, twin.problems)
    roll = await call_roll(tx, desk, message.source, references_of(data))
    document = to_document(data, roll.id_of)
    told = tell(event, data, document, await native_states(tx, message.source))
    told = replace(told, findings=(*told.findings, *await _plant_findings(tx, data)))
    earlier = await told_events(tx, permit_id)
    newest = not any(_is_newer(other, told) for other in earlier)
    area = data.scope.area if newest or before is None else before.area
    stops = await area_stops(tx, area)
    old, new = fold(earlier, stops), fold([*earlier, told], stops)
    return await _store(
        tx, desk, message, event, data,
        permit_id=permit_id, before=before, roll=roll, document=document, told=told, old=old, new=new, newest=newest,
    )  # fmt: skip


def _is_newer(one: Told, other: Told) -> bool:
    """Tell which full state counts as the newest; of two with one sequence the id decides, whichever came first."""
    if not one.readable or one.sequence < other.sequence:
        return False
    return one.sequence > other.sequence or one.event_id < other.event_id


async def _store(
    tx: Connection,
    desk: Desk,
    message: Message,
    event: Envelope,
    data: PermitData,
    *,
    permit_id: PermitId,
    before: PermitRow | None,
    roll: Roll,
    document: dict[str, Any],
    told: Told,
    old: Timeline,
    new: Timeline,
    newest: bool,
) -> Outcome:
    was, now = old.at(message.received_at), new.at(message.received_at) or new.stretches[0]
    kind: OutcomeKind = "accepted" if newest else "stale"
    if newest and now.state == "unknown":
        kind = "parked"
    findings = tuple(finding for finding in new.findings if finding.sequence == told.sequence)
    changed = newest or new != old
    entry = Entry(
        kind=f"work:permit:{_verb(told, was, now)}" if changed else "work:event:stale",
        occurred_at=told.told_at,
        recorded_at=message.received_at,
        actor=f"system:ptw/{message.source}",
        subjects=(f"permit:{permit_id}", *_people_touched(roll)),
        heads=(f"permit:{permit_id}",) if changed else (),
        body=_body(event, data, told, was, now, roll, findings, kind),
        lane=_lane(told, was, now),
    )
    number = await desk.ledger.record(tx, entry)
    await store_parties(tx, desk, message.source, roll.new, number)
    problems = tuple(Problem(finding.code, finding.text) for finding in findings)
    if newest or before is None:
        await _put_permit(tx, message.source, permit_id, data, told, new, number)
    elif changed:
        await tx.execute(
            SQL["note_permit"],
            permit_id,
            bool(new.gaps),
            [msgspec.to_builtins(f) for f in new.findings],
            number,
        )
    await keep(
        tx, message, kind, entry=number, event=event, permit_id=permit_id, problems=problems, document=document,
        told=told,
    )  # fmt: skip
    if changed:
        await write_timeline(tx, permit_id, new, number)
        wanted = boundaries_of(new, document if newest else await newest_document(tx, permit_id))
        await write_boundaries(tx, permit_id, wanted, now=message.received_at, entry=number)
    if newest:
        await write_crew(tx, permit_id, document["people"], number)
    return Outcome(kind, problems, permit_id, number)


async def _put_permit(
    tx: Connection,
    source: str,
    permit_id: PermitId,
    data: PermitData,
    told: Told,
    timeline: Timeline,
    entry: int,
) -> None:
    permit, scope = data.permit, data.scope
    kind = permit.type if permit.type in PERMIT_TYPES else "unknown"
    await tx.execute(
        SQL["put_permit"], permit_id, source, permit.id, permit.number, kind, scope.area, normalise(scope.area),
        scope.unit, permit.parent, told.sequence, permit.revision, bool(timeline.gaps),
        [msgspec.to_builtins(finding) for finding in timeline.findings], entry,
    )  # fmt: skip


async def _plant_findings(tx: Connection, data: PermitData) -> list[str]:
    """Name what the plant does not know. The permit is taken all the same; what is unmapped opens nothing."""
    found = []
    if data.permit.type not in PERMIT_TYPES:
        found.append(f"permit type {data.permit.type!r} is not known")
    if await find_area(tx, data.scope.area) is None:
        found.append(f"area {data.scope.area!r} is not in the plant model")
    mapping = await cylinders_of_assets(tx, [(asset.scheme, asset.id) for asset in data.scope.assets])
    found.extend(f"asset {each.scheme} {each.code}: {each.reason}" for each in mapping.unmapped)
    return found


def _verb(told: Told, was: Stretch | None, now: Stretch) -> str:
    if was and was.state == now.state:
        return "revalidate" if told.verb == "revalidated" and now.state == "live" else "change"
    if now.state == "live" and told.verb == "revalidated":
        return "revalidate"
    return _VERBS.get(now.state, "change")


def _lane(told: Told, was: Stretch | None, now: Stretch) -> Lane:
    """Whatever takes keys away goes first; so does a message of that kind that changes nothing any more."""
    lost: State = was.state if was else "draft"
    takes_away = now.state in NARROWING | {"unknown"} and lost != now.state
    return Lane.CONTROL if takes_away or told.suspends or told.state in NARROWING else Lane.BULK


def _people_touched(roll: Roll) -> tuple[str, ...]:
    people = {party.person_id for party in roll.parties.values() if party.person_id}
    return tuple(sorted(f"person:{person_id}" for person_id in people))


def _body(
    event: Envelope,
    data: PermitData,
    told: Told,
    was: Stretch | None,
    now: Stretch,
    roll: Roll,
    findings: tuple[Finding, ...],
    outcome: str,
) -> dict[str, Any]:
    return {
        "event": event.id,
        "type": event.type,
        "outcome": outcome,
        "sequence": told.sequence,
        "revision": told.revision,
        "number": data.permit.number,
        "area": data.scope.area,
        "before": was.state if was else None,
        "state": now.state,
        "cause": now.cause,
        "valid_from": now.valid_from.isoformat(),
        "valid_to": now.valid_to.isoformat(),
        "reason": data.reason.code if data.reason else None,
        "on_site": sum(1 for member in data.people if member.signed_on and not member.signed_off),
        "unresolved": roll.unresolved,
        "findings": [f"{finding.code}: {finding.text}" for finding in findings],
    }
