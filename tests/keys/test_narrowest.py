"""While nothing may widen, a key gets no more than both its plan and the device hold already."""

from datetime import UTC, datetime, timedelta

import pytest

from key2xs.keys.narrowing import narrowest
from key2xs.keys.port import KeyKind, KeyReading, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, Program

AT = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
ONE = Program(frozenset({"a"}), ends_at=AT + timedelta(hours=2))
SHORT = Program(frozenset({"a"}), ends_at=AT + timedelta(hours=1))
BOTH = Program(frozenset({"a", "b"}), ends_at=AT + timedelta(hours=2))
OTHER = Program(frozenset({"c"}), ends_at=AT + timedelta(hours=2))


@pytest.mark.parametrize(
    ("wanted", "planned", "held", "written"),
    [
        (ONE, BOTH, BOTH, ONE),  # narrowing goes on
        (EMPTY_PROGRAM, BOTH, BOTH, EMPTY_PROGRAM),  # a revocation above all
        (BOTH, ONE, BOTH, ONE),  # the vendor's plan was narrowed after the backup: it stays
        (BOTH, EMPTY_PROGRAM, BOTH, EMPTY_PROGRAM),  # the same, emptied
        (ONE, SHORT, ONE, SHORT),  # a shorter end is narrower too
        (ONE, OTHER, OTHER, EMPTY_PROGRAM),  # cannot be compared: nothing is left of either
        (ONE, BOTH, SHORT, EMPTY_PROGRAM),  # the plan is wider than the device: neither is written
        (ONE, None, None, EMPTY_PROGRAM),  # a key that never held anything gets nothing
    ],
)
def test_nothing_is_written_that_was_not_there(
    wanted: Program, planned: Program | None, held: Program | None, written: Program
) -> None:
    reading = KeyReading(
        vendor_key="k",
        kind=KeyKind.PHONE,
        planned=planned,
        on_device=held,
        programming_state=ProgrammingState.PROGRAMMED,
        blocked=False,
        outside_visible=True,
        as_of=AT,
        version="1",
    )
    found = narrowest(wanted, reading)
    assert found == written
    assert found.within(planned or EMPTY_PROGRAM)
    assert found.within(held or EMPTY_PROGRAM)
