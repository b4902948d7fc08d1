"""How far cylinders and keys were read, for pages and answers."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, KeySystemId
from key2xs.core.sql import load_queries
from key2xs.keys.exposure_types import DEFAULT_SETTINGS
from key2xs.keys.types import StoredKey

from .forecast import NOT_KNOWN, Forecast, Ring, Use, forecast, observed
from .rules import (
    NOTHING,
    Coverage,
    Run,
    Standing,
    Stretch,
    badness,
    either,
    from_numbers,
    from_readings,
    standing,
    together,
)
from .summing import Memory

_SQL = load_queries("key2xs.keys.coverage")
_Memory: TypeAlias = tuple[UUID, str]

CLOCK_MARGIN: Final = DEFAULT_SETTINGS.margin(DEFAULT_SETTINGS.unknown_clock_age)
"""How far a clock of which nobody knows when it was set may be off: the margin of the published bounds."""
_OWN_MEMORY: Final = frozenset({"cliq"})
"""Makers whose keys keep a memory of their own; a key of another maker is only in the memories of locks."""


@dataclass(frozen=True, slots=True)
class CylinderCoverage:
    """How far one cylinder was read. `system` None: no key system lists it."""

    cylinder_id: CylinderId
    lock: str
    zone: str
    area: str
    unit: str | None
    access_point: str
    lat: float | None
    lon: float | None
    system: str | None
    vendor: str | None
    system_id: KeySystemId | None
    external_id: str
    coverage: Coverage
    standing: Standing
    forecast: Forecast = NOT_KNOWN
    """When it is expected to lose rows; `foretold` fills it in."""
    foreign: Forecast = NOT_KNOWN
    """The same of its rows of keys of other systems."""


@dataclass(frozen=True, slots=True)
class KeyCoverage:
    """How far one key's openings are known."""

    key_id: KeyId
    key: str
    system: str
    vendor: str
    system_id: KeySystemId
    external_id: str
    coverage: Coverage
    standing: Standing
    forecast: Forecast = NOT_KNOWN


async def cylinders(
    tx: Connection,
    at: datetime,
    *,
    zone: str | None = None,
    unit: str | None = None,
    only: Collection[CylinderId] | None = None,
) -> list[CylinderCoverage]:
    """Return how far cylinders were read, worst first; `foretold` says when they run over."""
    places = await tx.fetch(_SQL["places"], zone, unit, list(only) if only is not None else None)
    is_all = zone is None and unit is None and only is None
    known = await _of_locks(tx, None if is_all else sorted({row["external_id"] for row in places}))
    found = [_cylinder(row, known, at) for row in places]
    return sorted(found, key=lambda each: (badness(each.coverage, each.standing), each.zone, each.lock))


async def cylinder(tx: Connection, cylinder_id: CylinderId, at: datetime) -> Coverage:
    """Return how far one cylinder was read; the worst where several systems list it."""
    found = await cylinders(tx, at, only=[cylinder_id])
    return found[0].coverage if found else NOTHING


async def keys(
    tx: Connection,
    at: datetime,
    *,
    only: Collection[KeyId] | None = None,
) -> list[KeyCoverage]:
    """Return how far the openings of keys are known, worst first; `foretold_keys` says when memories run over."""
    rows = await tx.fetch(_SQL["keys"], list(only) if only is not None else None, None)
    names = [row["external_id"] for row in rows] if only is not None else None
    own = await _of_keys(tx, names)
    opened = await _ever_opened(tx, [row["key_id"] for row in rows if _is_in_locks_only(row)])
    locks: dict[CylinderId, Coverage] = {}
    # Worst first: where several systems list one cylinder, the first is what may be claimed.
    for each in await cylinders(tx, at, only=set().union(*opened.values())) if opened else ():
        locks.setdefault(each.cylinder_id, each.coverage)
    found = [
        _key(row, own, [locks.get(each, NOTHING) for each in opened.get(row["key_id"], ())], at)
        for row in rows
    ]
    return sorted(found, key=lambda each: (badness(each.coverage, each.standing), each.key))


async def keys_running_over(
    tx: Connection, at: datetime, rings: Mapping[str, Ring]
) -> list[tuple[KeyCoverage, datetime]]:
    """Return keys that keep a memory of their own with when it is expected to run over, where that is known."""
    rows = await tx.fetch(_SQL["keys"], None, sorted(_OWN_MEMORY))
    own = await _of_keys(tx, None) if rows else {}
    found = await foretold_keys(tx, [_key(row, own, (), at) for row in rows], rings, at)
    return [(each, when) for each in found if (when := each.forecast.expected_at) is not None]


async def key(tx: Connection, key_id: KeyId, at: datetime) -> Coverage:
    """Return how far the openings of one key are known."""
    found = await keys(tx, at, only=[key_id])
    return found[0].coverage if found else NOTHING


async def coverage_of(
    tx: Connection, asked: StoredKey | None, cylinder_id: CylinderId | None, at: datetime
) -> Coverage:
    """Return how far the openings of a key, at a cylinder, or of a key at a cylinder are known.

    Of both, the cylinder tells them, or the key does.
    """
    if cylinder_id is None:
        return await key(tx, asked.id, at) if asked is not None else NOTHING
    found = await cylinder(tx, cylinder_id, at)
    if asked is None:
        return found
    own = await _of_keys(tx, [asked.external_id])
    return either(found, own.get((asked.system_id, asked.external_id), NOTHING))


