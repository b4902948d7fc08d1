"""The scenario, one act a file; each puts itself on the night's timetable."""

from key2xs_demo.night import Night

from . import (
    area_stop,
    cliq_night,
    company,
    confined_kill,
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
    on_paper,
    questions,
    request,
    shift_transfer,
    silence,
    unexplained,
    unreturned,
    vendor_edit,
    vendor_fault,
    window,
)

ALL = (
    first_line, window, contract_end, unreturned, cliq_night, request, vendor_edit, emergency, messages, vendor_fault,
    shift_transfer, duty, disabled, lost_key, area_stop, confined_kill, unexplained, lock_box, silence, on_paper, company,
    late_news, morning, questions,
)  # fmt: skip


def plan_all(night: Night) -> None:
    """Put every act on the timetable."""
    for act in ALL:
        act.plan(night)
