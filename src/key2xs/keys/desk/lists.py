"""Keys that are out: by company or area, overdue or not, with how sure it is who has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

import asyncpg

from key2xs.core import spreadsheet
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, KeyId, PersonId
from key2xs.identity.affiliations import companies_of
from key2xs.keys.registry import key_of
from key2xs.keys.types import StoredKey
from key2xs.plant.service import list_cylinders

from .certainty import Certainty
from .due import Step
from .evidence import DISPUTES
from .parts import SQL

By: TypeAlias = Literal["company", "area"]
NO_COMPANY = "no company known"
NO_AREA = "opens nothing now"


@dataclass(frozen=True, slots=True)
class OutLine:
    """One key that is out."""

    key: StoredKey
    person_id: PersonId
    since: datetime
    due_at: datetime | None
    crew: str | None
    crew_size: int | None
    certainty: Certainty
    report: Literal["lost", "broken"] | None
    step: Step | None
    company: str | None
    areas: tuple[str, ...]

    def is_overdue(self, at: datetime) -> bool:
        """Tell whether it should be back by an instant."""
        return self.due_at is not None and self.due_at <= at


async def keys_out(
    tx: Connection, at: datetime, *, persons: Iterable[PersonId] | None = None
) -> list[OutLine]:
    """Return all keys that somebody has, or these people have, the longest out first."""
    wanted = sorted(set(persons)) if persons is not None else None
    rows = await tx.fetch(SQL["held_now"], at, wanted)
    companies = await companies_of(tx, {PersonId(row["person_id"]) for row in rows}, at) if rows else {}
    areas = await _areas(tx, [KeyId(row["id"]) for row in rows], at)
    disputed = {row["key_id"] for row in await tx.fetch(SQL["disputed_keys"], DISPUTES)}
    return [_line(row, companies, areas, disputed) for row in rows]


async def overdue(tx: Connection, at: datetime) -> list[OutLine]:
    """Return the keys that should be back, the longest overdue first. Lost ones are not asked back."""
    late = [line for line in await keys_out(tx, at) if line.is_overdue(at) and line.report is None]
    return sorted(late, key=lambda line: (line.due_at, line.key.stamp))


def grouped(lines: Sequence[OutLine], by: By) -> list[tuple[str, list[OutLine]]]:
    """Return the lines by company, or by each area that a key opens something in."""
    groups: dict[str, list[OutLine]] = {}
    for line in lines:
        names = (line.company or NO_COMPANY,) if by == "company" else (line.areas or (NO_AREA,))
        for name in names:
            groups.setdefault(name, []).append(line)
    last = {NO_COMPANY, NO_AREA}
    return sorted(groups.items(), key=lambda group: (group[0] in last, group[0].casefold()))


def as_csv(lines: Sequence[OutLine], at: datetime) -> str:
    """Write the list as a file. People by id: names and numbers stay where they are."""
    return spreadsheet.as_csv(
        ["key", "kind", "person", "company", "crew", "crew_size", "since", "due_at", "overdue", "certainty",
         "report", "areas", "as_of"],
        (
            [
                line.key.stamp, line.key.kind, line.person_id, line.company or "", line.crew or "",
                line.crew_size or "", line.since.isoformat(), line.due_at.isoformat() if line.due_at else "",
                "yes" if line.is_overdue(at) else "no", line.certainty, line.report or "",
                " ".join(line.areas), at.isoformat(),
            ]
            for line in lines
        ),
    )  # fmt: skip


async def keys_by_stamp(tx: Connection, stamp: str) -> list[tuple[StoredKey, str]]:
    """Return every key that carries a stamp, with its key system's name: two systems may use the same one."""
    return [(key_of(row), row["system_name"]) for row in await tx.fetch(SQL["keys_by_stamp"], stamp)]


def _line(
    row: asyncpg.Record,
    companies: Mapping[PersonId, str],
    areas: Mapping[KeyId, tuple[str, ...]],
    disputed: set[KeyId],
) -> OutLine:
    key = key_of(row)
    certainty: Certainty = "crew" if (row["crew_size"] or 0) > 1 else "sure"
    if row["report_kind"] == "lost":
        certainty = "lost"
    elif key.id in disputed:
        certainty = "between"
    return OutLine(
        key=key,
        person_id=row["person_id"],
        since=row["since"],
        due_at=row["due_at"],
        crew=row["crew_name"],
        crew_size=row["crew_size"],
        certainty=certainty,
        report=row["report_kind"],
        step=row["step"],
        company=companies.get(row["person_id"]),
        areas=areas.get(key.id, ()),
    )


async def _areas(tx: Connection, keys: Sequence[KeyId], at: datetime) -> dict[KeyId, tuple[str, ...]]:
    """Return the areas in which each key could open something now."""
    rows = await tx.fetch(SQL["openable_cylinders"], keys, at) if keys else []
    ids = sorted({CylinderId(row["cylinder_id"]) for row in rows})
    if not ids:
        return {}
    area_of = {each.id: each.area for each in await list_cylinders(tx, ids=ids, limit=len(ids))}
    found: dict[KeyId, set[str]] = {}
    for row in rows:
        area = area_of.get(row["cylinder_id"])
        if area:
            found.setdefault(KeyId(row["key_id"]), set()).add(area)
    return {key: tuple(sorted(names)) for key, names in found.items()}


async def one_key(tx: Connection, stamp: str) -> StoredKey:
    """Return the only key that carries a stamp.

    Raises:
        NotFound: none does, or keys of several systems do.
    """
    found = await keys_by_stamp(tx, stamp)
    if len(found) == 1:
        return found[0][0]
    if not found:
        message = f"no key carries the stamp {stamp}"
        raise NotFound(message)
    systems = " and ".join(name for _, name in found)
    message = f"keys of {systems} carry the stamp {stamp}; say which one"
    raise NotFound(message)