def _cylinder(row: Any, known: Mapping[_Memory, Coverage], at: datetime) -> CylinderCoverage:
    found = known.get((row["system_id"], row["external_id"]), NOTHING)
    return CylinderCoverage(
        row["cylinder_id"], row["marking"], row["zone"], row["area"], row["unit"], row["access_point"], row["lat"],
        row["lon"], row["system"], row["vendor"], row["system_id"], row["external_id"], found, standing(found, at),
    )  # fmt: skip


def _key(row: Any, own: Mapping[_Memory, Coverage], locks: Sequence[Coverage], at: datetime) -> KeyCoverage:
    found = own.get((row["system_id"], row["external_id"]), NOTHING)
    if _is_in_locks_only(row):
        found = either(found, together(locks))
    return KeyCoverage(
        row["key_id"], row["stamp"], row["system"], row["vendor"], row["system_id"], row["external_id"], found,
        standing(found, at),
    )  # fmt: skip


def _is_in_locks_only(row: Any) -> bool:
    """Where a key is not adopted, what it opens besides was never taken up, and only its own numbers tell."""
    return row["vendor"] not in _OWN_MEMORY and row["adopted"]


async def _ever_opened(tx: Connection, asked: list[KeyId]) -> dict[KeyId, list[CylinderId]]:
    rows = await tx.fetch(_SQL["ever_opened"], asked) if asked else []
    return {row["key_id"]: row["cylinders"] for row in rows}


async def foretold(
    tx: Connection, lines: Sequence[CylinderCoverage], rings: Mapping[str, Ring], at: datetime
) -> list[CylinderCoverage]:
    """Fill in when the memories of some cylinders are expected to run over, by how many rows they hold."""
    asked = {line.cylinder_id: span for line in lines if (span := observed(line.coverage)) is not None}
    rows = await tx.fetch(_SQL["use_of_cylinders"], *_asked(asked))
    used = {row["of_id"]: row for row in rows}

    def foretell(line: CylinderCoverage) -> CylinderCoverage:
        ring, span = rings.get(line.system or ""), asked.get(line.cylinder_id)
        if ring is None or span is None:
            return line
        row = used.get(line.cylinder_id)
        own = Use(span[0], row["rows"], row["unread"]) if row is not None else Use(span[0], 0)
        others = Use(span[0], row["foreign_rows"] if row is not None else 0)
        return replace(
            line,
            forecast=forecast(line.coverage, own, ring.own, at),
            foreign=forecast(line.coverage, others, ring.foreign, at) if ring.foreign else NOT_KNOWN,
        )

    return [foretell(line) for line in lines]


async def foretold_keys(
    tx: Connection, lines: Sequence[KeyCoverage], rings: Mapping[str, Ring], at: datetime
) -> list[KeyCoverage]:
    """The same of keys that keep a memory of their own."""
    asked = {
        line.key_id: span
        for line in lines
        if line.vendor in _OWN_MEMORY and (span := observed(line.coverage)) is not None
    }
    used = {row["of_id"]: row for row in await tx.fetch(_SQL["use_of_keys"], *_asked(asked))}
    found = []
    for line in lines:
        ring, span = rings.get(line.system), asked.get(line.key_id)
        if ring is not None and ring.key is not None and span is not None:
            row = used.get(line.key_id)
            # Newer rows came from locks; that they stand in the key as well is what its memory is filled with.
            use = Use(span[0], row["rows"], row["unread"]) if row is not None else Use(span[0], 0)
            line = replace(line, forecast=forecast(line.coverage, use, ring.key, at))  # noqa: PLW2901
        found.append(line)
    return found


def _asked(
    spans: Mapping[Any, tuple[datetime, datetime]],
) -> tuple[list[Any], list[datetime], list[datetime]]:
    ids = sorted(spans)
    return ids, [spans[each][0] for each in ids], [spans[each][1] for each in ids]


async def _of_locks(tx: Connection, only: list[str] | None) -> dict[_Memory, Coverage]:
    found = await _numbered(tx, "lock", only)
    for memory, coverage in (await _runs(tx, "lock", only)).items():
        found[memory] = either(found.get(memory, NOTHING), coverage)
    return found


async def _of_keys(tx: Connection, only: list[str] | None) -> dict[_Memory, Coverage]:
    """Return what memories of keys tell, and the numbers of their own attempts where those are told."""
    found = await _runs(tx, "key", only)
    for memory, coverage in (await _numbered(tx, "key", only)).items():
        found[memory] = either(found.get(memory, NOTHING), coverage)
    return found


async def _numbered(tx: Connection, kept_in: Memory, only: list[str] | None) -> dict[_Memory, Coverage]:
    numbered: defaultdict[_Memory, list[Stretch]] = defaultdict(list)
    for row in await tx.fetch(_SQL["stretches"], kept_in, only):
        stretch = Stretch(row["first"], row["last"], row["rows"], row["begins"], row["ends"])
        numbered[row["system_id"], row["external_id"]].append(stretch)
    return {memory: from_numbers(stretches, CLOCK_MARGIN) for memory, stretches in numbered.items()}


async def _runs(tx: Connection, memory: str, only: list[str] | None) -> dict[_Memory, Coverage]:
    runs: defaultdict[_Memory, list[Run]] = defaultdict(list)
    for row in await tx.fetch(_SQL["runs"], memory, only):
        runs[row["system_id"], row["external_id"]].append(
            Run(row["start_at"], row["end_at"], row["wiped_at"] is not None)
        )
    return {each: from_readings(spans, CLOCK_MARGIN) for each, spans in runs.items()}
