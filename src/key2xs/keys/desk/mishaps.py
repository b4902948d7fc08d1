"""Lost, found, broken, repaired, replaced; and a found key that comes off the block list."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.keys.adoption.standing import Standing
from key2xs.keys.custody import CrewOf
from key2xs.keys.types import StoredKey
from key2xs.ledger import Ledger

from .evidence import Handling
from .parts import SQL, Guard, KeyDesk

ReportKind: TypeAlias = Literal["lost", "broken"]
Block: TypeAlias = Callable[[Connection, StoredKey], Awaitable[None]]
"""How a key is blocked; the safety rules may hold it back for a while."""

_ENDS: Final[dict[str, ReportKind]] = {"found": "lost", "repaired": "broken"}


@dataclass(frozen=True, slots=True)
class Report:
    """An open report about a key."""

    id: UUID
    key_id: KeyId
    kind: ReportKind
    since: datetime
    told_at: datetime
    reason: str


async def open_report(tx: Connection, key_id: KeyId, ledger: Ledger) -> Report | None:
    """Return the open report about a key, if any."""
    row = await tx.fetchrow(SQL["open_report"], key_id)
    return await _report(row, ledger) if row is not None else None


async def was_replaced(tx: Connection, key_id: KeyId) -> bool:
    """Tell whether another key took a key's place for good."""
    row = await tx.fetchrow(SQL["out_of_use"], key_id)
    return row is not None and row["ended_at"] is not None


async def open_reports(tx: Connection, ledger: Ledger) -> list[tuple[str, Report]]:
    """Return all open reports with the keys' stamps, the newest first."""
    return [(row["stamp"], await _report(row, ledger)) for row in await tx.fetch(SQL["open_reports"])]


async def report_lost(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    *,
    reason: str,
    actor: str,
    at: datetime,
    since: datetime | None = None,
    block: Block | None = None,
) -> StoredKey:
    """Report a key lost, since it was surely there last, and ask for its block.

    An emergency key never enters a block list (S1): it is reported, and the locks it opens have to be re-keyed.

    Args:
        tx: a transaction.
        desk: the key desk.
        key_id: which key.
        reason: where and how; no names.
        actor: who tells.
        at: now.
        since: when it was there last; now where nobody knows.
        block: how keys are blocked here; at once where not given.

    Raises:
        NotFound: there is no such key.
        Conflict: it is reported already.
        InvalidInput: the time lies ahead.
    """
    if since is not None and since > at:
        raise InvalidInput("since", "lies ahead")
    key = await _report_new(tx, desk, key_id, "lost", since or at, reason=reason, actor=actor, at=at)
    if not key.emergency and (key.blocked_at is None or key.unblock_asked_at is not None):
        await (block or _block_now(desk, reason, actor, at))(tx, key)
    return await desk.registry.get_key(tx, key_id)


async def report_broken(
    tx: Connection, desk: KeyDesk, key_id: KeyId, *, reason: str, actor: str, at: datetime
) -> StoredKey:
    """Report a key broken. It lies at the desk: whoever had it has it no more, and everything on it is removed.

    Raises:
        NotFound: there is no such key.
        Conflict: it is reported already.
    """
    key = await _report_new(tx, desk, key_id, "broken", at, reason=reason, actor=actor, at=at)
    await _back_to_desk(tx, desk, key, actor=actor, at=at, reason="broken")
    return key


async def end_report(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    ended_as: Literal["found", "repaired"],
    *,
    reason: str,
    actor: str,
    at: datetime,
    stays: bool = False,
) -> StoredKey:
    """Say that a lost key was found, or a broken one works again: it lies at the desk now, with nothing on it.

    A block stays until two people lift it (`ask_unblock`), or another key takes its place. With `stays` the key goes
    back to whoever has it: a safety rule keeps something that only this key carries.

    Raises:
        NotFound: there is no such key.
        Conflict: it was not reported so.
    """
    await desk.ledger.lock_heads(tx, [f"key:{key_id}"])
    key = await desk.registry.get_key(tx, key_id)
    report = await open_report(tx, key_id, desk.ledger)
    if report is None or report.kind != _ENDS[ended_as]:
        message = f"key {key.stamp} is not reported {_ENDS[ended_as]}"
        raise Conflict(message)
    entry = await desk.custody.tell(tx, f"keys:custody:{ended_as}", key, actor=actor, at=at, reason=reason)
    await tx.execute(SQL["end_report"], report.id, at, ended_as, None, entry)
    if stays:
        await desk.kill.narrow_key(tx, key_id, at)
    else:
        await _back_to_desk(tx, desk, key, actor=actor, at=at, reason=ended_as)
    return await desk.registry.get_key(tx, key_id)


async def ask_unblock(
    tx: Connection, desk: KeyDesk, key_id: KeyId, *, reason: str, actor: str, at: datetime
) -> StoredKey:
    """Let a found key come off the block list; what it kept from before Key2XS ends, so nothing comes back (P7).

    Raises:
        NotFound: there is no such key.
        Conflict: it is not blocked, not found yet, not at the desk, or out of use.
        NarrowOnly: nothing may widen at the moment.
    """
    key = await desk.custody.ask_unblock(tx, key_id, reason=reason, actor=actor, at=at)
    await Standing(desk.ledger).end(tx, key, reason=reason, actor=actor, at=at)
    await desk.kill.narrow_key(tx, key_id, at)
    return key


