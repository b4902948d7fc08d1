"""What is asked of rows, summed up: pure. Stretches of numbers, and rows by the week."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from key2xs.core.ids import CylinderId, KeyId
from key2xs.keys.port import LockEvent, TimeQuality

from .rules import Stretch

Memory: TypeAlias = Literal["lock", "key"]
WEEK: Final = timedelta(days=7)
_MONDAY: Final = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is stored, with the cylinder and the key of the registers."""

    event: LockEvent
    cylinder_id: CylinderId | None
    key_id: KeyId | None


def week_of(at: datetime) -> datetime:
    """Return when the week of an instant begins."""
    return at - (at - _MONDAY) % WEEK


def stretches_of(rows: Iterable[Row]) -> Mapping[tuple[Memory, str], list[Stretch]]:
    """Return the stretches of numbers of each memory, in order; a number that came twice is counted twice."""
    singles: defaultdict[tuple[Memory, str], list[Stretch]] = defaultdict(list)
    for row in rows:
        event = row.event
        if event.counter_lock is not None:
            singles["lock", event.vendor_lock].append(_single(event, event.counter_lock))
        if event.counter_key is not None and event.vendor_key is not None:
            singles["key", event.vendor_key].append(_single(event, event.counter_key))
    return {memory: _joined(found) for memory, found in singles.items()}


def _single(event: LockEvent, number: int) -> Stretch:
    """Only a running clock tells when a row was written; else it was written before it was read, and more is not known."""
    read_at = event.read_at or event.arrived_at
    if event.time_quality is not TimeQuality.CLOCK or event.occurred_at is None:
        return Stretch(number, number, 1, read_at, None)
    return Stretch(number, number, 1, event.occurred_at, min(event.occurred_at, read_at, event.arrived_at))


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    for each in sorted(stretches, key=lambda one: one.first):
        before = found[-1] if found else None
        if before is not None and each.first <= before.last + 1:
            found[-1] = Stretch(
                before.first, each.last, before.rows + 1, before.begins, each.ends or before.ends
            )
        else:
            found.append(each)
    return found


def weeks_of(rows: Iterable[Row]) -> Mapping[tuple[Memory, CylinderId | KeyId, datetime], tuple[int, int]]:
    """Count rows by cylinder and by key and week: of keys that this system knows, and of others."""
    own: Counter[tuple[Memory, CylinderId | KeyId, datetime]] = Counter()
    foreign: Counter[tuple[Memory, CylinderId | KeyId, datetime]] = Counter()
    for row in rows:
        if row.event.occurred_at is None:
            continue
        week = week_of(row.event.occurred_at)
        if row.cylinder_id is not None:
            (own if row.event.vendor_key is not None else foreign)["lock", row.cylinder_id, week] += 1
        if row.key_id is not None:
            own["key", row.key_id, week] += 1
    return {each: (own[each], foreign[each]) for each in own.keys() | foreign.keys()}
