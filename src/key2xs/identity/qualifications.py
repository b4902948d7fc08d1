"""What a person may do: proofs with an end. No diploma copies and no birth dates are kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId
from key2xs.ledger import Lane, Personal

from .desk import SQL, Desk, iso
from .timeline import Span, Splice, Stated, restate
from .types import Act


@dataclass(frozen=True, slots=True)
class Qualification:
    """One proof: its kind (`VCA_VOL`, `GAS_TESTER`), when it counts, and who saw it."""

    kind: str
    valid_from: datetime | None
    valid_to: datetime | None
    number: str | None = field(default=None, repr=False)
    checked_by: str | None = field(default=None, repr=False)
    checked_at: datetime | None = None

    @property
    def span(self) -> Span:
        """When it counts."""
        return Span(self.valid_from, self.valid_to)

    @property
    def value(self) -> tuple[Any, ...]:
        """Everything else about it, to compare with what is known."""
        return self.number, self.checked_by, self.checked_at


Timelines = dict[str, list[Stated]]
"""A person's qualifications as known now, by kind; values opened."""


async def known_qualifications(
    tx: Connection, desk: Desk, people: Iterable[PersonId]
) -> dict[PersonId, Timelines]:
    """Return the qualifications of many people, values opened."""
    wanted = list(people)
    await desk.vault.prepare(wanted)
    found: dict[PersonId, Timelines] = {person: {} for person in wanted}
    for row in await tx.fetch(SQL["known_qualifications"], wanted):
        person = PersonId(row["person"])
        value = (
            await desk.open(person, row["number"]),
            await desk.open(person, row["checked_by"]),
            row["checked_at"],
        )
        row_stated = Stated(row["id"], Span(row["starts"], row["ends"]), value)
        found[person].setdefault(row["kind"], []).append(row_stated)
    return found


def plan(
    known: Timelines, qualifications: Sequence[Qualification], *, at: datetime
) -> list[tuple[Qualification, Splice]]:
    """Work out which of the stated qualifications change anything.

    Raises:
        InvalidInput: one ends before it begins.
    """
    planned = []
    for each in qualifications:
        if each.span.empty:
            raise InvalidInput("valid_to", "is not after the beginning", record=each.kind)
        splice = restate(known.get(each.kind, ()), (each.span, each.value), at=at)
        if splice.changes:
            planned.append((each, splice))
    return planned


async def put_qualifications(
    tx: Connection,
    desk: Desk,
    act: Act,
    person_id: PersonId,
    qualifications: Sequence[Qualification],
    *,
    known: Timelines | None = None,
) -> int | None:
    """State a person's qualifications, one entry for all; those not named stay as they are.

    Returns:
        The entry, or None when all of them are already so.
    """
    if known is None:
        await desk.lock_person(tx, person_id)
        known = (await known_qualifications(tx, desk, [person_id]))[person_id]
    planned = plan(known, qualifications, at=act.at)
    if not planned:
        return None
    numbers = {each.kind: each.number for each, _ in planned if each.number}
    body: dict[str, Any] = {
        "qualifications": [
            {"kind": each.kind, "from": iso(each.valid_from), "to": iso(each.valid_to)} for each, _ in planned
        ]
    }
    if numbers:
        body["numbers"] = Personal(person_id, dict(numbers))
    narrows = any(_ends_earlier(known.get(each.kind, ()), each.valid_to) for each, _ in planned)
    entry = await desk.write_entry(
        tx, act, "identity:qualification:change", person_id, body, lane=Lane.CONTROL if narrows else Lane.BULK
    )
    for each, splice in planned:
        await _write(tx, desk, act, person_id, each.kind, splice, entry)
    return entry


def _ends_earlier(known: Sequence[Stated], ends_at: datetime | None) -> bool:
    return ends_at is not None and any(row.span.end is None or ends_at < row.span.end for row in known)


async def _write(
    tx: Connection, desk: Desk, act: Act, person_id: PersonId, kind: str, splice: Splice, entry: int
) -> None:
    if splice.close:
        await tx.execute(SQL["close_qualification"], list(splice.close), entry)
    for span, (number, checked_by, checked_at) in splice.write:
        await tx.execute(
            SQL["write_qualification"],
            person_id,
            kind,
            await desk.seal(person_id, number),
            await desk.seal(person_id, checked_by),
            checked_at,
            span.start,
            span.end,
            entry,
            act.recorded_at,
        )
