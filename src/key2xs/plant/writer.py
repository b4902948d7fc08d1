"""Writing plant records and their facts, many at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries

if TYPE_CHECKING:
    from .importer import Change

_SQL = load_queries("key2xs.plant")

Numbered = Sequence[tuple[int, "Change"]]

_COLUMNS = {
    "areas": ("code_norm", "name"),
    "units": ("code_norm", "name", "area_id"),
    "zones": ("code_norm", "name"),
    "assets": ("code_norm", "name", "parent_id", "unit_id"),
    "access_points": ("code_norm", "name", "kind", "area_id", "unit_id", "asset_id", "lat", "lon"),
    "cylinders": ("vendor", "marking", "cylinder_type", "online", "zone_ex"),
}
_FACT_COLUMNS = ("access_point_id", "zone_id", "egress_free", "safety_role")


async def write_changes(tx: Connection, kind: str, numbered: Numbered, at: datetime) -> None:
    """Write changed records of one kind under their entries' numbers; facts are true from `at` on."""
    if kind == "asset_cylinders":
        await _write_links(tx, numbered, at)
        return
    columns = _COLUMNS[kind]
    rows = [
        (change.id, number, *change.item.key, *(change.item.values[name] for name in columns))
        for number, change in numbered
    ]
    await tx.executemany(_SQL[f"put_{kind}"], rows)
    if kind == "zones":
        await _write_zone_facts(tx, numbered, at)
    elif kind == "cylinders":
        await _write_cylinder_facts(tx, numbered, at)


async def put_zone_fact(
    tx: Connection, zone_id: object, number: int, *, criticality: int | None, mode: str | None, at: datetime
) -> None:
    """Replace a zone's criticality or mode from `at` on; None keeps the one it has (a new zone only observes)."""
    closed = await tx.fetch(_SQL["close_zone_fact"], zone_id, number, at)
    for row in closed:
        if row["since"] < at:
            await tx.execute(
                _SQL["add_zone_fact"], zone_id, number, row["criticality"], row["mode"], row["since"], at
            )
    newest = max(closed, key=lambda row: row["since"], default=None)
    kept_criticality = newest["criticality"] if newest else None
    kept_mode = newest["mode"] if newest else "observe"
    await tx.execute(
        _SQL["add_zone_fact"], zone_id, number, criticality or kept_criticality, mode or kept_mode, at, None
    )


async def _write_zone_facts(tx: Connection, numbered: Numbered, at: datetime) -> None:
    for number, change in numbered:
        if "criticality" in change.differs:
            criticality = change.item.values["criticality"]
            await put_zone_fact(tx, change.id, number, criticality=criticality, mode=None, at=at)


async def _write_cylinder_facts(tx: Connection, numbered: Numbered, at: datetime) -> None:
    rows = []
    for number, change in numbered:
        if not change.differs.keys() & set(_FACT_COLUMNS):
            continue
        if change.before is not None:
            for closed in await tx.fetch(_SQL["close_cylinder_fact"], change.id, number, at):
                if closed["since"] < at:
                    kept = [closed[name] for name in _FACT_COLUMNS]
                    rows.append((change.id, number, *kept, closed["since"], at))
        rows.append((change.id, number, *(change.item.values[name] for name in _FACT_COLUMNS), at, None))
    await tx.executemany(_SQL["add_cylinder_fact"], rows)


async def _write_links(tx: Connection, numbered: Numbered, at: datetime) -> None:
    rows: list[tuple[object, ...]] = []
    for number, change in numbered:
        values = change.item.values
        link = (values["asset_id"], values["cylinder_id"], values["role"])
        if not values["ended"]:
            rows.append((*link, number, at, None))
            continue
        ended = await tx.fetch(_SQL["close_link"], *link, number, at)
        rows.extend((*link, number, row["since"], at) for row in ended if row["since"] < at)
    await tx.executemany(_SQL["add_link"], rows)
