"""Adopting: from then on a key may be written. What it opens already is taken up first, so nothing changes by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId
from key2xs.core.sql import load_queries
from key2xs.keys.port import KeyKind, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, Program
from key2xs.keys.types import StoredKey
from key2xs.keys.wire import program_json, program_of
from key2xs.ledger import Entry, Ledger

_SQL = load_queries("key2xs.keys.adoption")
_KEYS = load_queries("key2xs.keys")


_NOT_READ: Final = "it was not read yet"
_IN_CYLINDERS: Final = "what it opens is listed in the cylinders, and some of them our user there cannot see"
_HIDDEN: Final = "it holds something that our user there cannot see"
_ON_ITS_WAY: Final = "its program is still on its way; it is adopted when the key has acknowledged it"


class StillCarries(Conflict):
    """The key still carries rights from before Key2XS: it is adopted first, knowingly."""

    def __init__(self, key: StoredKey) -> None:
        """Say so of `key`."""
        super().__init__(
            f"key {key.stamp} still carries rights from before Key2XS; adopt it first: "
            "it then keeps them, and they are shown and counted"
        )
        self.key = key


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one key. `why`: in words, why it was left as it is; empty when it was adopted."""

    key_id: KeyId
    rights: int
    why: str


async def adopt(
    tx: Connection,
    ledger: Ledger,
    keys: Sequence[KeyId],
    *,
    actor: str,
    at: datetime,
    run: str = "",
    reason: str = "",
) -> list[Adopted]:
    """Adopt keys with what they hold; a key that cannot be adopted now is left alone and said why.

    Nothing changes at the vendor: what is wanted on each key is exactly what it holds.
    """
    ids = sorted(keys)
    await ledger.lock_heads(tx, [f"key:{key}" for key in ids])
    rows = await tx.fetch(_SQL["adoptable"], ids)
    outcomes = {row["id"]: why_not(row) for row in rows}
    taken = [(row, _held(row["reading"])) for row in rows if not outcomes[row["id"]]]
    numbers = await ledger.record_many(tx, [_entry(row, held, actor, at, run, reason) for row, held in taken])
    wide = [(row["id"], held, entry) for (row, held), entry in zip(taken, numbers, strict=True)]
    if wide:
        key_ids, entries = [key for key, _, _ in wide], [entry for _, _, entry in wide]
        programs = [program_json(held) for _, held, _ in wide]
        await tx.execute(_SQL["adopt"], key_ids, at, entries)
        await tx.execute(_SQL["keep_many"], key_ids, programs, entries)
        await tx.execute(_SQL["want_what_is_there"], key_ids, programs, entries, at)
        pairs = [(key, right, entry) for key, held, entry in wide for right in sorted(held.rights)]
        columns = [[pair[place] for pair in pairs] for place in range(3)]
        await tx.execute(_SQL["take_up_many"], *columns, at)
    held_of = {row["id"]: len(held.rights) for row, held in taken}
    return [Adopted(KeyId(key), held_of.get(key, 0), why) for key, why in outcomes.items()]


async def adopt_one(
    tx: Connection, ledger: Ledger, key: StoredKey, *, actor: str, at: datetime, reason: str = ""
) -> int:
    """Adopt one key, on somebody's word; returns how many rights it keeps.

    Raises:
        Conflict: it cannot be adopted now; says why.
    """
    done = (await adopt(tx, ledger, [key.id], actor=actor, at=at, reason=reason))[0]
    if done.why:
        message = f"key {key.stamp} cannot be adopted: {done.why}"
        raise Conflict(message)
    return done.rights


