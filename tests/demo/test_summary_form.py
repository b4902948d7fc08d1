"""The form of `build/demo/summary.json` is fixed: others read it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from key2xs_demo.expectations import Book
from key2xs_demo.report import median_delay
from key2xs_demo.summary import LogFacts, SyslogFacts, make_summary, write_summary

BEGINS = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
ROW = {
    "key": "1044",
    "cylinder": "CDU-011",
    "asked_at": BEGINS.isoformat(),
    "accepted_at": (BEGINS + timedelta(seconds=2)).isoformat(),
    "kind": "bound",
    "at": (BEGINS + timedelta(hours=2)).isoformat(),
    "oracle_at": (BEGINS + timedelta(hours=1)).isoformat(),
    "oracle_kind": "end",
    "opened_before_bound": False,
}


def test_the_summary_has_exactly_its_form() -> None:
    summary = _summary()
    assert list(summary) == [
        "schema", "seed", "virtual", "wall_s", "expectations", "answers", "openings", "exposure", "log", "syslog",
    ]  # fmt: skip
    assert summary["virtual"] == {
        "from": BEGINS.isoformat(),
        "to": (BEGINS + timedelta(hours=12)).isoformat(),
    }
    assert summary["expectations"] == [{"id": "opens", "held": True, "expected": True, "observed": True}]
    assert summary["openings"] == {"expected": 3, "unexplained": 1}
    assert list(summary["exposure"][0]) == [
        "key", "cylinder", "asked_at", "accepted_at", "kind", "at", "oracle_at",
    ]  # fmt: skip
    assert set(summary["log"]) == {"origin", "size", "root", "vkey", "verified"}
    assert summary["syslog"] == {"sent": 5, "received": 5}


def test_the_summary_is_plain_json_with_instants_that_have_a_time_zone() -> None:
    again = json.loads(json.dumps(_summary()))
    assert again == _summary()
    for text in (*again["virtual"].values(), again["exposure"][0]["at"]):
        assert datetime.fromisoformat(text).tzinfo is not None


def test_the_summary_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "build" / "summary.json"
    assert write_summary(_summary(), file) == file
    assert json.loads(file.read_text("utf-8")) == _summary()
    assert [each.name for each in file.parent.iterdir()] == ["summary.json"]


def test_the_median_leaves_out_what_was_never_accepted() -> None:
    rows = [ROW, {**ROW, "accepted_at": None}]
    assert median_delay(rows) == 2.0
    assert median_delay([{**ROW, "accepted_at": None}]) is None


def _summary() -> dict[str, Any]:
    book = Book()
    book.expect("opens", True, True)
    return make_summary(
        seed=7,
        begins=BEGINS,
        ends=BEGINS + timedelta(hours=12),
        wall_s=61.04,
        expectations=book,
        answers={"who_can_open": {}},
        openings={"unexplained": 1, "expected": 3},
        exposure=[ROW],
        log=LogFacts("rtx.example/log", 5, "cm9vdA==", "vkey", verified=True),
        syslog=SyslogFacts(5, 5),
    )
