"""Groups of an IAM: membership gives a role for as long as it lasts."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId, new_id
from key2xs.ledger import Entry, Lane

from .desk import SQL, Desk
from .timeline import Span
from .types import Act, Group

LONGEST_NAME = 256  # characters; Entra's limit for a group's display name
PEOPLE_PER_ENTRY = 50  # subjects of one entry: far below a leaf's 65,535 bytes, and a page stays readable

_NOT_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What a request does to a group; `None` leaves a part as it is."""

    display_name: str | None = None
    external_id: str | None = None
    clear_external_id: bool = False
    add: frozenset[PersonId] = frozenset()
    remove: frozenset[PersonId] = frozenset()


def role_of(display_name: str) -> str:
    """Return the role a group stands for: `Key2XS - Gas Tester` and `gas_tester` both give gas_tester."""
    words = _NOT_WORD.sub("_", display_name.casefold()).strip("_")
    return words.removeprefix("key2xs_") or "group"


def origin_of(group_id: UUID) -> str:
    """Return how role facts name the group they come from."""
    return f"group:{group_id}"


async def members(tx: Connection, group_id: UUID) -> dict[PersonId, Any]:
    """Return the present members, each with the row of their role."""
    return {
        PersonId(row["person"]): row for row in await tx.fetch(SQL["members_of_origin"], origin_of(group_id))
    }


async def create_group(
    tx: Connection,
    desk: Desk,
    act: Act,
    source: str,
    *,
    display_name: str,
    external_id: str | None,
    people: Collection[PersonId],
) -> UUID:
    """Make a group with its first members."""
    _check(display_name)
    group_id, role = new_id(), role_of(display_name)
    body = {"source": source, "display_name": display_name, "role": role, "external_id": external_id}
    entries = [
        _entry(act, "identity:group:create", group_id, body),
        *_member_entries(act, group_id, "add", people),
    ]
    numbers = await desk.ledger.record_many(tx, entries)
    await tx.execute(
        SQL["insert_group"], group_id, source, display_name, external_id, role, act.recorded_at, numbers[-1]
    )
    await _add(tx, act, group_id, role, people, numbers[1:])
    return group_id


async def find_group(tx: Connection, source: str, group_id: UUID, *, lock: bool = False) -> Group | None:
    """Return a live group of a source, or None."""
    row = await tx.fetchrow(SQL["lock_group" if lock else "get_group"], source, group_id)
    return group_from(row) if row else None


def group_from(row: Any) -> Group:
    """Read one row."""
    return Group(
        source=row["source"],
        display_name=row["display_name"],
        role=row["role"],
        external_id=row["external_id"],
        made_at=row["made_at"],
        changed_at=row["changed_at"],
        entry=row["entry"],
    )


async def change_group(
    tx: Connection, desk: Desk, act: Act, group_id: UUID, group: Group, change: GroupChange
) -> int:
    """Change a group and its members; the caller holds the group's row.

    A renamed group stands for another role, so all its members' roles end and begin.

    Returns:
        The last entry, which is the group's new version; the old one when nothing changes.
    """
    name = change.display_name if change.display_name is not None else group.display_name
    external_id = None if change.clear_external_id else change.external_id or group.external_id
    _check(name)
    role = role_of(name)
    now = await members(tx, group_id)
    moved = set(now) if role != group.role else set()
    leaving = sorted(moved | (change.remove & set(now)))
    coming = sorted((moved | (change.add - set(now))) - change.remove)
    renamed = (name, external_id) != (group.display_name, group.external_id)
    if not (renamed or leaving or coming):
        return group.entry
    body = {"source": group.source, "display_name": name, "role": role, "external_id": external_id}
    gone = _member_entries(act, group_id, "remove", leaving)
    entries = [
        _entry(act, "identity:group:change", group_id, body),
        *gone,
        *_member_entries(act, group_id, "add", coming),
    ]
    numbers = await desk.ledger.record_many(tx, entries)
    await _remove(tx, act, [now[person] for person in leaving], numbers[1 : 1 + len(gone)])
    await _add(tx, act, group_id, role, coming, numbers[1 + len(gone) :])
    await tx.execute(
        SQL["update_group"], group.source, group_id, name, external_id, role, act.recorded_at, numbers[-1]
    )
    return numbers[-1]


