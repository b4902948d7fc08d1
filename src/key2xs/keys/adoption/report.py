"""The inventory report: what an existing site has, before anything is changed."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries
from key2xs.identity.headcount import who_left

_SQL = load_queries("key2xs.keys.adoption")
_Right: TypeAlias = tuple[Any, str]
"""A right by the id of its key system, and its own there."""

LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "keys_without_holder": ("key", "system", "kind", "vendor_says_out", "adopted", "locks"),
    "holders_left": ("key", "system", "holder", "since", "locks"),
    "rights_unused": ("right", "system", "keys", "locks", "last_used"),
    "locks_unmapped": ("lock", "system", "vendor_id"),
    "cylinders_unlisted": ("lock", "zone", "area", "vendor_id"),
    "keys_no_bound": ("key", "system", "kind", "holder", "locks", "why"),
    "stamps_twice": ("key", "systems", "keys"),
}
"""The lists of the report and the columns of each. `locks` is empty where nobody can say what a key opens."""


@dataclass(frozen=True, slots=True)
class InventoryReport:
    """Counts and lists. `openings_since`: how far back openings are known; None: none was read yet.

    `unread`: keys that were listed and not read yet; what they open is not known.
    """

    at: datetime
    as_of: datetime | None
    keys: int
    adopted: int
    emergency: int
    locks: int
    rights: int
    unread: int
    openings_since: datetime | None
    unused_days: int
    lists: Mapping[str, list[dict[str, Any]]]

    @property
    def counts(self) -> dict[str, int]:
        """How many lines each list has."""
        return {name: len(lines) for name, lines in self.lists.items()}

    @property
    def openings_cover(self) -> bool:
        """Tell whether openings are known for as long as a right must be unused to be listed."""
        return self.openings_since is not None and self.openings_since <= self.at - timedelta(
            days=self.unused_days
        )


async def inventory_report(tx: Connection, at: datetime, *, unused_days: int) -> InventoryReport:
    """Read the report; everything in it is of one instant."""
    counts = dict((await tx.fetch(_SQL["report_counts"]))[0])
    held = await tx.fetch(_SQL["holders"], at)
    left = await who_left(tx, [row["person_id"] for row in held], at)
    return InventoryReport(
        at=at,
        **counts,
        unused_days=unused_days,
        lists={
            "keys_without_holder": [dict(row) for row in await tx.fetch(_SQL["without_holder"], at)],
            "holders_left": [
                {"key": row["key"], "system": row["system"], "holder": str(row["person_id"]),
                 "since": row["since"], "locks": row["locks"]}
                for row in held if row["person_id"] in left
            ],
            "rights_unused": await _unused(tx, at - timedelta(days=unused_days)),
            "locks_unmapped": [dict(row) for row in await tx.fetch(_SQL["locks_unmapped"])],
            "cylinders_unlisted": [dict(row) for row in await tx.fetch(_SQL["cylinders_unlisted"])],
            "keys_no_bound": [dict(row) for row in await tx.fetch(_SQL["no_bound"], at)],
            "stamps_twice": [dict(row) for row in await tx.fetch(_SQL["stamps_twice"])],
        },
    )  # fmt: skip


async def _unused(tx: Connection, since: datetime) -> list[dict[str, Any]]:
    """List rights that keys carry and no key opened anything with since an instant."""
    carried: dict[Any, set[_Right]] = defaultdict(set)
    keys: dict[_Right, int] = defaultdict(int)
    systems: dict[Any, str] = {}
    for row in await tx.fetch(_SQL["carried_rights"]):
        right = (row["system_id"], row["right_id"])
        carried[row["key_id"]].add(right)
        keys[right] += 1
        systems[row["system_id"]] = row["system"]
    # Two systems of one make may call different rights the same.
    rights = {(row["system_id"], row["right_id"]): row for row in await tx.fetch(_SQL["all_rights"])}
    locks = {right: frozenset(row["locks"]) for right, row in rights.items()}
    last: dict[_Right, datetime] = {}
    for row in await tx.fetch(_SQL["last_openings"]):
        for right in carried.get(row["key_id"], ()):
            if row["lock"] in locks.get(right, ()) and row["at"] > last.get(right, _NEVER):
                last[right] = row["at"]
    return [
        {
            "right": rights[right]["name"] if right in rights else right[1],
            "system": systems[right[0]],
            "keys": number,
            "locks": len(locks.get(right, ())),
            "last_used": last.get(right),
        }
        for right, number in sorted(
            keys.items(), key=lambda item: (-item[1], systems[item[0][0]], item[0][1])
        )
        if last.get(right, _NEVER) < since
    ]


_NEVER: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")
