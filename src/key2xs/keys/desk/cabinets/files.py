"""Cabinets by file: what they saw, and who may take which key when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.imports import ROW_LIMIT, ImportReport, Row
from key2xs.core.outside import CabinetSource
from key2xs.core.spreadsheet import as_csv
from key2xs.core.sql import load_queries
from key2xs.grants.reads import leases_ending_before
from key2xs.keys.desk.handing import why_no_key
from key2xs.keys.desk.parts import KeyDesk
from key2xs.keys.registry import key_of

from .events import CabinetEvent, read_row
from .taking import take_events

_OWN = load_queries("key2xs.keys", "queries_cabinets.sql")

KIND: Final = "cabinet_events"
AHEAD: Final = timedelta(hours=24)
"""How far ahead a cabinet is told: it may be cut off, and must not go on longer on old news."""
_MOST_GRANTS: Final = 20_000
_LONGEST_GRANT: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class CabinetState:
    """One cabinet: whether it is online, when it was heard, and how many keys lie in it."""

    source: str
    name: str
    online: bool
    heard_at: datetime
    keys: int


async def cabinets(tx: Connection) -> list[CabinetState]:
    """Return all cabinets that were ever heard."""
    return [CabinetState(**row) for row in await tx.fetch(_OWN["list_cabinets"])]


async def import_events(
    tx: Connection,
    desk: KeyDesk,
    source: CabinetSource,
    rows: Sequence[Mapping[str, str | None]],
    *,
    at: datetime,
    dry_run: bool = False,
) -> ImportReport:
    """Take in rows of a cabinet's own file; the same as its webhook. A wrong row is reported, the others are taken.

    Raises:
        InvalidInput: more rows than any site has.
    """
    if len(rows) > ROW_LIMIT:
        raise InvalidInput("rows", f"more than {ROW_LIMIT}")
    report = ImportReport(kind=KIND, dry_run=dry_run)
    events: list[CabinetEvent] = []
    for row in Row.number_rows(rows):
        try:
            events.append(read_row(row.values, source.name))
        except InvalidInput as error:
            report.refuse(row.number, error.field, error.problem)
    if dry_run:
        ids = [each.event_id for each in events]
        known = {row["event_id"] for row in await tx.fetch(_OWN["known_events"], source.name, ids)}
        report.unchanged = sum(each.event_id in known for each in events)
        report.added = len(events) - report.unchanged
        return report
    for taken in await take_events(tx, desk, source, events, at):
        if taken.outcome == "known":
            report.keep()
        else:
            found = f": {', '.join(taken.findings).replace('_', ' ')}" if taken.findings else ""
            report.add(f"{taken.event_id}{found}")
    return report


async def may_take(tx: Connection, desk: KeyDesk, source: CabinetSource, cabinet: str, at: datetime) -> str:
    """Write who may take which key of a cabinet, from when until when: a file for the cabinet to load.

    A key is offered to everybody who has access to a lock of its system, for that time and no longer. People stand by
    their id here, which the cabinet sends back with its events; numbers and names stay where they are.
    """
    keys = [
        (key_of(row), row["place"]) for row in await tx.fetch(_OWN["keys_in_cabinet"], source.name, cabinet)
    ]
    grants = [
        lease
        for lease in await leases_ending_before(tx, at + _LONGEST_GRANT, _MOST_GRANTS)
        if lease.starts_at < at + AHEAD and lease.ends_at > at
    ]
    systems: dict[object, set[object]] = {}
    wanted = sorted({cylinder for lease in grants for cylinder in lease.cylinders})
    for row in await tx.fetch(_OWN["systems_of_cylinders"], wanted):
        systems.setdefault(row["cylinder_id"], set()).add(row["system_id"])
    refused = {
        person for person in {lease.person_id for lease in grants} if await why_no_key(tx, desk, person, at)
    }
    rows: list[list[object]] = []
    for lease in sorted(grants, key=lambda each: (each.person_id, each.starts_at, each.id)):
        here = {system for cylinder in lease.cylinders for system in systems.get(cylinder, ())}
        if lease.person_id in refused:
            continue
        for key, place in keys:
            if key.system_id in here:
                until = min(lease.ends_at, at + AHEAD)
                rows.append(
                    [cabinet, place.partition("/")[2], key.stamp, f"person:{lease.person_id}",
                     max(lease.starts_at, at).isoformat(), until.isoformat(), lease.basis_kind, at.isoformat()]
                )  # fmt: skip
    return as_csv(["cabinet", "slot", "item", "person", "from", "until", "because", "as_of"], rows)
