"""What does not fit together, and how a person settles it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.ledger import Entry

from .evidence import DISPUTES, Handling
from .parts import SQL, KeyDesk

MOST: int = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """Something for a person to look at. `person_id` is whom the newer word names, `holder_id` who had the key."""

    id: UUID
    kind: str
    key_id: KeyId | None
    stamp: str | None
    cabinet: str | None
    at: datetime
    told_at: datetime
    person_id: PersonId | None
    holder_id: PersonId | None
    settled_at: datetime | None

    @property
    def is_dispute(self) -> bool:
        """Tell whether two people may have the key."""
        return self.kind in DISPUTES


async def open_findings(tx: Connection, *, limit: int = MOST) -> list[Finding]:
    """Return what a person should look at, the newest first."""
    return [_finding(row) for row in await tx.fetch(SQL["open_findings"], limit)]


async def settle(
    tx: Connection,
    desk: KeyDesk,
    finding_id: UUID,
    *,
    reason: str,
    actor: str,
    at: datetime,
    holder: PersonId | None = None,
) -> Finding:
    """Settle a finding; where two people may have the key, say who has it.

    If it is the one whom the newer word names, that one has had the key since then: who had it before is corrected, and
    openings in between are classed again.

    Raises:
        NotFound: there is no such finding.
        Conflict: it is settled already.
        InvalidInput: two people may have the key, and neither is named.
    """
    row = await tx.fetchrow(SQL["find_finding"], finding_id)
    if row is None:
        message = f"there is no finding {finding_id}"
        raise NotFound(message)
    found = _finding(row)
    if found.key_id is not None:
        await desk.ledger.lock_heads(tx, [f"key:{found.key_id}"])
        found = _finding(await tx.fetchrow(SQL["find_finding"], finding_id))
    if found.settled_at is not None:
        message = "somebody settled this already"
        raise Conflict(message)
    if found.is_dispute and holder not in {found.person_id, found.holder_id}:
        raise InvalidInput("holder", "say who of the two has the key")
    entry = await _record(tx, desk, found, holder, reason=reason, actor=actor, at=at)
    how = (
        "newer" if found.is_dispute and holder == found.person_id else "older" if found.is_dispute else "seen"
    )
    await tx.execute(SQL["settle_finding"], found.id, at, actor, how, entry)
    if found.key_id is not None:
        await desk.kill.narrow_key(tx, found.key_id, at)
    return _finding(await tx.fetchrow(SQL["find_finding"], finding_id))


async def _record(
    tx: Connection,
    desk: KeyDesk,
    found: Finding,
    holder: PersonId | None,
    *,
    reason: str,
    actor: str,
    at: datetime,
) -> int:
    if found.key_id is None:
        return await desk.ledger.record(
            tx,
            Entry(
                kind="keys:finding:settle",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"finding:{found.id}",),
                body={"finding": found.kind, "reason": reason},
            ),
        )
    key = await desk.registry.get_key(tx, found.key_id)
    said: dict[str, Any] = {"finding": found.kind, "reason": reason}
    handling = _corrected(found, holder, at)
    if handling is None:
        return await desk.custody.tell(tx, "keys:custody:settle", key, actor=actor, at=at, **said)
    return await desk.custody.told(tx, "keys:custody:settle", key, handling, actor=actor, at=at, **said)


def _corrected(found: Finding, holder: PersonId | None, at: datetime) -> Handling | None:
    """Return the desk's word about who has the key, where that is not what stands in the register."""
    if found.kind == "taken_while_out" and holder == found.person_id:
        # Given now about then: it goes to its place in the order, and what followed follows from it.
        return Handling(new_id(), found.at, "desk", "out", holder, found.holder_id)
    if found.kind == "handed_out_while_out" and holder == found.holder_id:
        return Handling(new_id(), at, "desk", "out", holder, found.person_id)
    return None


def _finding(row: Any) -> Finding:
    return Finding(
        id=row["id"],
        kind=row["kind"],
        key_id=row["key_id"],
        stamp=row["key_stamp"] or row["stamp"],
        cabinet=row["cabinet"],
        at=row["at"],
        told_at=row["told_at"],
        person_id=row["person_id"],
        holder_id=row["holder_id"],
        settled_at=row["settled_at"],
    )