async def replace(
    tx: Connection,
    desk: KeyDesk,
    old_id: KeyId,
    new_key_id: KeyId,
    *,
    reason: str,
    actor: str,
    at: datetime,
    guard: Guard | None = None,
) -> PersonId | None:
    """Let a new key take a lost or broken one's place; returns who has it now.

    The old key is out of use for good. Whoever was handed it, with their crew and their due time, has the new one, and
    what they may open is planned onto that one.

    Raises:
        NotFound: there is no such key.
        Conflict: the old one is not reported, the new one is not at hand and fit for use, or a safety rule keeps on
            the old one what the new one, of another key system, cannot carry.
        InvalidInput: a key cannot take its own place.
    """
    if old_id == new_key_id:
        raise InvalidInput("by", "a key cannot take its own place")
    await desk.ledger.lock_heads(tx, [f"key:{old_id}", f"key:{new_key_id}"])
    old, new = await desk.registry.get_key(tx, old_id), await desk.registry.get_key(tx, new_key_id)
    report = await open_report(tx, old_id, desk.ledger)
    if report is None:
        message = f"key {old.stamp} is neither reported lost nor broken; report it first"
        raise Conflict(message)
    if guard is not None and new.system_id != old.system_id:
        await guard(tx, old, at)
    held = await _held_for(tx, old_id, at) or await _last_crew(tx, old_id, report.told_at)
    entry = await desk.custody.tell(
        tx, "keys:custody:replace", old, actor=actor, at=at, reason=reason, by=new.stamp, also=(new.subject,)
    )
    await tx.execute(SQL["end_report"], report.id, at, "replaced", new_key_id, entry)
    await _back_to_desk(tx, desk, old, actor=actor, at=at, reason="replaced")
    if held is None:
        await desk.custody.usable(tx, new_key_id)
        return None
    person, crew, due = held
    await desk.custody.hand_out(tx, new_key_id, person, actor=actor, at=at, crew=crew, due_at=due)
    return person


def _block_now(desk: KeyDesk, reason: str, actor: str, at: datetime) -> Block:
    async def block(tx: Connection, key: StoredKey) -> None:
        await desk.custody.block(tx, key.id, reason=reason, actor=actor, at=at)
        await desk.kill.narrow_key(tx, key.id, at)

    return block


async def _report_new(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    kind: ReportKind,
    since: datetime,
    *,
    reason: str,
    actor: str,
    at: datetime,
) -> StoredKey:
    await desk.ledger.lock_heads(tx, [f"key:{key_id}"])
    key = await desk.registry.get_key(tx, key_id)
    known = await tx.fetchrow(SQL["out_of_use"], key_id)
    if known is not None:
        word = "was replaced" if known["ended_at"] else f"is reported {known['kind']} already"
        message = f"key {key.stamp} {word}"
        raise Conflict(message)
    entry = await desk.custody.tell(
        tx, f"keys:custody:{kind}", key, actor=actor, at=at, reason=reason, since=since.isoformat()
    )
    words = await desk.ledger.seal_words(actor, reason)
    await tx.execute(SQL["insert_report"], new_id(), key_id, kind, since, at, words, entry)
    return key


async def _back_to_desk(
    tx: Connection, desk: KeyDesk, key: StoredKey, *, actor: str, at: datetime, reason: str
) -> None:
    holder = await desk.custody.holder_at(tx, key.id, at)
    if holder is not None:
        handling = Handling(new_id(), at, "desk", "back", holder)
        await desk.custody.told(
            tx, "keys:custody:take_back", key, handling, actor=actor, at=at, reason=reason
        )
    await desk.kill.narrow_key(tx, key.id, at)


async def _held_for(
    tx: Connection, key_id: KeyId, at: datetime
) -> tuple[PersonId, CrewOf | None, datetime | None] | None:
    """Return who has a key, for which crew and until when."""
    row = await tx.fetchrow(SQL["custody_now"], key_id, at)
    return await _with_crew(tx, row) if row is not None else None


async def _last_crew(
    tx: Connection, key_id: KeyId, told_at: datetime
) -> tuple[PersonId, CrewOf | None, datetime | None] | None:
    """Return who had a key just before its report took it from them."""
    row = await tx.fetchrow(SQL["custody_before"], key_id, told_at)
    return await _with_crew(tx, row) if row is not None else None


async def _with_crew(tx: Connection, row: Any) -> tuple[PersonId, CrewOf | None, datetime | None]:
    crew = None
    if row["crew_id"] is not None:
        found = (await tx.fetch(SQL["crews"], [row["crew_id"]]))[0]
        crew = CrewOf(found["name"], frozenset(PersonId(member) for member in found["members"]))
    return PersonId(row["person_id"]), crew, row["due_at"]


async def _report(row: Any, ledger: Ledger) -> Report:
    reason = await ledger.read_words(row["reason"])
    return Report(row["id"], KeyId(row["key_id"]), row["kind"], row["since"], row["told_at"], reason)
