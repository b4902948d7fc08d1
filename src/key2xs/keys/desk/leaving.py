"""Leaving with keys: the gate asks before somebody goes, and the log says when a holder's access ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, new_id
from key2xs.keys.port import KeyKind
from key2xs.keys.types import StoredKey
from key2xs.ledger import ReadEntry

from .handing import why_no_key
from .parts import SQL, KeyDesk

_MAY_END: Final = ("identity:person:", "identity:contract:")


@dataclass(frozen=True, slots=True)
class ExitCheck:
    """Whether somebody may leave, and the keys that stand against it. A phone goes with its owner."""

    person_id: PersonId
    keys: tuple[StoredKey, ...]

    @property
    def may_leave(self) -> bool:
        """Tell whether nothing stands against it."""
        return not self.keys


async def check_exit(
    tx: Connection, desk: KeyDesk, person_id: PersonId, *, actor: str, at: datetime
) -> ExitCheck:
    """Look whether somebody leaves with keys; each one is noted for the key desk until it comes back.

    Raises:
        NotFound: there is no such person.
    """
    await desk.identity.person_facts(tx, person_id, at)
    keys = await _keys_to_bring(tx, desk, person_id, at)
    for key in keys:
        await _note(tx, desk, key, person_id, "left_with_key", actor, at)
    return ExitCheck(person_id, tuple(keys))


class HolderWatch:
    """A reader of the log that notes keys whose holder's access ended: they are owed to the key desk."""

    name = "holders"
    passes_over: Final = ("keys:opening",)

    def __init__(self, desk: KeyDesk) -> None:
        """Note with `desk`."""
        self._desk = desk

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Note the keys of everybody who is said to be gone, and still is when this is read."""
        said: dict[PersonId, datetime] = {}
        for entry in entries:
            if entry.kind.startswith(_MAY_END):
                for subject in entry.subjects:
                    noun, _, ref = subject.partition(":")
                    if noun == "person":
                        said[PersonId(UUID(ref))] = entry.recorded_at
        for person_id, at in sorted(said.items()):
            keys = await _keys_to_bring(tx, self._desk, person_id, at)
            if keys and await why_no_key(tx, self._desk, person_id, at) is not None:
                for key in keys:
                    await _note(tx, self._desk, key, person_id, "holder_gone", "system:desk", at)


async def _keys_to_bring(tx: Connection, desk: KeyDesk, person_id: PersonId, at: datetime) -> list[StoredKey]:
    return [key for key in await desk.custody.keys_of(tx, person_id, at) if key.kind is not KeyKind.PHONE]


async def _note(
    tx: Connection, desk: KeyDesk, key: StoredKey, person_id: PersonId, kind: str, actor: str, at: datetime
) -> None:
    await desk.ledger.lock_heads(tx, [key.subject])
    open_kinds = {row["kind"] for row in await tx.fetch(SQL["open_findings_of_key"], key.id)}
    if kind in open_kinds:
        return
    entry = await desk.custody.tell(tx, f"keys:finding:{kind}", key, actor=actor, at=at)
    await tx.execute(
        SQL["insert_finding"],
        new_id(),
        kind,
        key.id,
        None,
        None,
        key.stamp,
        at,
        at,
        person_id,
        person_id,
        entry,
    )