async def adopt_at_desk(tx: Connection, key: StoredKey, at: datetime, entry: int) -> None:
    """Adopt a key that is being handed out, in the entry of the hand-out.

    Only a key that holds nothing: what a key opens from before is taken up knowingly, not by handing it over. A key
    that was not read yet is adopted as soon as a reading shows that it holds nothing. An emergency key is handed out
    as it is.

    Raises:
        StillCarries: it holds rights from before.
        Conflict: nobody can say what it holds, so it cannot be adopted at all.
    """
    row = (await tx.fetch(_SQL["adoptable"], [key.id]))[0]
    reading = row["reading"]
    if reading is None or "planned" not in reading:
        await tx.execute(_SQL["adopt_when_empty"], key.id, True, entry)
    elif opens_nothing(reading):
        await tx.execute(_KEYS["adopt_key"], key.id, at, entry)
    elif not key.emergency and not reading["outside_visible"]:
        message = f"key {key.stamp} is not handed out here, because it cannot be adopted: {why_not(row)}"
        raise Conflict(message)
    elif not key.emergency:
        raise StillCarries(key)


async def adopt_if_waiting(tx: Connection, ledger: Ledger, key: StoredKey, at: datetime) -> bool:
    """Adopt a key that was handed out before it was read, once it was; False when it is not adopted."""
    if key.adopted_at is not None or not await tx.fetchval(_SQL["is_waiting_to_be_adopted"], key.id):
        return False
    row = (await tx.fetch(_SQL["adoptable"], [key.id]))[0]
    if why_not(row) or not opens_nothing(row["reading"]):
        return False
    await adopt_one(tx, ledger, key, actor="system:keys", at=at)
    return True


async def waiting_why(tx: Connection, key_id: KeyId) -> str | None:
    """Return why a key that was handed out is not adopted, or None."""
    if not await tx.fetchval(_SQL["is_waiting_to_be_adopted"], key_id):
        return None
    return "handed out, but it still carries rights from before Key2XS: adopt it, or have them taken off"


async def why_not_now(tx: Connection, key_id: KeyId) -> str:
    """Say why one key cannot be adopted now; empty when it can."""
    return why_not((await tx.fetch(_SQL["adoptable"], [key_id]))[0])


def why_not(row: Any) -> str:
    """Say why a key cannot be adopted now; empty when it can."""
    reading = row["reading"]
    if row["adopted_at"] is not None:
        return "it is adopted already"
    if row["deleted"]:
        return "the key system no longer lists it"
    if row["blocked_at"] is not None:
        return "it is blocked"
    if reading is None or "planned" not in reading:
        return _NOT_READ
    if not reading["outside_visible"]:
        return _IN_CYLINDERS if row["kind"] == KeyKind.NORMAL else _HIDDEN
    if not _is_settled(reading):
        return _ON_ITS_WAY
    return ""


def may_change_by_itself(why: str) -> bool:
    """Tell whether it is worth trying again later without anybody doing anything here."""
    return why in {_NOT_READ, _ON_ITS_WAY}


def opens_nothing(reading: dict[str, Any]) -> bool:
    """Tell whether a key holds no right, by plan and by what it acknowledged."""
    return bool(reading["outside_visible"]) and all(
        reading[view] is None or not reading[view]["rights"] for view in ("planned", "on_device")
    )


def _is_settled(reading: dict[str, Any]) -> bool:
    if opens_nothing(reading):
        return True
    agrees: bool = reading["planned"] == reading["on_device"]
    return agrees and reading["state"] == ProgrammingState.PROGRAMMED


def _held(reading: dict[str, Any]) -> Program:
    planned = reading["planned"]
    held = program_of(planned) if planned is not None else EMPTY_PROGRAM
    return EMPTY_PROGRAM if held.opens_nothing else held


def _entry(row: Any, held: Program, actor: str, at: datetime, run: str, reason: str) -> Entry:
    return Entry(
        kind="keys:adoption:take",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(
            f"key:{row['id']}",
            f"key_system:{row['system_id']}",
            *((f"adoption:{run}",) if run else ()),
        ),
        heads=(f"standing:{row['id']}", f"target:{row['id']}"),
        body={
            "stamp": row["stamp"],
            "kept": program_json(held),
            **({"reason": reason} if reason else {}),
        },
    )
