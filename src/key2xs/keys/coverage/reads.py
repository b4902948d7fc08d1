"""How far cylinders and keys were read, for pages and answers."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId
from key2xs.core.sql import load_queries
from key2xs.keys.exposure_types import DEFAULT_SETTINGS
from key2xs.keys.types import StoredKey

from .rules import (
    NOTHING,
    Coverage,
    Span,
    Standing,
    Stretch,
    badness,
    either,
    from_numbers,
    from_readings,
    standing,
    together,
)

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
    coverage: Coverage
    standing: Standing


@dataclass(frozen=True, slots=True)
class KeyCoverage:
    """How far one key's openings are known."""

    key_id: KeyId
    key: str
    system: str
    vendor: str
    coverage: Coverage
    standing: Standing


async def cylinders(
    tx: Connection,
    at: datetime,
    *,
    zone: str | None = None,
    unit: str | None = None,
    only: Collection[CylinderId] | None = None,
) -> list[CylinderCoverage]:
    """Return how far cylinders were read, worst first."""
    places = await tx.fetch(_SQL["places"], zone, unit, list(only) if only is not None else None)
    known = await _of_locks(tx, sorted({row["external_id"] for row in places}))
    found = [_cylinder(row, known, at) for row in places]
    return sorted(found, key=lambda each: (badness(each.coverage, at), each.zone, each.lock))


async def cylinder(tx: Connection, cylinder_id: CylinderId, at: datetime) -> Coverage:
    """Return how far one cylinder was read; the worst where several systems list it."""
    found = await cylinders(tx, at, only=[cylinder_id])
    return found[0].coverage if found else NOTHING


async def keys(tx: Connection, at: datetime, *, only: Collection[KeyId] | None = None) -> list[KeyCoverage]:
    """Return how far the openings of keys are known, worst first."""
    rows = await tx.fetch(_SQL["keys"], list(only) if only is not None else None)
    own = await _runs(tx, "key", [row["external_id"] for row in rows] if only is not None else None)
    wanted = {each for row in rows if row["vendor"] not in _OWN_MEMORY for each in row["cylinders"]}
    locks: dict[CylinderId, Coverage] = {}
    # Worst first: where several systems list one cylinder, the first is what may be claimed.
    for each in await cylinders(tx, at, only=wanted) if wanted else ():
        locks.setdefault(each.cylinder_id, each.coverage)
    found = [_key(row, own, locks, at) for row in rows]
    return sorted(found, key=lambda each: (badness(each.coverage, at), each.key))


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
    own = await _runs(tx, "key", [asked.external_id])
    return either(found, own.get((asked.system_id, asked.external_id), NOTHING))


def _cylinder(row: Any, known: Mapping[_Memory, Coverage], at: datetime) -> CylinderCoverage:
    found = known.get((row["system_id"], row["external_id"]), NOTHING)
    return CylinderCoverage(
        row["cylinder_id"], row["marking"], row["zone"], row["area"], row["unit"], row["access_point"], row["lat"],
        row["lon"], row["system"], row["vendor"], found, standing(found, at),
    )  # fmt: skip


def _key(
    row: Any, own: Mapping[_Memory, Coverage], locks: Mapping[CylinderId, Coverage], at: datetime
) -> KeyCoverage:
    if row["vendor"] in _OWN_MEMORY:
        found = own.get((row["system_id"], row["external_id"]), NOTHING)
    elif row["adopted"]:
        found = together([locks.get(each, NOTHING) for each in row["cylinders"]])
    else:
        found = NOTHING  # what it opens besides was never taken up
    return KeyCoverage(row["key_id"], row["stamp"], row["system"], row["vendor"], found, standing(found, at))


async def _of_locks(tx: Connection, only: list[str]) -> dict[_Memory, Coverage]:
    numbered: defaultdict[_Memory, list[Stretch]] = defaultdict(list)
    for row in await tx.fetch(_SQL["stretches"], only):
        stretch = Stretch(row["first"], row["last"], row["rows"], row["begins"], row["ends"])
        numbered[row["system_id"], row["external_id"]].append(stretch)
    found = {memory: from_numbers(stretches, CLOCK_MARGIN) for memory, stretches in numbered.items()}
    for memory, coverage in (await _runs(tx, "lock", only)).items():
        found[memory] = either(found.get(memory, NOTHING), coverage)
    return found


async def _runs(tx: Connection, memory: str, only: list[str] | None) -> dict[_Memory, Coverage]:
    runs: defaultdict[_Memory, list[Span]] = defaultdict(list)
    for row in await tx.fetch(_SQL["runs"], memory, only):
        runs[row["system_id"], row["external_id"]].append(Span(row["start_at"], row["end_at"]))
    return {each: from_readings(spans, CLOCK_MARGIN) for each, spans in runs.items()}
