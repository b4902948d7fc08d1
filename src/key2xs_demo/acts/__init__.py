"""The scenario, one act a file; each puts itself on the night's timetable."""

from key2xs_demo.night import Night

from . import (
    area_stop,
    company,
    contract_end,
    disabled,
    duty,
    emergency,
    first_line,
    late_news,
    lock_box,
    lost_key,
    messages,
    morning,
    questions,
    request,
    silence,
    unexplained,
    vendor_fault,
    window,
)

ALL = (
    first_line, window, contract_end, request, emergency, messages, vendor_fault, duty, disabled, lost_key, area_stop,
    unexplained, lock_box, silence, company, late_news, morning, questions,
)  # fmt: skip


def plan_all(night: Night) -> None:
    """Put every act on the timetable."""
    for act in ALL:
        act.plan(night)
