"""From hand to hand: one key, or all keys of an outgoing team at the change of shifts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeyId, PersonId, UnitId
from key2xs.identity import people_on_duty
from key2xs.keys.port import KeyKind
from key2xs.keys.types import StoredKey

from .due import usual_due
from .handing import require_person
from .parts import Guard, KeyDesk

OVERLAP: Final = timedelta(hours=1)
"""Teams overlap and run late: who came on duty in the last hour, or comes in the next, is the next team."""
MOST_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One key and who gets it; `why_not` where nobody does."""

    key_id: KeyId
    stamp: str
    giver: PersonId | None
    receiver: PersonId | None
    role: str = ""
    why_not: str = ""


async def transfer(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    receiver: PersonId,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    guard: Guard | None = None,
) -> PersonId:
    """Pass a key from whoever has it to somebody else; returns who had it.

    What it opens afterwards is decided anew, from what the receiver may.

    Raises:
        NotFound: there is no such key or person.
        Conflict: nobody has the key, it is not fit for use, a safety rule keeps it, or the receiver is nobody to hand a
            key to.
    """
    key = await desk.registry.get_key(tx, key_id)
    if key.kind is KeyKind.PHONE:
        message = (
            f"key {key.stamp} is a phone, which stays with its owner; take it back and hand out another key"
        )
        raise Conflict(message)
    await require_person(tx, desk, receiver, key.stamp, at)
    if guard is not None:
        await guard(tx, key, at)
    due = await usual_due(tx, desk, key, receiver, at)
    giver = await desk.custody.pass_on(tx, key_id, receiver, actor=actor, at=at, due_at=due, reason=reason)
    # At once, as for a kill: what only the giver may must not wait for the log to be read.
    await desk.kill.narrow_key(tx, key_id, at)
    return giver


async def propose_change(tx: Connection, desk: KeyDesk, unit_id: UnitId, at: datetime) -> list[Line]:
    """Return who of the next team would get which key of the team before; changes nothing.

    A key goes to somebody in the same role. Who has no key yet comes first, so that each of the next team gets one
    before anybody gets two.
    """
    before, after = await _teams(tx, unit_id, at)
    loads: dict[PersonId, int] = {}
    for person in {person for people in after.values() for person in people}:
        loads[person] = len(await _real_keys(tx, desk, person, at))
    lines = []
    for role, givers in sorted(before.items()):
        heirs = [person for person in after.get(role, ()) if person not in givers]
        for giver in givers:
            for key in await _real_keys(tx, desk, giver, at):
                heir = min(heirs, key=lambda person: (loads[person], person), default=None)
                if heir is None:
                    why = f"nobody of the next team is on duty as {role.replace('_', ' ')}"
                    lines.append(Line(key.id, key.stamp, giver, None, role, why))
                    continue
                loads[heir] += 1
                lines.append(Line(key.id, key.stamp, giver, heir, role))
    # Somebody may leave two duties at once; a key goes over once.
    return list({line.key_id: line for line in reversed(lines)}.values())[::-1]


async def transfer_many(
    tx: Connection,
    desk: KeyDesk,
    wanted: Sequence[tuple[KeyId, PersonId]],
    *,
    actor: str,
    at: datetime,
    reason: str = "change of shifts",
    guard: Guard | None = None,
) -> list[Line]:
    """Pass many keys on, each on its own: what stands against one is named and stops no other.

    Raises:
        InvalidInput: a key stands twice, or there are too many.
    """
    if len(wanted) > MOST_LINES:
        raise InvalidInput("keys", f"at most {MOST_LINES} at once")
    if len({key_id for key_id, _ in wanted}) < len(wanted):
        raise InvalidInput("keys", "a key can go to one person only")
    # All locks at once and in order, so that two teams' changes cannot wait for each other.
    await desk.ledger.lock_heads(tx, [f"key:{key_id}" for key_id, _ in wanted])
    done = []
    for key_id, receiver in wanted:
        key = await desk.registry.find_key(tx, key_id)
        stamp = key.stamp if key else str(key_id)
        try:
            async with tx.transaction():
                giver = await transfer(
                    tx, desk, key_id, receiver, actor=actor, at=at, reason=reason, guard=guard
                )
        except (Conflict, NotFound) as error:
            holder = await desk.custody.holder_at(tx, key_id, at)
            done.append(Line(key_id, stamp, holder, receiver, why_not=str(error)))
        else:
            done.append(Line(key_id, stamp, giver, receiver))
    return done


async def _teams(
    tx: Connection, unit_id: UnitId, at: datetime
) -> tuple[dict[str, list[PersonId]], dict[str, list[PersonId]]]:
    """Return the outgoing and the incoming people of a unit by role.

    Outgoing is whose duty ends within the hour, or ended within the last one; incoming is who began within the last
    hour or begins within the next.
    """
    seen: dict[tuple[PersonId, str], tuple[datetime | None, datetime | None]] = {}
    for instant in (at - OVERLAP, at, at + OVERLAP):
        for person, duty in await people_on_duty(tx, instant, unit_id=unit_id):
            since, until = seen.get((person, duty.role), (duty.since, duty.until))
            starts = [each for each in (since, duty.since) if each is not None]
            ends = [each for each in (until, duty.until) if each is not None]
            seen[person, duty.role] = (max(starts, default=None), max(ends, default=None))
    before: dict[str, list[PersonId]] = {}
    after: dict[str, list[PersonId]] = {}
    for (person, role), (since, until) in sorted(seen.items()):
        if until is not None and until <= at + OVERLAP:
            before.setdefault(role, []).append(person)
        elif since is not None and since >= at - OVERLAP:
            after.setdefault(role, []).append(person)
    return before, after


async def _real_keys(tx: Connection, desk: KeyDesk, person: PersonId, at: datetime) -> list[StoredKey]:
    """Return the keys somebody has that can be passed on: a phone stays with its owner."""
    return [key for key in await desk.custody.keys_of(tx, person, at) if key.kind is not KeyKind.PHONE]
