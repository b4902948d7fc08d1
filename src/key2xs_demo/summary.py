"""`build/demo/summary.json`: what others read of a run. Its form is fixed; see tests/demo."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from .expectations import Expectation

SCHEMA = "key2xs.demo.summary.v1"
FILE = Path("build/demo/summary.json")
EXPOSURE_FIELDS = ("key", "cylinder", "asked_at", "accepted_at", "kind", "at", "oracle_at")


@dataclass(frozen=True, slots=True)
class LogFacts:
    """The log at the end of the run; `verified` by the command that needs neither database nor network."""

    origin: str
    size: int
    root: str
    vkey: str
    verified: bool


@dataclass(frozen=True, slots=True)
class SyslogFacts:
    """Entries that the product counts as sent, and different entries that the receiver has."""

    sent: int
    received: int


def make_summary(
    *,
    seed: int,
    begins: datetime,
    ends: datetime,
    wall_s: float,
    expectations: Iterable[Expectation],
    answers: Mapping[str, Any],
    openings: Mapping[str, int],
    exposure: Iterable[Mapping[str, Any]],
    log: LogFacts,
    syslog: SyslogFacts,
) -> dict[str, Any]:
    """Put the summary together."""
    return {
        "schema": SCHEMA,
        "seed": seed,
        "virtual": {"from": begins.isoformat(), "to": ends.isoformat()},
        "wall_s": round(wall_s, 1),
        "expectations": [each.as_json() for each in expectations],
        "answers": dict(answers),
        "openings": dict(sorted(openings.items())),
        "exposure": [{name: row[name] for name in EXPOSURE_FIELDS} for row in exposure],
        "log": {
            "origin": log.origin,
            "size": log.size,
            "root": log.root,
            "vkey": log.vkey,
            "verified": log.verified,
        },
        "syslog": {"sent": syslog.sent, "received": syslog.received},
    }


def write_summary(summary: Mapping[str, Any], file: Path = FILE) -> Path:
    """Write it whole or not at all, and return where."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(file)
    return file
