"""What the tests of drift injected and found, added up over all workers and printed at the end of a run."""

from typing import Any

import pytest

_TALLY: dict[str, int] = {"injected": 0, "found": 0, "false": 0}


def injected(found: int, missed: int, false: int) -> None:
    """Count the edits of one round."""
    _TALLY["injected"] += found + missed
    _TALLY["found"] += found
    _TALLY["false"] += false


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: hand the tally to the run."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["drifts"] = _TALLY


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the run: add a worker's tally."""
    for name, value in getattr(node, "workeroutput", {}).get("drifts", {}).items():
        _TALLY[name] += value


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line, where any edit was injected."""
    if _TALLY["injected"]:
        terminalreporter.write_line(line())


def line() -> str:
    """Say it in one line."""
    return f"drift: {_TALLY['injected']} injected, {_TALLY['found']} found, {_TALLY['false']} false"
