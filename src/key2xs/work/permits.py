"""Permits in the database: their events, and the states that follow from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.ids import PermitId
from key2xs.plant import normalise

from .desk import SQL
from .states import ENDED
from .timeline import Finding, Stop, Stretch, Timeline, Told

_CLOCK: Final = "clock"


@dataclass(frozen=True, slots=True)
class PermitRow:
    """A permit as its newest event has it."""

    id: PermitId
    source: str
    external_id: str
    number: str
    type: str
    area: str
    area_norm: str
    unit: str | None
    parent: str | None
    sequence: int
    revision: int
    needs_pull: bool
    findings: tuple[Finding, ...]
    entry: int

    @classmethod
    def read(cls, row: Any) -> "PermitRow":
        """Read one row."""
        values = dict(row)
        values["findings"] = msgspec.convert(values["findings"], tuple[Finding, ...])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Boundary:
    """An instant at which facts change by the clock alone."""

    kind: str
    due_at: datetime


async def find_permit_row(tx: Connection, source: str, external_id: str) -> PermitRow | None:
    """Return a permit by what its source calls it."""
    row = await tx.fetchrow(SQL["find_permit"], source, external_id)
    return PermitRow.read(row) if row else None


async def permits_of_area(tx: Connection, area: str) -> list[PermitRow]:
    """Return the permits of an area, from any source."""
    return [PermitRow.read(row) for row in await tx.fetch(SQL["permits_of_area"], normalise(area))]


async def told_events(tx: Connection, permit_id: PermitId) -> list[Told]:
    """Return everything told about a permit."""
    return [
        msgspec.convert(row["order_facts"], Told) for row in await tx.fetch(SQL["order_facts"], permit_id)
    ]


async def told_events_of_many(tx: Connection, ids: Iterable[PermitId]) -> dict[PermitId, list[Told]]:
    """Return everything told about many permits."""
    found: dict[PermitId, list[Told]] = {}
    for row in await tx.fetch(SQL["order_facts_of_many"], list(ids)):
        found.setdefault(row["permit_id"], []).append(msgspec.convert(row["order_facts"], Told))
    return found


async def area_stops(tx: Connection, area: str) -> list[Stop]:
    """Return the stops of an area, from any source: who says stop does not matter."""
    return [Stop(str(row["id"]), row["at"]) for row in await tx.fetch(SQL["area_stops"], normalise(area))]


def plain(told: Told) -> Any:
    """Write what was told as JSON values."""
    return msgspec.to_builtins(told)


async def write_timeline(tx: Connection, permit_id: PermitId, timeline: Timeline, entry: int) -> None:
    """Replace the stretches that we now know better; the others keep the entry that made them."""
    stored = {
        row["starts_at"]: _segment(dict(row), row["starts_at"], row["ends_at"])
        for row in await tx.fetch(SQL["permit_states"], permit_id)
    }
    wanted = {segment["starts_at"]: segment for segment in _segments(timeline.stretches)}
    outdated = [starts_at for starts_at, segment in stored.items() if wanted.get(starts_at) != segment]
    if outdated:
        await tx.execute(SQL["close_permit_states"], permit_id, outdated, entry)
    rows = [
        (
            permit_id, entry, each["state"], each["cause"], each["sequence"], each["valid_from"], each["valid_to"],
            each["withheld"], each["starts_at"], each["ends_at"],
        )
        for starts_at, each in wanted.items()
        if stored.get(starts_at) != each
    ]  # fmt: skip
    await tx.executemany(SQL["add_permit_state"], rows)


def _segments(stretches: Sequence[Stretch]) -> list[dict[str, Any]]:
    ends = [*(stretch.starts_at for stretch in stretches[1:]), None]
    return [
        _segment(_fields(stretch), stretch.starts_at, end)
        for stretch, end in zip(stretches, ends, strict=True)
    ]


def _fields(stretch: Stretch) -> dict[str, Any]:
    return {
        "state": stretch.state,
        "cause": stretch.cause,
        "sequence": stretch.sequence,
        "valid_from": stretch.valid_from,
        "valid_to": stretch.valid_to,
        "withheld": [list(place) for place in sorted(stretch.withheld)],
    }


def _segment(row: Mapping[str, Any], starts_at: datetime, ends_at: datetime | None) -> dict[str, Any]:
    names = ("state", "cause", "sequence", "valid_from", "valid_to", "withheld")
    return {**{name: row[name] for name in names}, "starts_at": starts_at, "ends_at": ends_at}


async def newest_document(tx: Connection, permit_id: PermitId) -> dict[str, Any] | None:
    """Return the full state that the newest readable event gave."""
    found: dict[str, Any] | None = await tx.fetchval(SQL["newest_document"], permit_id)
    return found


async def write_crew(
    tx: Connection, permit_id: PermitId, people: Sequence[Mapping[str, Any]], entry: int
) -> None:
    """Write who is on a permit; lines that are gone stay, marked as not present."""
    stored = {
        row["line"]: (row["party_id"], row["role"], row["signed_on"], row["signed_off"], row["present"])
        for row in await tx.fetch(SQL["crew_lines"], permit_id)
    }
    wanted: dict[int, tuple[Any, ...]] = {
        line: (
            UUID(member["party"]),
            member["role"],
            instant(member["signed_on"]),
            instant(member["signed_off"]),
            True,
        )
        for line, member in enumerate(people)
    }
    gone = {line: (*values[:4], False) for line, values in stored.items() if line not in wanted}
    rows = [
        (permit_id, line, *values, entry)
        for line, values in {**gone, **wanted}.items()
        if stored.get(line) != values
    ]
    await tx.executemany(SQL["put_crew_line"], rows)


def boundaries_of(timeline: Timeline, document: Mapping[str, Any] | None) -> set[Boundary]:
    """Return the instants that the clock will bring about, by what we know now."""
    found = {Boundary("expire", each.starts_at) for each in timeline.stretches if each.cause == _CLOCK}
    last = timeline.stretches[-1] if timeline.stretches else None
    if document is None or last is None or (last.state in ENDED and last.cause != _CLOCK):
        return found
    tests = document["gas_tests"]
    newest = max(tests, key=lambda test: instant(test["at"]) or _NEVER, default=None)
    if newest and newest["valid_to"]:
        found.add(Boundary("gas_lapse", _at(newest["valid_to"])))
    found.update(Boundary("checkin", _at(each["due_at"])) for each in document["checkins"] if not each["at"])
    return found


async def write_boundaries(
    tx: Connection,
    permit_id: PermitId,
    wanted: set[Boundary],
    *,
    now: datetime,
    entry: int,
) -> None:
    """Note what the clock must tell, and take back what it no longer must.

    What passed before we heard of it is told by the message's own entry; a missed check-in is told in any case.
    """
    stored = {
        Boundary(row["kind"], row["due_at"]): row for row in await tx.fetch(SQL["boundaries"], permit_id)
    }
    rows = []
    for each in wanted:
        row = stored.get(each)
        passed = each.kind != "checkin" and each.due_at <= now
        if row is None or not row["wanted"]:
            told = passed or (row is not None and row["told"])
            rows.append((permit_id, each.kind, each.due_at, True, told, entry))
    rows += [
        (permit_id, each.kind, each.due_at, False, row["told"], entry)
        for each, row in stored.items()
        if each not in wanted and row["wanted"]
    ]
    await tx.executemany(SQL["put_boundary"], rows)


def instant(text: str | None) -> datetime | None:
    """Read an optional instant of a stored document."""
    return None if text is None else _at(text)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_NEVER: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
