"""Limits as data: each says its source, and the page that tells them says the same."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from key2xs.keys.compile.limits import LIMITS, iloq_slots, slots_of
from key2xs.keys.program import Program, WeeklyWindow

AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
PAGE = Path(__file__).resolve().parents[3] / "docs/explanation/programs.md"


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_every_limit_has_a_source_and_stands_on_the_page(limit: object) -> None:
    found = LIMITS[str(getattr(limit, "id", ""))]
    assert found.most > 0
    assert "read 20" in found.source
    row = f"| `{found.id}` | {found.most:,} {found.unit} | {found.per} | {found.mark} |"
    assert row in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("locks", "slots"),
    [
        ([("C5", 138), ("D5", 135)], 23),
        ([("C5", 137), ("D5", 135)], 10),
        ([("D5", 134)], 10),
        ([("C5", None)], 10),
        ([("X9", 999)], 10),
        ([], 10),
    ],
)
def test_one_older_or_unknown_lock_holds_a_key_to_ten_slots(
    locks: list[tuple[str, int | None]], slots: int
) -> None:
    assert iloq_slots(locks) == slots


def test_start_end_profile_and_each_weekly_row_take_one_slot() -> None:
    week = frozenset(WeeklyWindow(day, 360, 1080) for day in range(3))
    program = Program(frozenset("r"), starts_at=AT, ends_at=AT, schedule=week)
    assert slots_of(program) == 5
    assert slots_of(program, profile_starts=1, profile_ends=1) == 7
    assert slots_of(Program(frozenset("r"))) == 0
