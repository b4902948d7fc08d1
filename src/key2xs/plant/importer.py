"""Importing plant files: rows in, a report out, and only what differs written.

Every changed record gets an entry of its own after one entry for the run as a whole, so that each cylinder's stream
tells its full story. Thousands of records go to the database in a handful of round trips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.clock import require_utc
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import new_id
from key2xs.core.imports import ROW_LIMIT, ImportReport, Row
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

from .kinds import KINDS, Item, Key, Kind, References
from .writer import write_changes

_SQL = load_queries("key2xs.plant")
LONGEST_KEY = 4  # columns of the natural key of a link


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it is now."""

    id: UUID
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One record to write: `before` is None for a new one."""

    id: UUID
    item: Item
    before: Stored | None
    differs: Mapping[str, tuple[Any, Any]]


async def import_csv(
    tx: Connection,
    ledger: Ledger,
    kind: str,
    rows: Sequence[Mapping[str, str | None]],
    *,
    at: datetime,
    actor: str,
    dry_run: bool = False,
) -> ImportReport:
    """Import rows of one kind (`csv.DictReader` gives them) and say what changed.

    A wrong row is reported and left out; the rest goes on. Records that the file does not name stay as they are and
    are counted in `removed_missing`: nothing disappears because a line is absent.

    Raises:
        InvalidInput: no such kind, or more rows than any site has.
    """
    if kind not in KINDS:
        raise InvalidInput("kind", f"must be one of {', '.join(KINDS)}")
    if len(rows) > ROW_LIMIT:
        raise InvalidInput("rows", f"more than {ROW_LIMIT}")
    spec, at = KINDS[kind], require_utc(at)
    report = ImportReport(kind=kind, dry_run=dry_run)
    # One import at a time: two that both find a code missing would both add it.
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('plant import'))")
    stored = {name: await _load(tx, name) for name in KINDS}
    refs = _references(stored)
    items = _read_rows(spec, Row.number_rows(rows), refs, stored[kind], report)
    changes = _compare(items, stored[kind], report, _Names(refs))
    _note_absent(stored[kind], items, report)
    if changes and not dry_run:
        numbers = await ledger.record_many(tx, _entries(spec, changes, report, at=at, actor=actor))
        await write_changes(tx, kind, list(zip(numbers[1:], changes, strict=True)), at)
    return report


async def _load(tx: Connection, kind: str) -> dict[Key, Stored]:
    found: dict[Key, Stored] = {}
    for record in await tx.fetch(_SQL[f"stored_{kind}"]):
        values = dict(record)
        made = values.pop("id")
        parts = [values.pop(f"key_{place}", None) for place in range(1, LONGEST_KEY + 1)]
        found[tuple(part for part in parts if part is not None)] = Stored(made, values)
    return found


def _references(stored: Mapping[str, Mapping[Key, Stored]]) -> References:
    refs = References()
    for name, kind in KINDS.items():
        for key, known in stored[name].items():
            kind.remember(refs, Item(key, known.values), known.id)
    return refs


def _read_rows(
    kind: Kind, rows: Sequence[Row], refs: References, stored: Mapping[Key, Stored], report: ImportReport
) -> dict[Key, tuple[UUID, Item]]:
    """Read all rows. One that refers to a record further down is tried again after the others."""
    items: dict[Key, tuple[UUID, Item]] = {}
    first_row: dict[Key, int] = {}
    waiting = list(rows)
    failed: dict[int, InvalidInput] = {}
    while waiting:
        again: list[Row] = []
        for row in waiting:
            try:
                item = kind.read(row, refs)
                _refuse_repeat(item, items, first_row)
            except InvalidInput as error:
                failed[row.number] = error
                again.append(row)
                continue
            failed.pop(row.number, None)
            known = stored.get(item.key)
            made = items[item.key][0] if item.key in items else known.id if known else _new(kind, item)
            items[item.key] = (made, item)
            first_row.setdefault(item.key, row.number)
            kind.remember(refs, item, made)
        if len(again) == len(waiting):
            break  # no row got better, so none will
        waiting = again
    for row in rows:
        if refused := failed.get(row.number):
            report.refuse(row.number, refused.field, refused.problem, row.get(refused.field))
    return items


def _new(kind: Kind, item: Item) -> UUID:
    # A link has no identity of its own: it is told as a change of its asset.
    return item.values["asset_id"] if kind.name == "asset_cylinders" else new_id()


def _refuse_repeat(item: Item, items: Mapping[Key, tuple[UUID, Item]], first_row: Mapping[Key, int]) -> None:
    earlier = items.get(item.key)
    if earlier and dict(earlier[1].values) != dict(item.values):
        raise InvalidInput("row", f"says something else about {item.label} than row {first_row[item.key]}")


def _compare(
    items: Mapping[Key, tuple[UUID, Item]],
    stored: Mapping[Key, Stored],
    report: ImportReport,
    names: "_Names",
) -> list[Change]:
    changes = []
    for key, (made, item) in items.items():
        known = stored.get(key)
        if known is None and item.values.get("ended"):
            report.keep()  # an end of what never was
            continue
        before = known.values if known else {}
        differs = {
            name: (before.get(name), new) for name, new in item.values.items() if before.get(name) != new
        }
        if known and not differs:
            report.keep()
            continue
        changes.append(Change(made, item, known, differs))
        if known is None:
            report.add(item.label)
        else:
            told = ", ".join(
                f"{name} {names.show(old)} -> {names.show(new)}" for name, (old, new) in differs.items()
            )
            report.change(f"{item.label}: {told}")
    return changes


def _note_absent(
    stored: Mapping[Key, Stored], items: Mapping[Key, tuple[UUID, Item]], report: ImportReport
) -> None:
    absent = [key for key in stored if key not in items]
    report.removed_missing = len(absent)
    report.diff.extend(f"- {' '.join(key)} (not in the file; kept)" for key in absent)


def _entries(
    kind: Kind, changes: Sequence[Change], report: ImportReport, *, at: datetime, actor: str
) -> list[Entry]:
    run = str(new_id())
    parent = Entry(
        kind="plant:import:run",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(f"import:{run}",),
        body={
            "kind": kind.name,
            "added": report.added,
            "changed": report.changed,
            "unchanged": report.unchanged,
            "refused": len(report.errors),
        },
    )
    return [parent, *(_entry(kind, change, run, at=at, actor=actor) for change in changes)]


def _entry(kind: Kind, change: Change, run: str, *, at: datetime, actor: str) -> Entry:
    values = change.item.values
    head = f"{kind.noun}:{change.id}"
    subjects = [head, f"import:{run}"]
    action = "add" if change.before is None else "change"
    if kind.name == "asset_cylinders":
        action = "unmap" if values["ended"] else "map"
        subjects.append(f"cylinder:{values['cylinder_id']}")
    if "zone_id" in values:
        subjects.append(f"zone:{values['zone_id']}")
    return Entry(
        kind=f"plant:{kind.noun}:{action}",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=tuple(subjects),
        heads=(head,),
        body={
            "import": run,
            "key": list(change.item.key),
            **{name: _plain(new) for name, (_, new) in change.differs.items() if name != "code_norm"},
        },
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


class _Names:
    """Codes of the ids that a difference shows."""

    def __init__(self, refs: References) -> None:
        self._codes: dict[UUID, str] = {
            **{made: code for code, made in refs.areas.items()},
            **{made: code for code, (made, _) in refs.units.items()},
            **{made: code for code, (made, _) in refs.zones.items()},
            **{made: " ".join(key) for key, made in refs.assets.items()},
            **{made: code for code, (made, _) in refs.access_points.items()},
        }

    def show(self, value: Any) -> str:
        """Write a value the way the file does."""
        if value is None:
            return "nothing"
        return self._codes.get(value, str(value)) if isinstance(value, UUID) else str(value)
