"""Who is on duty where and when, and the rota itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import PersonId, UnitId, new_id
from key2xs.ledger import Entry, Lane

from .desk import SQL, Desk, iso, stated
from .timeline import Span, Stated
from .types import Act


@dataclass(frozen=True, slots=True)
class Duty:
    """One duty of a person: a role in a unit for one stretch of time, usually one shift."""

    role: str
    unit_id: UnitId
    starts_at: datetime
    ends_at: datetime

    @property
    def span(self) -> Span:
        """When it is."""
        return Span(self.starts_at, self.ends_at)

    @property
    def post(self) -> tuple[str, UnitId]:
        """Role and unit."""
        return self.role, self.unit_id


@dataclass(frozen=True, slots=True)
class Placed:
    """How a stated duty meets the ones known: nothing to do, a new row, or one in place of another."""

    duty: Duty
    replaces: Stated | None = None
    same: bool = False

    @property
    def narrows(self) -> bool:
        """Tell whether it ends before what was known."""
        return self.replaces is not None and _end(self.replaces) > self.duty.ends_at


async def known_duties(
    tx: Connection, people: Iterable[PersonId], after: datetime
) -> dict[PersonId, list[Stated]]:
    """Return the duties of many people that end after an instant; the value is (role, unit)."""
    wanted = list(people)
    found: dict[PersonId, list[Stated]] = {person: [] for person in wanted}
    for row in await tx.fetch(SQL["known_duties"], wanted, after):
        found[PersonId(row["person"])].append(stated(row, "role", "unit"))
    return found


def place(known: Sequence[Stated], duty: Duty) -> Placed:
    """Fit a duty among the known ones. The same start means the same duty with another end.

    Raises:
        InvalidInput: it ends before it begins.
        Conflict: it overlaps another stretch of the same duty; two rosters disagree, and nobody guesses which holds.
    """
    if duty.span.empty:
        raise InvalidInput("to", "is not after from")
    for row in known:
        if row.value != duty.post:
            continue
        if row.span == duty.span:
            return Placed(duty, same=True)
        if row.span.start == duty.starts_at:
            return Placed(duty, replaces=row)
        if row.span.start is None or (row.span.start < duty.ends_at and _end(row) > duty.starts_at):
            message = f"overlaps the same duty from {iso(row.span.start)} to {iso(row.span.end)}"
            raise Conflict(message)
    return Placed(duty)


async def put_duties(
    tx: Connection,
    desk: Desk,
    act: Act,
    person_id: PersonId,
    duties: Sequence[Duty],
    *,
    known: Sequence[Stated] | None = None,
) -> int | None:
    """State duties of one person, one entry for all; the entry is None when all are already so."""
    if not duties:
        return None
    if known is None:
        await desk.lock_person(tx, person_id)
        known = (await known_duties(tx, [person_id], min(duty.starts_at for duty in duties)))[person_id]
    placed = [each for duty in duties if not (each := place(known, duty)).same]
    if not placed:
        return None
    lane = Lane.CONTROL if any(each.narrows for each in placed) else Lane.BULK
    body = {"duties": [_tell(each.duty.role, each.duty.unit_id, each.duty.span) for each in placed]}
    entry = await desk.write_entry(tx, act, "identity:duty:change", person_id, body, lane=lane)
    gone = [each.replaces.id for each in placed if each.replaces]
    if gone:
        await tx.execute(SQL["close_duty"], gone, entry)
    rows = [(person_id, *each.duty.post, *_ends(each.duty.span), entry, act.recorded_at) for each in placed]
    await tx.executemany(SQL["write_duty"], rows)
    return entry


async def end_duties(
    tx: Connection, desk: Desk, act: Act, person_id: PersonId, *, unit_id: UnitId | None = None, role: str | None = None
) -> int | None:  # fmt: skip
    """End what a person is on duty for, and take later duties back, in one unit or role or in all."""
    await desk.lock_person(tx, person_id)
    rows = [
        row
        for row in (await known_duties(tx, [person_id], act.at))[person_id]
        if role in {None, row.value[0]} and unit_id in {None, row.value[1]}
    ]
    if not rows:
        return None
    body = {"ended": [_tell(row.value[0], row.value[1], row.span) for row in rows]}
    entry = await desk.write_entry(tx, act, "identity:duty:change", person_id, body, lane=Lane.CONTROL)
    await tx.execute(SQL["close_duty"], [row.id for row in rows], entry)
    kept = [(row, part) for row in rows if (part := row.span.before(act.at))]
    await tx.executemany(
        SQL["write_duty"],
        [(person_id, *row.value, *_ends(part), entry, act.recorded_at) for row, part in kept],
    )
    return entry


async def put_shift(
    tx: Connection, desk: Desk, act: Act, team: str, name: str, span: Span, *, dry_run: bool = False
) -> tuple[int | None, bool]:
    """State one shift of the rota; returns the entry, or None when it is already so, and whether it is new.

    Raises:
        InvalidInput: it ends before it begins.
    """
    if span.empty or span.start is None or span.end is None:
        raise InvalidInput("to", "is not after from")
    row = await tx.fetchrow(SQL["find_shift"], team, span.start)
    if row and (row["name"], row["ends"]) == (name, span.end):
        return None, False
    if dry_run:
        return 0, row is None
    shift_id = row["id"] if row else new_id()
    entry = await desk.ledger.record(
        tx,
        Entry(
            kind="identity:shift:change" if row else "identity:shift:create",
            occurred_at=act.at,
            recorded_at=act.recorded_at,
            actor=act.actor,
            subjects=(f"shift:{shift_id}",),
            body={"team": team, "shift": name, "from": iso(span.start), "to": iso(span.end)},
        ),
    )
    if row:
        await tx.execute(SQL["change_shift"], shift_id, name, span.start, span.end, entry)
    else:
        await tx.execute(SQL["insert_shift"], shift_id, team, name, span.start, span.end, entry)
    return entry, row is None


def _tell(role: str, unit_id: UnitId, span: Span) -> dict[str, Any]:
    return {"role": role, "unit": str(unit_id), "from": iso(span.start), "to": iso(span.end)}


def _ends(span: Span) -> tuple[datetime | None, datetime | None]:
    return span.start, span.end


def _end(row: Stated) -> datetime:
    return row.span.end or datetime.max.replace(tzinfo=row.span.start.tzinfo if row.span.start else None)
