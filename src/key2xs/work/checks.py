"""What has to be right about a permit's state beyond its types. Every problem is named, not only the first."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from .payload import SPEC_VERSION, BadPayload, Envelope, Member, PermitData, Problem

FUTURE_TOLERANCE = timedelta(minutes=5)  # how far a sender's clock may be ahead of ours

PERMIT_TYPES = frozenset({
    "hot_work", "cold_work", "line_break", "confined_space", "isolation", "excavation", "working_at_height",
    "lifting", "radiography", "electrical", "vehicle_entry", "chemical", "general", "simops",
})  # fmt: skip
"""Types a bundle can know. Another one is kept, and counts as unknown."""

# Permits live for months; other years are a sender's "none", and the first and last ones overflow in UTC.
_FIRST_YEAR, _LAST_YEAR = 1990, 2199


def check_storable(value: object, path: str = "") -> Iterator[Problem]:
    """Find what no database keeps: NUL characters, and instants at the ends of the calendar."""
    if isinstance(value, str) and "\0" in value:
        yield Problem(path, "holds a NUL character")
    elif isinstance(value, datetime) and not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        yield Problem(path, f"lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from check_storable(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, tuple):
        for place, item in enumerate(value):
            yield from check_storable(item, f"{path}[{place}]")


def check_envelope(event: Envelope, *, received_at: datetime) -> None:
    """Refuse an envelope that no event of ours has.

    Raises:
        BadPayload: names every field that is wrong.
    """
    problems = []
    if event.specversion != SPEC_VERSION:
        problems.append(Problem("specversion", f"must be {SPEC_VERSION}"))
    if event.datacontenttype.partition(";")[0].strip().casefold() != "application/json":
        problems.append(Problem("datacontenttype", "must be application/json"))
    if event.time > received_at + FUTURE_TOLERANCE:
        minutes = FUTURE_TOLERANCE.total_seconds() / 60
        problems.append(Problem("time", f"lies more than {minutes:g} minutes in the future"))
    if problems:
        raise BadPayload(*problems, record=event.id)


def check_permit(event: Envelope, data: PermitData) -> None:
    """Refuse a permit's state that contradicts itself.

    Raises:
        BadPayload: names every field that is wrong.
    """
    problems = [
        *check_storable(data, "data"),
        *_permit_problems(event, data),
        *_step_problems(data),
        *_people_problems(data.people),
    ]
    problems += _test_problems(data)
    if problems:
        raise BadPayload(*problems, record=event.id)


def _permit_problems(event: Envelope, data: PermitData) -> Iterator[Problem]:
    permit = data.permit
    if event.subject != permit.id:
        yield Problem("subject", "is not data.permit.id")
    if permit.valid_to <= permit.valid_from:
        yield Problem("data.permit.valid_to", "is not after valid_from")
    if not (data.work.order or data.work.package):
        yield Problem("data.work", "needs order or package")
    if permit.state == "live":
        if not data.people:
            yield Problem("data.people", "is empty although the permit is in force")
        if not data.approvals:
            yield Problem("data.approvals", "is empty although the permit is in force")


def _step_problems(data: PermitData) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, step in enumerate(data.steps):
        if step.id in seen:
            yield Problem(f"data.steps[{place}].id", "occurs twice")
        seen.add(step.id)
        if step.planned_from and step.planned_to and step.planned_to <= step.planned_from:
            yield Problem(f"data.steps[{place}].planned_to", "is not after planned_from")


def _people_problems(people: Sequence[Member]) -> Iterator[Problem]:
    for place, member in enumerate(people):
        if member.signed_off and not member.signed_on:
            yield Problem(f"data.people[{place}].signed_off", "without signed_on")
        elif member.signed_on and member.signed_off and member.signed_off < member.signed_on:
            yield Problem(f"data.people[{place}].signed_off", "lies before signed_on")
        for earlier, other in enumerate(people[:place]):
            if _overlap(member, other):
                yield Problem(f"data.people[{place}]", f"overlaps people[{earlier}]: same person and role")
                break


def _overlap(one: Member, other: Member) -> bool:
    if (one.scheme, one.ref, one.role) != (other.scheme, other.ref, other.role):
        return False
    if one.signed_on is None or other.signed_on is None:
        return one.signed_on is other.signed_on  # the same line twice
    first, second = sorted((one, other), key=lambda member: (member.signed_on, member.signed_off is None))
    return first.signed_off is None or (second.signed_on or first.signed_off) < first.signed_off


def _test_problems(data: PermitData) -> Iterator[Problem]:
    for place, test in enumerate(data.gas_tests):
        if test.valid_to and test.valid_to <= test.at:
            yield Problem(f"data.gas_tests[{place}].valid_to", "is not after at")
    for place, box in enumerate(data.lock_boxes):
        for number, lock in enumerate(box.personal_locks):
            if lock.off_at and lock.off_at < lock.on_at:
                yield Problem(
                    f"data.lock_boxes[{place}].personal_locks[{number}].off_at", "lies before on_at"
                )
