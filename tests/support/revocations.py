"""What the property tests of exposure tried and found, added up over all workers and printed at the end of a run.

Bound against truth is measured from the revocation: 1.0 is exact, 2.0 promises twice as late. The truth is the oracle's
latest possible opening if nothing further reaches the key.
"""

import statistics
from datetime import datetime
from typing import Any

import pytest

_EMPTY: dict[str, Any] = {"tried": 0, "pairs": 0, "endless": 0, "needless": 0, "violations": 0, "ratios": []}
_TALLY: dict[str, Any] = {**_EMPTY, "ratios": []}


def revoked() -> None:
    """Count a revocation."""
    _TALLY["tried"] += 1


def violated() -> None:
    """Count an opening after a bound, or a bound before the truth; the test fails besides."""
    _TALLY["violations"] += 1


def bounded(at: datetime, bound: datetime | None, truth: datetime | None) -> None:
    """Count what one key and lock got from a revocation at an instant; `truth` None: it has no end."""
    _TALLY["pairs"] += 1
    if bound is None:
        _TALLY["endless"] += 1
        _TALLY["needless"] += truth is not None
    elif truth is not None and truth > at:
        _TALLY["ratios"].append((bound - at) / (truth - at))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: hand the tally to the run."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["revocations"] = _TALLY


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the run: add a worker's tally."""
    found = getattr(node, "workeroutput", {}).get("revocations")
    if found:
        for name, value in found.items():
            _TALLY[name] = _TALLY[name] + value


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line, where any revocation was tried."""
    if _TALLY["tried"]:
        terminalreporter.write_line(line())


def line() -> str:
    """Say it in one line."""
    ratios = sorted(_TALLY["ratios"])
    spread = "no finite truth"
    if ratios:
        p95 = ratios[min(len(ratios) - 1, int(len(ratios) * 0.95))]
        spread = f"bound/truth median {statistics.median(ratios):.2f}, p95 {p95:.2f} over {len(ratios)} pairs"
    share = 100 * _TALLY["endless"] / max(_TALLY["pairs"], 1)
    needless = 100 * _TALLY["needless"] / max(_TALLY["pairs"], 1)
    return (
        f"exposure: {_TALLY['tried']} revocations tried, {_TALLY['violations']} violations, {spread}, "
        f"{share:.1f} % without bound ({needless:.1f} % although the truth has an end)"
    )
