"""Importing the key register: what only the site knows of its keys, above all which are for emergencies."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId
from key2xs.core.imports import ImportReport, Row
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

_SQL = load_queries("key2xs.keys")
KINDS = ("keys",)
EMERGENCY_PURPOSES = frozenset({"emergency", "fire_brigade"})
PURPOSES = EMERGENCY_PURPOSES | {"personal", "pool"}


async def import_keys(
    tx: Connection,
    ledger: Ledger,
    rows: Sequence[Mapping[str, str | None]],
    *,
    at: datetime,
    actor: str,
    dry_run: bool = False,
) -> ImportReport:
    """Import rows of `key_system,stamp,external_id,kind,purpose`; good rows go on when others are wrong.

    Keys come from the key system's own listing; this only adds what the vendor does not know. A key that the
    listing does not have is an error of its row, because nobody could program it.
    """
    report = ImportReport("keys", dry_run=dry_run)
    changes: list[tuple[KeyId, str, bool]] = []
    for row in Row.number_rows(rows):
        await _check_row(tx, row, report, changes)
    if not dry_run:
        await _store(tx, ledger, changes, at, actor)
    return report


async def _check_row(
    tx: Connection, row: Row, report: ImportReport, changes: list[tuple[KeyId, str, bool]]
) -> None:
    external, purpose = row.get("external_id"), row.get("purpose")
    if external is None:
        report.refuse(row.number, "external_id", "must not be empty")
        return
    if purpose not in PURPOSES:
        report.refuse(row.number, "purpose", f"must be one of {', '.join(sorted(PURPOSES))}", purpose)
        return
    known = await tx.fetch(_SQL["keys_by_external"], external)
    if len(known) != 1:
        problem = "several key systems list it" if known else "no key system lists such a key"
        report.refuse(row.number, "external_id", problem, external)
        return
    emergency = purpose in EMERGENCY_PURPOSES
    if known[0]["emergency"] == emergency:
        report.keep()
    elif emergency and known[0]["blocked_at"] is not None:
        report.refuse(row.number, "purpose", "the key is blocked; an emergency key never is", purpose)
    else:
        changes.append((known[0]["id"], known[0]["stamp"], emergency))
        report.change(f"{known[0]['stamp']}: purpose is {purpose}")


async def _store(
    tx: Connection, ledger: Ledger, changes: Sequence[tuple[KeyId, str, bool]], at: datetime, actor: str
) -> None:
    entries = [
        Entry(
            kind="keys:key:purpose",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(f"key:{key_id}",),
            heads=(f"key:{key_id}",),
            body={"stamp": stamp, "emergency": emergency},
        )
        for key_id, stamp, emergency in changes
    ]
    numbers = await ledger.record_many(tx, entries)
    for (key_id, _stamp, emergency), number in zip(changes, numbers, strict=True):
        await tx.execute(_SQL["set_emergency"], key_id, emergency, number)
