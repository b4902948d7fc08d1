"""What must be visited before Key2XS can give access: locks to be reprogrammed once, keys to be brought by."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, PersonId
from key2xs.core.sql import load_queries
from key2xs.keys.port import KeyKind

_SQL = load_queries("key2xs.keys.adoption")

LockVisit: TypeAlias = Literal[
    "right_missing", "to_program", "list_waits", "lists_keys", "done", "done_by_plan", "none_needed"
]
OverTheAir: TypeAlias = Callable[[str, KeyKind], bool]
"""Tells of a key system by name whether keys of a kind are updated without anybody carrying them."""


@dataclass(frozen=True, slots=True)
class LockLine:
    """One lock, and what has to happen to it.

    `state`: a right that may be written must be added to it by an administrator (*right_missing*), the lock must be
    programmed with it (*to_program*), it is in the lock (*done*), it is planned and the vendor does not say whether
    it is in the lock (*done_by_plan*), its list of keys changed and has to be brought to it (*list_waits*), keys of the
    system are listed in its locks and nobody can say in which (*lists_keys*: it needs a visit if it lists one), or this make
    needs no visit.
    """

    lock: str
    system: str
    vendor_id: str
    area: str | None
    access_point: str | None
    zone: str | None
    state: LockVisit

    @property
    def done(self) -> bool:
        """Whether nobody has to go there."""
        return self.state in {"done", "done_by_plan", "none_needed"}


@dataclass(frozen=True, slots=True)
class KeyLine:
    """One key that must come to an updater, or to a person with a programming key."""

    key_id: KeyId
    key: str
    system: str
    kind: str
    person_id: PersonId | None
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class CylinderTask:
    """One cylinder that a programming key must be put into."""

    lock: str
    area: str | None
    access_point: str | None
    key: str
    state: str
    kind: str
    """*block*, or *unblock* for a found key."""


@dataclass(frozen=True, slots=True)
class Visits:
    """Everything to visit, locks by area and stamp."""

    locks: list[LockLine]
    keys: list[KeyLine]
    tasks: list[CylinderTask]

    @property
    def locks_done(self) -> int:
        """How many locks need no visit any more."""
        return sum(line.done for line in self.locks)


async def visits(tx: Connection, over_the_air: OverTheAir) -> Visits:
    """Return what must be visited, from what the key systems listed last."""
    locks = [
        LockLine(
            row["lock"], row["system"], row["vendor_id"], row["area"], row["access_point"], row["zone"],
            _state(row),
        )
        for row in await tx.fetch(_SQL["lock_visits"])
    ]  # fmt: skip
    keys = [
        KeyLine(
            row["key_id"], row["key"], row["system"], row["kind"], row["person_id"], row["since"],
            row["problem"] or "its new program waits until it is brought to an updater",
        )
        for row in await tx.fetch(_SQL["key_visits"])
        if row["problem"] or not over_the_air(row["system"], KeyKind(row["kind"]))
    ]  # fmt: skip
    tasks = [CylinderTask(**row) for row in await tx.fetch(_SQL["cylinder_tasks"])]
    return Visits(locks, keys, tasks)


def _state(row: Any) -> LockVisit:
    if row["vendor"] == "cliq":
        # Dynamic and Connect keys carry the list of cylinders; a normal key stands in the lists of the cylinders.
        if row["to_bring"]:
            return "list_waits"
        return "lists_keys" if row["lists_keys"] else "none_needed"
    if not row["planned"]:
        return "right_missing"
    if row["programmed"] is None:
        return "done_by_plan"
    return "done" if row["programmed"] else "to_program"
