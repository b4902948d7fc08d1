"""The oracle for CLIQ: when a key can open a cylinder, from device truth only.

It assumes that nothing further reaches the devices: no update, no programming key, and no offline update either; the
network of a Connect key's phone stays as it is now. A weekly schedule goes on for ever, so sets are asked for a stretch of
time; only the end of the last opening is looked for without one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq.decision import has_no_time, is_programmed_for, must_ask
from key2xs_twin.cliq.inventory import CliqKeyKind
from key2xs_twin.cliq.plan import ValidityKind
from key2xs_twin.cliq.weekly import open_times, true_interval
from key2xs_twin.devices import windows
from key2xs_twin.time import NEVER

if TYPE_CHECKING:
    from key2xs_twin.cliq.field import CliqField
    from key2xs_twin.cliq.plan import KeyPlan, Validity, WeeklyRow
    from key2xs_twin.devices.windows import Interval
    from key2xs_twin.time import DeviceClock

AHEAD = timedelta(days=400)  # how far sets reach when nothing else ends them
STEP = timedelta(
    days=15
)  # more than two weeks: every row of a schedule occurs, whatever the clock change does

# A limit on when a key opens: a schedule and the clock it is judged on.
Weekly = tuple["tuple[WeeklyRow, ...]", "DeviceClock | None"]


class CliqOracle:
    """Answers about the CLIQ part of one world, as it is now."""

    def __init__(self, field: CliqField) -> None:
        self._field = field

    def openable(
        self, key_id: UUID, cylinder_id: UUID, frm: datetime, to: datetime | None = None
    ) -> list[Interval]:
        """All instants in a stretch of time at which the key would open the cylinder.

        Without ``to`` as far as there are any; a schedule is then spelled out for 400 days.
        """
        frame, weekly = self._frame(key_id, cylinder_id)
        if to is None:
            to = frm + AHEAD if weekly else windows.FUTURE
        return self._cut(windows.intersect(frame, [(frm, to)]), weekly)

    def latest_opening(self, key_id: UUID, cylinder_id: UUID, frm: datetime) -> datetime | None:
        """The end of the time in which the key can open, looking forward from ``frm``; see `Oracle`."""
        frame, weekly = self._frame(key_id, cylinder_id)
        for begin, end in reversed(windows.intersect(frame, [(frm, windows.FUTURE)])):
            if end == windows.FUTURE:
                # Schedules repeat for ever: if two of them meet in one fortnight they meet in all.
                start = max(begin, self._field.server.time.now)
                if self._cut([(start, start + 2 * STEP)], weekly):
                    return None
                continue
            upper = end
            while upper > begin:
                lower = max(begin, upper - STEP)
                found = self._cut([(lower, upper)], weekly)
                if found:
                    return found[-1][1]
                upper = lower
        return NEVER

    def _frame(self, key_id: UUID, cylinder_id: UUID) -> tuple[list[Interval], list[Weekly]]:
        """What bounds the key once, and what returns every week."""
        field = self._field
        key, cylinder = field.keys[key_id], field.cylinders[cylinder_id]
        program = key.program
        if program is None or key.battery_low or key_id in cylinder.blocked:
            return [], []
        if has_no_time(key, program) or not is_programmed_for(key, program, cylinder):
            return [], []
        frame = _validity(program.validity, key.clock)
        weekly: list[Weekly] = [(program.schedule, key.clock)] if program.schedule is not None else []
        if program.revalidation_minutes is not None:
            spent = timedelta(minutes=program.revalidation_minutes)
            lapses_at = key.revalidated_at + key.clock.elapsed(spent)
            frame = windows.intersect(frame, [(windows.PAST, lapses_at)])
        if must_ask(key, program, cylinder):
            if field.reaches_server(key):
                return self._asked(frame, weekly, key_id, cylinder_id)
            if not (field.physics.connect_opens_without_network and key.kind is CliqKeyKind.CONNECT):
                return [], []
        return frame, weekly

    def _asked(
        self, frame: list[Interval], weekly: list[Weekly], key_id: UUID, cylinder_id: UUID
    ) -> tuple[list[Interval], list[Weekly]]:
        """What the server's plan leaves of it, on true time."""
        server = self._field.server
        record = server.state.keys[key_id]
        plan: KeyPlan | None = record.plan
        if plan is None or record.retired or record.reported is not None:
            return [], []
        if cylinder_id not in server.state.reach(plan):
            return [], []
        if plan.schedule is not None:
            weekly = [*weekly, (plan.schedule, None)]
        return windows.intersect(frame, _validity(plan.validity, None)), weekly

    def _cut(self, intervals: list[Interval], weekly: list[Weekly]) -> list[Interval]:
        for schedule, clock in weekly:
            allowed: list[Interval] = []
            for begin, end in intervals:
                allowed += open_times(schedule, begin, end, self._field.server.zone, clock)
            intervals = windows.intersect(intervals, allowed)
        return intervals


def _validity(validity: Validity, clock: DeviceClock | None) -> list[Interval]:
    if validity.kind is ValidityKind.NEVER:
        return []
    starts_at = validity.starts_at if validity.starts_at is not None else windows.PAST
    ends_at = validity.ends_at if validity.ends_at is not None else windows.FUTURE
    return [true_interval((starts_at, ends_at), clock)]
