"""Messages as they are kept: one row each, without personal data, found again when they come twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId, new_id

from .desk import SQL, Desk
from .payload import Envelope, Problem
from .timeline import Told
from .types import Outcome, OutcomeKind

LONGEST_TEXT = 200  # characters of a type or id that we keep of a message we could not read


@dataclass(frozen=True, slots=True)
class Message:
    """One message that carried a right signature, or came from a caller who may speak for the source."""

    source: str
    webhook_id: str | None
    body: bytes
    digest: bytes
    received_at: datetime


def take(
    desk: Desk, source: str, body: bytes, *, received_at: datetime, webhook_id: str | None = None
) -> Message:
    """Wrap a body. Its digest does not depend on blanks or the order of fields, and is keyed."""
    try:
        same = msgspec.json.encode(msgspec.json.decode(body), order="sorted")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        same = body
    digest = desk.vault.blind("work/message", sha256(same).hexdigest())
    return Message(source, webhook_id, body, digest, received_at)


async def find_twin(tx: Connection, message: Message, event_id: str) -> Outcome | None:
    """Return what became of the same message when it came before.

    An id that comes again with other content gives a problem: neither of the two can be trusted to be the one meant.
    A message that was refused may come again mended, under its old id.
    """
    rows = await tx.fetch(SQL["find_event"], message.source, event_id, message.webhook_id)
    for row in rows:
        if row["digest"] == message.digest:
            if row["outcome"] == "refused":
                return _refused_again(row)
            return Outcome("duplicate", permit_id=row["permit_id"], entry=row["entry"])
    if any(row["outcome"] != "refused" for row in rows):
        return Outcome("refused", (Problem("id", "was used before, for another message"),))
    return None


def _refused_again(row: Any) -> Outcome:
    problems = msgspec.convert(row["problems"], tuple[Problem, ...])
    return Outcome("refused", problems, permit_id=row["permit_id"], entry=row["entry"])


async def keep(
    tx: Connection,
    message: Message,
    outcome: OutcomeKind,
    *,
    entry: int,
    event: Envelope | None = None,
    permit_id: PermitId | None = None,
    problems: Sequence[Problem] = (),
    document: dict[str, Any] | None = None,
    told: Told | None = None,
) -> None:
    """Keep a message under its entry. What could not be read leaves nothing but its problems."""
    await tx.execute(
        SQL["add_event"],
        new_id(),
        message.source,
        event.id if event else (message.webhook_id or "")[:LONGEST_TEXT],
        message.webhook_id,
        event.type if event else "",
        permit_id,
        told.sequence if told else None,
        event.time if event else None,
        message.received_at,
        outcome,
        [msgspec.to_builtins(problem) for problem in problems],
        document,
        msgspec.to_builtins(told) if told else None,
        message.digest,
        entry,
    )
