"""Over the counter: handing out, taking back, and taking a mistake back."""

from datetime import datetime, timedelta

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId, PersonId
from key2xs.keys.custody import CrewOf
from key2xs.keys.types import StoredKey

from .due import usual_due
from .history import last_handling
from .parts import KeyDesk


async def hand_out(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    person_id: PersonId,
    *,
    actor: str,
    at: datetime,
    crew: CrewOf | None = None,
    due_at: datetime | None = None,
) -> StoredKey:
    """Hand a key to a person, or to the leader of a crew; due back as the site is used to, unless told otherwise.

    Raises:
        NotFound: there is no such key or person.
        Conflict: the key is not fit for it, or the person is nobody to hand a key to.
    """
    key = await desk.registry.get_key(tx, key_id)
    await require_person(tx, desk, person_id, key.stamp, at)
    due = due_at or await usual_due(tx, desk, key, person_id, at)
    return await desk.custody.hand_out(tx, key_id, person_id, actor=actor, at=at, crew=crew, due_at=due)


async def take_back(
    tx: Connection, desk: KeyDesk, key_id: KeyId, *, actor: str, at: datetime, reason: str = ""
) -> PersonId:
    """Take a key back; its program is emptied at the next contact.

    Raises:
        NotFound: there is no such key.
        Conflict: nobody has it.
    """
    holder = await desk.custody.take_back(tx, key_id, actor=actor, at=at, reason=reason)
    await desk.kill.narrow_key(tx, key_id, at)
    return holder


async def undo(tx: Connection, desk: KeyDesk, key_id: KeyId, *, actor: str, at: datetime) -> PersonId:
    """Take one's own last hand-out of a key back, while it is still fresh.

    Raises:
        NotFound: there is no such key.
        Conflict: it is too late, or somebody else did something since.
    """
    key = await desk.registry.get_key(tx, key_id)
    if await undo_until(tx, desk, key_id, actor=actor, at=at) is None:
        minutes = desk.settings.undo_seconds // 60
        message = (
            f"key {key.stamp} can be taken back as a mistake by whoever handed it out, within {minutes} minutes; "
            "take it back instead"
        )
        raise Conflict(message)
    return await take_back(tx, desk, key_id, actor=actor, at=at, reason="mistake")


async def undo_until(
    tx: Connection, desk: KeyDesk, key_id: KeyId, *, actor: str, at: datetime
) -> datetime | None:
    """Return until when the last hand-out of a key can be taken back as a mistake; None when it cannot."""
    last = await last_handling(tx, key_id)
    if last is None:
        return None
    handling, by = last
    until = handling.at + timedelta(seconds=desk.settings.undo_seconds)
    plain = handling.kind == "out" and handling.source == "desk" and handling.giver_id is None
    return until if plain and by == actor and at <= until else None


async def require_person(
    tx: Connection, desk: KeyDesk, person_id: PersonId, stamp: str, at: datetime
) -> None:
    """Refuse to hand a key to somebody who is known not to belong here: no identity, no key.

    Raises:
        NotFound: there is no such person.
        Conflict: says what stands against it.
    """
    why = await why_no_key(tx, desk, person_id, at)
    if why is not None:
        message = f"key {stamp} was not handed out: {why}"
        raise Conflict(message)


async def why_no_key(tx: Connection, desk: KeyDesk, person_id: PersonId, at: datetime) -> str | None:
    """Return why no key may be handed to somebody; None when nothing known stands against it."""
    facts = await desk.identity.person_facts(tx, person_id, at)
    if facts.active == "no":
        return "the IAM says that this person is not active"
    if facts.contract == "no":
        return "this person's contract is not in force"
    return None
