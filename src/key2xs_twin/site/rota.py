"""The five-shift rota (two early, two late, two night, four off) and who holds which duty role on a shift.

The rota is a published one: 10-day cycle, 33.6 hours a week, 07-15, 15-23, 23-07 local time.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .model import Duty, Person, Shift, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEAMS = ("A", "B", "C", "D", "E")
CYCLE_DAYS = 10
SHIFTS = (("early", time(7), time(15)), ("late", time(15), time(23)), ("night", time(23), time(7)))

# What a function on the shift means for every unit it covers.
DUTY_ROLES = {
    "shift_leader": ("shift_leader", "issuing_authority"),
    "panel_operator": ("area_authority",),
    "isolating_authority": ("isolating_authority",),
    "gas_tester": ("gas_tester",),
    "field_operator": ("field_operator",),
}


def shift_on(team: str, day: int) -> int | None:
    """The index in SHIFTS that `team` works on day number `day` of the rota, or None when it is off."""
    place = (day + 2 * TEAMS.index(team)) % CYCLE_DAYS
    return place // 2 if place < 6 else None


def build_shifts(first_day: date, days: int, zone: ZoneInfo) -> tuple[Shift, ...]:
    """Every shift that starts on one of `days` days; local wall-clock times, so clock changes come out right."""
    shifts = []
    for day in range(-1, days):  # the night shift of the day before reaches into the first day
        on = first_day + timedelta(days=day)
        for team in TEAMS:
            index = shift_on(team, day)
            if index is None or (day < 0 and index != 2):
                continue
            name, start, end = SHIFTS[index]
            ends_on = on if end > start else on + timedelta(days=1)
            shifts.append(
                Shift(team, name, datetime.combine(on, start, zone), datetime.combine(ends_on, end, zone))
            )
    return tuple(sorted(shifts, key=lambda shift: shift.starts_at))


def build_duties(
    shifts: Sequence[Shift], people: Sequence[Person], units: Sequence[Unit]
) -> tuple[Duty, ...]:
    """One row for each person on the shift, duty role and unit."""
    teams = {team: [person for person in people if person.team == team] for team in TEAMS}
    coverage = {team: tuple(_coverage(members, units)) for team, members in teams.items()}
    return tuple(
        Duty(person.scheme, person.ref, role, unit, shift.starts_at, shift.ends_at)
        for shift in shifts
        for person, role, unit in coverage[shift.team]
    )


def _coverage(members: Sequence[Person], units: Sequence[Unit]) -> Iterator[tuple[Person, str, str]]:
    areas = sorted({unit.area for unit in units})
    everywhere = [unit.code for unit in units]
    seen: dict[str, int] = {}
    for person in members:
        index = seen[person.role] = seen.get(person.role, -1) + 1
        if person.role == "panel_operator":
            covered = [unit.code for unit in units if unit.area == areas[index % len(areas)]]
        elif person.role == "field_operator":
            covered = [everywhere[index % len(everywhere)]]
        else:
            covered = everywhere
        for role in DUTY_ROLES[person.role]:
            for unit in covered:
                yield person, role, unit
