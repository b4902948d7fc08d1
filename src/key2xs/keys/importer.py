"""Importing the list of keys: which ones there are before the vendor was asked, and which are emergency keys (S1).

What the vendor says of a key's stamp and kind wins later; that a key is an emergency key only the site knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import KeyId, KeySystemId, new_id
from key2xs.core.imports import ROW_LIMIT, ImportReport, Row
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

from .port import KeyKind

_SQL = load_queries("key2xs.keys")
_OWN = load_queries("key2xs.keys", "queries_import.sql")

KIND: Final = "keys"
REQUIRED: Final = ("key_system", "stamp", "external_id", "kind", "purpose")
EMERGENCY: Final = frozenset({"emergency", "fire_brigade"})
_KINDS: Final = frozenset(str(kind) for kind in KeyKind)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One acceptable row."""

    system_id: KeySystemId
    external_id: str
    stamp: str
    kind: str
    emergency: bool


async def import_keys(
    tx: Connection,
    ledger: Ledger,
    rows: Sequence[Mapping[str, str | None]],
    *,
    at: datetime,
    actor: str,
    dry_run: bool = False,
) -> ImportReport:
    """Import rows of the file `keys`; a wrong row is reported, the others are taken.

    Raises:
        InvalidInput: more rows than any site has.
    """
    if len(rows) > ROW_LIMIT:
        raise InvalidInput("rows", f"more than {ROW_LIMIT}")
    report = ImportReport(kind=KIND, dry_run=dry_run)
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('keys import'))")
    systems: dict[str, KeySystemId | None] = {}
    known: dict[KeySystemId, dict[str, Any]] = {}
    seen: set[tuple[KeySystemId, str]] = set()
    for row in Row.number_rows(rows):
        wanted = await _read(tx, row, systems, seen, report)
        if wanted is None:
            continue
        if wanted.system_id not in known:
            found = await tx.fetch(_SQL["keys_of_system"], wanted.system_id)
            known[wanted.system_id] = {each["external_id"]: each for each in found}
        old = known[wanted.system_id].get(wanted.external_id)
        await _take(tx, ledger, wanted, old, report, at=at, actor=actor)
    report.removed_missing = sum(len(found) for found in known.values()) - sum(
        1 for system, external in seen if external in known.get(system, {})
    )
    return report


async def _read(
    tx: Connection,
    row: Row,
    systems: dict[str, KeySystemId | None],
    seen: set[tuple[KeySystemId, str]],
    report: ImportReport,
) -> _Wanted | None:
    missing = row.missing(REQUIRED)
    for name in missing:
        report.refuse(row.number, name, "is empty")
    if missing:
        return None
    values = row.values
    if values["kind"] not in _KINDS:
        report.refuse(row.number, "kind", f"must be one of {', '.join(sorted(_KINDS))}", values["kind"])
        return None
    name = values["key_system"]
    if name not in systems:
        systems[name] = await _system(tx, name)
    system_id = systems[name]
    if system_id is None:
        report.refuse(row.number, "key_system", "is not a connected key system", name)
        return None
    if (system_id, values["external_id"]) in seen:
        report.refuse(row.number, "external_id", "stands twice in this file", values["external_id"])
        return None
    seen.add((system_id, values["external_id"]))
    return _Wanted(
        system_id, values["external_id"], values["stamp"], values["kind"], values["purpose"] in EMERGENCY
    )


async def _system(tx: Connection, name: str) -> KeySystemId | None:
    """Return the system of a configured name, or the one whose vendor runs this locking system."""
    rows = await tx.fetch(_OWN["system_of_name"], name)
    return KeySystemId(UUID(str(rows[0]["id"]))) if len(rows) == 1 else None


async def _take(
    tx: Connection,
    ledger: Ledger,
    wanted: _Wanted,
    old: Mapping[str, Any] | None,
    report: ImportReport,
    *,
    at: datetime,
    actor: str,
) -> None:
    if old is not None and old["emergency"] == wanted.emergency:
        return report.keep()
    key_id = KeyId(old["id"]) if old is not None else KeyId(new_id())
    if old is not None and wanted.emergency and old["blocked_at"] is not None:
        # The table refuses an emergency key on the block list; say it in words instead.
        return report.refuse(1, "purpose", f"key {old['stamp']} is blocked; an emergency key cannot be")
    if old is None:
        report.add(wanted.stamp)
    else:
        report.change(f"{old['stamp']}: emergency {old['emergency']} -> {wanted.emergency}")
    if report.dry_run:
        return None
    entry = await ledger.record(
        tx,
        Entry(
            kind="keys:key:import",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(f"key:{key_id}", f"key_system:{wanted.system_id}"),
            heads=(f"key:{key_id}",),
            body={"stamp": wanted.stamp, "kind": wanted.kind, "emergency": wanted.emergency},
        ),
    )
    if old is None:
        await tx.execute(
            _SQL["insert_key"],
            key_id,
            wanted.system_id,
            wanted.external_id,
            wanted.stamp,
            wanted.kind,
            False,
            False,
            entry,
        )
    if old is not None or wanted.emergency:
        await tx.execute(_SQL["set_emergency"], key_id, wanted.emergency, entry)
    return None
