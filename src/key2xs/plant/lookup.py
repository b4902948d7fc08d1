"""Finding a cylinder by what somebody calls it, fast: for answers that need no more than its identity."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import CylinderId, parse_id
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.plant", "queries_lookup.sql")


@dataclass(frozen=True, slots=True)
class NamedCylinder:
    """A cylinder's identity: our id, what is printed on it, and whose it is."""

    id: CylinderId
    marking: str
    vendor: str


async def name_cylinder(tx: Connection, name: str) -> NamedCylinder:
    """Return the cylinder with that id, stamp or vendor id.

    Raises:
        NotFound: no such cylinder.
        Conflict: the stamp or vendor id belongs to several cylinders.
    """
    rows = await tx.fetch(_SQL["name_cylinder"], parse_id(name), name)
    if not rows:
        raise NotFound(f"no cylinder {name}")
    if len(rows) > 1 and rows[0]["place"] == rows[1]["place"]:
        raise Conflict(f"several cylinders are called {name}; use the id")
    return NamedCylinder(CylinderId(rows[0]["id"]), rows[0]["marking"], rows[0]["vendor"])
