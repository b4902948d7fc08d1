"""Messages that are wrong: kept with their problems, and the permit they are about is held.

A wrong message may have been the one that takes keys away. So a permit we know becomes *unknown* (or what the message's
type says, where that narrows) until a right message with a higher sequence comes, and is marked to be fetched.
"""

from collections.abc import Sequence

import msgspec

from key2xs.core.database import Connection
from key2xs.ledger import Entry, Lane

from .desk import SQL, Desk
from .messages import Message, keep
from .payload import BadPayload, Envelope, Problem, sequence_of
from .permits import (
    PermitRow,
    area_stops,
    boundaries_of,
    find_permit_row,
    newest_document,
    told_events,
    write_boundaries,
    write_timeline,
)
from .states import NARROWING, TYPE_STATES
from .stops import area_lock
from .timeline import Told, fold
from .types import Outcome


async def refuse(
    tx: Connection, desk: Desk, message: Message, event: Envelope | None, problems: Sequence[Problem]
) -> Outcome:
    """Keep a wrong message and hold the permit it is about."""
    permit = await _permit_of(tx, message, event)
    if permit is None or event is None:
        number = await desk.ledger.record(tx, _entry(message, event, problems, None))
        await keep(tx, message, "refused", entry=number, event=event, problems=problems)
        return Outcome("refused", tuple(problems), entry=number)
    await desk.ledger.share_heads(tx, [area_lock(permit.area)])
    await desk.ledger.lock_heads(tx, [f"permit:{permit.id}"])
    told = _unreadable(message, event, permit)
    earlier = await told_events(tx, permit.id)
    timeline = fold([*earlier, told] if told else earlier, await area_stops(tx, permit.area))
    number = await desk.ledger.record(tx, _entry(message, event, problems, permit))
    await keep(
        tx, message, "refused", entry=number, event=event, permit_id=permit.id, problems=problems, told=told
    )
    await tx.execute(
        SQL["note_permit"],
        permit.id,
        True,
        [msgspec.to_builtins(finding) for finding in timeline.findings],
        number,
    )
    await write_timeline(tx, permit.id, timeline, number)
    wanted = boundaries_of(timeline, await newest_document(tx, permit.id))
    await write_boundaries(tx, permit.id, wanted, now=message.received_at, entry=number)
    return Outcome("refused", tuple(problems), permit.id, number)


async def _permit_of(tx: Connection, message: Message, event: Envelope | None) -> PermitRow | None:
    if event is None or event.subject is None:
        return None
    return await find_permit_row(tx, message.source, event.subject)


def _unreadable(message: Message, event: Envelope, permit: PermitRow) -> Told | None:
    """Return what even a wrong message says about the order of events; None when its place is not known."""
    try:
        sequence = sequence_of(event)
    except BadPayload:
        sequence = permit.sequence + 1
    said = TYPE_STATES.get(event.verb)
    at = min(event.time, message.received_at)  # a message from the future counts from now on
    return Told(
        sequence=sequence,
        event_id=event.id,
        verb=event.verb,
        told_at=at,
        state=said if said in NARROWING else "unknown",
        valid_from=at,
        valid_to=at,
        revision=permit.revision,
        content=message.digest.hex(),
        readable=False,
    )


def _entry(
    message: Message, event: Envelope | None, problems: Sequence[Problem], permit: PermitRow | None
) -> Entry:
    permits = (f"permit:{permit.id}",) if permit else ()
    return Entry(
        kind="work:event:refuse",
        occurred_at=message.received_at,
        recorded_at=message.received_at,
        actor=f"system:ptw/{message.source}",
        subjects=(f"work_source:{message.source}", *permits),
        heads=permits,
        body={
            "event": event.id if event else None,
            "type": event.type if event else None,
            "problems": [f"{problem.field}: {problem.problem}" for problem in problems],
        },
        # Holding a permit narrows; a message about nothing we know can wait.
        lane=Lane.CONTROL if permit else Lane.BULK,
    )
