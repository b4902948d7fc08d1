"""The stored hands of a key, and the custodies that follow from them, in both times."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.core.sql import load_queries

from .evidence import CLASHES, Clash, Custodies, Handling, Span, read_in_order

_SQL = load_queries("key2xs.keys", "queries_desk.sql")


@dataclass(frozen=True, slots=True)
class Change:
    """What a new word changes: custodies that are not known any more, and those that are now."""

    key_id: KeyId
    handling: Handling
    known_before: bool
    over: tuple[Span, ...]
    new: tuple[Span, ...]
    clashes: tuple[Clash, ...]
    explained: tuple[UUID, ...]
    """Findings that the new word explains."""

    @property
    def persons(self) -> tuple[PersonId, ...]:
        """Everybody whose custody changes, or who is named."""
        named = {self.handling.person_id, self.handling.giver_id}
        touched = {span.person_id for span in (*self.over, *self.new)}
        return tuple(sorted({person for person in named | touched if person is not None}))

    @property
    def moves(self) -> bool:
        """Tell whether anybody's custody changes."""
        return bool(self.over or self.new)


async def look(tx: Connection, key_id: KeyId, handling: Handling, *, known_before: bool = False) -> Change:
    """Find out what a word changes; writes nothing. The caller holds the key's lock.

    Args:
        tx: a transaction.
        key_id: whose.
        handling: the word.
        known_before: it is stored already, and says now something else (its person became known).
    """
    since = handling.at
    rows = await tx.fetch(_SQL["spans_from"], key_id, since)
    known = [_span(row) for row in rows]
    later = [_handling(row) for row in await tx.fetch(_SQL["handlings_from"], key_id, since)]
    told = [each for each in later if each.id != handling.id]
    before = next((span for span in known if span.start < since), None)
    found = read_in_order(before, [*told, handling])
    over, new = _difference(known, found.spans)
    open_findings = {
        (row["handling_id"], row["kind"]): row["id"]
        for row in await tx.fetch(_SQL["open_findings_of_key"], key_id)
        if row["handling_id"] is not None
    }
    replayed = {each.id for each in later} | {handling.id}
    still = {(clash.handling_id, clash.kind) for clash in found.clashes}
    return Change(
        key_id=key_id,
        handling=handling,
        known_before=known_before,
        over=tuple(over),
        new=tuple(new),
        clashes=await _new_clashes(tx, key_id, found, open_findings),
        explained=tuple(
            finding
            for (handled, kind), finding in open_findings.items()
            if kind in CLASHES and handled in replayed and (handled, kind) not in still
        ),
    )


async def write(
    tx: Connection, change: Change, entry: int, *, told_at: datetime, actor: str, mark: str | None = None
) -> None:
    """Write a change; its entry was recorded in this transaction."""
    each = change.handling
    if change.known_before:
        await tx.execute(_SQL["name_taker"], each.id, each.person_id, entry)
    else:
        await tx.execute(
            _SQL["insert_handling"], each.id, change.key_id, each.at, each.source, mark or f"{entry:020d}",
            each.kind, each.person_id, each.giver_id, each.crew_id, each.due_at, each.place, told_at, actor, entry,
        )  # fmt: skip
    for span in change.over:
        await tx.execute(_SQL["close_span"], change.key_id, span.start, entry)
    for span in change.new:
        await tx.execute(
            _SQL["insert_span"], change.key_id, span.person_id, span.start, span.end, span.crew_id, span.due_at,
            span.source, entry,
        )  # fmt: skip
    for clash in change.clashes:
        await tx.execute(
            _SQL["insert_finding"], new_id(), clash.kind, change.key_id, clash.handling_id, None, None, clash.at,
            told_at, clash.person_id, clash.holder_id, entry,
        )  # fmt: skip
    for finding in change.explained:
        await tx.execute(_SQL["settle_finding"], finding, told_at, "system:desk", "explained", entry)
    if each.kind == "back":
        await tx.execute(_SQL["settle_leavers"], change.key_id, told_at, "system:desk", "came_back", entry)


async def last_handling(tx: Connection, key_id: KeyId) -> tuple[Handling, str] | None:
    """Return the newest word about a key, and who told it."""
    row = await tx.fetchrow(_SQL["last_handling"], key_id)
    return (_handling(row), row["actor"]) if row is not None else None


async def handling_of(tx: Connection, handling_id: UUID) -> tuple[Handling, KeyId, str] | None:
    """Return one word, about which key it is, and who told it."""
    row = await tx.fetchrow(_SQL["find_handling"], handling_id)
    return (_handling(row), KeyId(row["key_id"]), row["actor"]) if row is not None else None


async def _new_clashes(
    tx: Connection, key_id: KeyId, found: Custodies, open_findings: dict[tuple[UUID, str], UUID]
) -> tuple[Clash, ...]:
    """Return the clashes nobody was told of; one that a person settled is not opened again."""
    if not found.clashes:
        return ()
    settled = {
        (row["handling_id"], row["kind"]) for row in await tx.fetch(_SQL["settled_clashes_of_key"], key_id)
    }
    return tuple(
        clash
        for clash in found.clashes
        if (clash.handling_id, clash.kind) not in open_findings
        and (clash.handling_id, clash.kind) not in settled
    )


def _difference(known: Sequence[Span], now: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    return [span for span in known if span not in now], [span for span in now if span not in known]


def _span(row: asyncpg.Record) -> Span:
    return Span(
        row["starts"], row["ends"], PersonId(row["person_id"]), row["crew_id"], row["due_at"], row["source"]
    )


def _handling(row: asyncpg.Record | Any) -> Handling:
    return Handling(
        id=row["id"],
        at=row["at"],
        source=row["source"],
        kind=row["kind"],
        person_id=row["person_id"],
        giver_id=row["giver_id"],
        crew_id=row["crew_id"],
        due_at=row["due_at"],
        mark=row["mark"],
        place=row["place"],
    )
