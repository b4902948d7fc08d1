"""The house rules catch what they are for, and leave alone what only looks like it."""

from pathlib import Path

import pytest

from scripts.houselint import lint_files, lint_python, lint_sql, main


def rules(text: str) -> list[str]:
    return [find.rule for find in lint_python(text)]


@pytest.mark.parametrize(
    "text",
    [
        "from datetime import datetime, UTC\nat = datetime.now(UTC)",
        "from datetime import datetime\nat = datetime.utcnow()",
        "from datetime import date\non = date.today()",
        "import datetime\nat = datetime.datetime.now()",
        "import datetime as dt\nat = dt.datetime.now(dt.UTC)",
        "from datetime import datetime as instant\nat = instant.now()",
        "import time\nat = time.time()",
        "import time as t\nat = t.time_ns()",
        "from time import time\nat = time()",
        # Handed on, not called: somebody else asks the clock with it.
        "from datetime import datetime\nask = datetime.now",
        "import time\nclass A:\n    clock = time.time",
        'SQL = "SELECT id FROM permit WHERE ends_at > now()"',
        'SQL = f"UPDATE {table} SET ended_at = CURRENT_TIMESTAMP"',
    ],
)
def test_asking_the_wall_clock_is_found(text: str) -> None:
    assert rules(text) == ["wall-clock"]


@pytest.mark.parametrize(
    "text",
    [
        "def decide(clock):\n    return clock.now()",
        "import time\nstarted = time.monotonic()",
        "from datetime import datetime, UTC\nat = datetime(2026, 1, 1, tzinfo=UTC)",
        "from datetime import datetime, UTC\nat = datetime.fromtimestamp(0, UTC)",
        '"""SQL `now()` is banned."""',
        "state.time.time_zone",
    ],
)
def test_other_uses_of_time_are_left_alone(text: str) -> None:
    assert rules(text) == []


def test_the_one_place_that_asks_the_clock_may() -> None:
    assert lint_python("import time\nat = time.time()", may_ask_clock=True) == []


@pytest.mark.parametrize(
    "text",
    [
        '_log.info("work:person:added", extra={"email": value})',
        'logger.warning("x", name=person)',
        'logging.error("no phone %s", person.phone)',
        'self._log.info(f"welcome {person.display_name}")',
        '_log.exception("x", extra={"person_id": i, "given_name": n})',
    ],
)
def test_personal_data_in_a_log_call_is_found(text: str) -> None:
    assert set(rules(text)) == {"personal-log"}


@pytest.mark.parametrize(
    "text",
    [
        '_log.info("grants:grant:activate", extra={"grant_id": grant.id})',
        '_log.info("loop %s is due", loop.name)',
        'ledger.record(email="x")',
        "math.log(name=1)",
    ],
)
def test_ids_in_a_log_call_are_left_alone(text: str) -> None:
    assert rules(text) == []


def test_sql_files_get_instants_as_parameters() -> None:
    text = (
        "-- now() would be wrong here\nSELECT 1 WHERE $1 < now();\nat timestamptz DEFAULT current_timestamp\n"
    )
    assert [find.line for find in lint_sql(text)] == [2, 3]


def test_words_that_hold_such_a_name_are_left_alone() -> None:
    assert lint_sql("SELECT known_now, current_dates FROM t WHERE is_now(1)") == []


def test_an_exception_needs_a_reason() -> None:
    source = "import time\nat = time.time()  # house: wall-clock{}\n"
    assert lint_python(source.format(" - TLS is checked against real time")) == []
    assert [find.problem for find in lint_python(source.format(""))] == ["the exception gives no reason"]
    assert rules(source.format("").replace("wall-clock", "personal-log")) == ["wall-clock"]
    assert lint_sql("DEFAULT now() -- house: wall-clock - statistics of the server itself") == []


def test_a_bad_file_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import time\n\nat = time.time()\n")
    assert main([str(bad)]) == 1
    assert capsys.readouterr().out.startswith(f"{bad}:3: wall-clock: time.time;")


def test_the_clock_itself_is_known_by_its_place() -> None:
    root = Path(__file__).resolve().parents[2]
    assert lint_files([root / "src/key2xs/core/clock.py"]) == []


def test_this_repository_keeps_the_rules() -> None:
    assert main([]) == 0