async def delete_group(tx: Connection, desk: Desk, act: Act, group_id: UUID, group: Group) -> int:
    """Make a group a tombstone; all its members lose the role."""
    now = await members(tx, group_id)
    leaving = sorted(now)
    body = {"source": group.source, "display_name": group.display_name, "role": group.role}
    entries = [
        _entry(act, "identity:group:delete", group_id, body, lane=Lane.CONTROL),
        *_member_entries(act, group_id, "remove", leaving),
    ]
    numbers = await desk.ledger.record_many(tx, entries)
    await _remove(tx, act, [now[person] for person in leaving], numbers[1:])
    await tx.execute(SQL["delete_group"], group.source, group_id, act.recorded_at, numbers[-1])
    return numbers[-1]


async def put_role(
    tx: Connection, desk: Desk, act: Act, person_id: PersonId, role: str, origin: str
) -> int | None:
    """Give a person a role by hand or by file; None when they have it from this origin."""
    await desk.lock_person(tx, person_id)
    rows = await tx.fetch(SQL["known_roles_of_person"], person_id, act.at)
    if any((row["role"], row["origin"], row["ends"]) == (role, origin, None) for row in rows):
        return None
    entry = await desk.write_entry(tx, act, "identity:role:add", person_id, {"role": role, "origin": origin})
    await tx.execute(SQL["write_role"], person_id, role, origin, act.at, None, entry, act.recorded_at)
    return entry


def _check(display_name: str) -> None:
    if not 0 < len(display_name.strip()) <= LONGEST_NAME:
        raise InvalidInput("displayName", f"must have 1 to {LONGEST_NAME} characters")


def _entry(
    act: Act,
    kind: str,
    group_id: UUID,
    body: dict[str, Any],
    people: Sequence[PersonId] = (),
    lane: Lane = Lane.BULK,
) -> Entry:
    heads = tuple(f"person:{person}" for person in people)
    return Entry(
        kind=kind,
        occurred_at=act.at,
        recorded_at=act.recorded_at,
        actor=act.actor,
        subjects=(f"group:{group_id}", *heads),
        heads=heads,
        body=body,
        lane=lane,
    )


def _chunks(people: Iterable[PersonId]) -> list[list[PersonId]]:
    every = sorted(people)
    return [every[start : start + PEOPLE_PER_ENTRY] for start in range(0, len(every), PEOPLE_PER_ENTRY)]


def _member_entries(act: Act, group_id: UUID, verb: str, people: Iterable[PersonId]) -> list[Entry]:
    lane = Lane.CONTROL if verb == "remove" else Lane.BULK
    return [
        _entry(act, f"identity:member:{verb}", group_id, {"count": len(chunk)}, chunk, lane)
        for chunk in _chunks(people)
    ]


async def _add(
    tx: Connection, act: Act, group_id: UUID, role: str, people: Iterable[PersonId], numbers: Sequence[int]
) -> None:
    rows = [
        (person, role, origin_of(group_id), act.at, None, number, act.recorded_at)
        for number, chunk in zip(numbers, _chunks(people), strict=True)
        for person in chunk
    ]
    if rows:
        await tx.executemany(SQL["write_role"], rows)


async def _remove(tx: Connection, act: Act, rows: Sequence[Any], numbers: Sequence[int]) -> None:
    by_person = {PersonId(row["person"]): row for row in rows}
    for number, chunk in zip(numbers, _chunks(by_person), strict=True):
        await tx.execute(SQL["close_role"], [by_person[person]["id"] for person in chunk], number)
        kept = [
            (person, by_person[person]["role"], by_person[person]["origin"], part)
            for person in chunk
            if (part := Span(by_person[person]["starts"], None).before(act.at))
        ]
        await tx.executemany(
            SQL["write_role"],
            [
                (person, role, origin, part.start, part.end, number, act.recorded_at)
                for person, role, origin, part in kept
            ],
        )
