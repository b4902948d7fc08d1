"""Area stops: everything in an area ends at once, and has to be issued anew.

A stop is never refused for its form: who it is about is all it needs. Whom it spares (operations, isolators, emergency)
is for the grants to say; here the permits of the area end.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.ids import PermitId, new_id
from key2xs.ledger import Entry, Lane
from key2xs.plant import find_area, normalise

from .desk import SQL, Desk
from .messages import Message, find_twin, keep
from .payload import AREA_STOP_DATA, BadPayload, Envelope, Problem
from .permits import (
    PermitRow,
    area_stops,
    boundaries_of,
    newest_document,
    permits_of_area,
    told_events_of_many,
    write_boundaries,
    write_timeline,
)
from .timeline import Stop, Timeline, fold
from .types import Outcome

_STOPPED = declare("work.stop.after_cancel")
_SUBJECT: Final = "area:"


def area_lock(area: str) -> str:
    """Return the head that a stop locks, and that permits of the area share while they change."""
    return f"work_area:{'_'.join(normalise(area).split())}"


async def receive_stop(tx: Connection, desk: Desk, message: Message, event: Envelope) -> Outcome:
    """Cancel the permits of an area: one entry for the stop and one for each permit, in one transaction.

    Raises:
        BadPayload: the subject names no area.
    """
    scope, reason = _said(event)
    areas = _areas(event, scope)
    await desk.ledger.lock_heads(tx, [area_lock(area) for area in areas])
    if twin := await find_twin(tx, message, event.id):
        return twin
    # A sender whose clock runs ahead still means now.
    at = min(event.time, message.received_at)
    stopped: list[PermitId] = []
    numbers: list[int] = []
    for area in areas:
        entry, ended = await _stop_area(tx, desk, message, event, area=area, at=at, reason=reason)
        stopped += ended
        numbers.append(entry)
    await keep(tx, message, "accepted", entry=numbers[0], event=event)
    _STOPPED.reach()
    return Outcome("accepted", entry=numbers[0], stopped=tuple(stopped))


async def _stop_area(
    tx: Connection,
    desk: Desk,
    message: Message,
    event: Envelope,
    *,
    area: str,
    at: datetime,
    reason: str | None,
) -> tuple[int, list[PermitId]]:
    stop_id, known = new_id(), await find_area(tx, area)
    stops = await area_stops(tx, area)
    permits = await permits_of_area(tx, area)
    events = await told_events_of_many(tx, [permit.id for permit in permits])
    ended: list[tuple[PermitRow, Timeline]] = []
    for permit in permits:
        told = events.get(permit.id, [])
        after = fold(told, [*stops, Stop(str(stop_id), at)])
        if after != fold(told, stops):
            ended.append((permit, after))
    name = f"area:{known.id}" if known else area_lock(area)
    common = {"area": area, "event": event.id, "reason": reason, "stop": str(stop_id)}
    parent = Entry(
        kind="work:area:stop",
        occurred_at=at,
        recorded_at=message.received_at,
        actor=f"system:ptw/{message.source}",
        subjects=(name,),
        body={**common, "permits": len(ended)},
        lane=Lane.CONTROL,
    )
    children = [
        Entry(
            kind="work:permit:cancel",
            occurred_at=at,
            recorded_at=message.received_at,
            actor=f"system:ptw/{message.source}",
            subjects=(f"permit:{permit.id}", name),
            heads=(f"permit:{permit.id}",),
            body={**common, "number": permit.number, "state": "cancelled", "cause": "area_stop"},
            lane=Lane.CONTROL,
        )
        for permit, _ in ended
    ]
    first, *numbers = await desk.ledger.record_many(tx, [parent, *children])
    await tx.execute(SQL["add_area_stop"], stop_id, message.source, area, normalise(area), at, reason, first)
    for number, (permit, timeline) in zip(numbers, ended, strict=True):
        findings = [msgspec.to_builtins(finding) for finding in timeline.findings]
        await tx.execute(SQL["note_permit"], permit.id, bool(timeline.gaps), findings, number)
        await write_timeline(tx, permit.id, timeline, number)
        wanted = boundaries_of(timeline, await newest_document(tx, permit.id))
        await write_boundaries(tx, permit.id, wanted, now=message.received_at, entry=number)
    return first, [permit.id for permit, _ in ended]


def _said(event: Envelope) -> tuple[Any, str | None]:
    try:
        data = AREA_STOP_DATA.read(event.data, record=event.id)
    except BadPayload:
        return None, None
    reason = data.reason.get("code") if isinstance(data.reason, dict) else data.reason
    # Only a short code is kept: free text may name people.
    usable = isinstance(reason, str) and len(reason) <= 40 and reason.replace("_", "").isalnum()
    return data.scope, reason if usable else None


def _areas(event: Envelope, scope: Any) -> list[str]:
    """Return the area of the subject, and the one of the scope where it is another: both stop."""
    named = []
    if (event.subject or "").startswith(_SUBJECT):
        named.append((event.subject or "").removeprefix(_SUBJECT).strip())
    if isinstance(scope, dict) and isinstance(scope.get("area"), str):
        named.append(scope["area"].strip())
    by_form = {normalise(area): area for area in reversed(named) if area.isprintable() and normalise(area)}
    if not by_form:
        raise BadPayload(Problem("subject", "must be area:<id>"), record=event.id)
    return [by_form[form] for form in sorted(by_form)]
