"""The report at the end: figures of this run, as they were measured."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from .night import at_site

_MAKERS = {"iloq": "iLOQ", "cliq": "CLIQ"}
_HOW = {
    "proven_end": "proven end",
    "bound": "bound",
    "no_bound": "NO BOUND",
    "still_allowed": "still allowed",
}


def print_report(summary: Mapping[str, Any], delays: Sequence[float], console: Console) -> None:
    """Print what `summary.json` holds, for people; `delays` are real seconds that revocations took."""
    console.print()
    console.rule("The night in figures")
    _key_systems(summary["answers"].get("key_systems", []), console)
    _openings(summary, delays, console)
    _exposure(summary["exposure"], console)
    _answers(summary["answers"], console)
    _log(summary, console)
    _expectations(summary["expectations"], console)


def median_delay(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the median of seconds from asked to accepted at the vendor, by the domain's clock."""
    delays = [
        (datetime.fromisoformat(row["accepted_at"]) - datetime.fromisoformat(row["asked_at"])).total_seconds()
        for row in rows
        if row["accepted_at"]
    ]
    return median(delays) if delays else None


def _key_systems(systems: Sequence[Mapping[str, str]], console: Console) -> None:
    named = [
        f"{_MAKERS.get(each['vendor'], each['vendor'])} ({each['interface']} interface)" for each in systems
    ]
    console.print(f"Key systems: {', '.join(named)}")


def _openings(summary: Mapping[str, Any], delays: Sequence[float], console: Console) -> None:
    parts = ", ".join(f"{count} {name}" for name, count in summary["openings"].items())
    console.print(f"Openings: {parts or 'none'}")
    delay = median_delay(summary["exposure"])
    if delay is not None and delays:
        console.print(
            f"Revocations, asked to accepted at the vendor, median: {delay:.0f} s by the site's clock, which stands "
            f"still meanwhile; {median(delays):.2f} s of real time until everything was at rest"
        )


def _exposure(rows: list[Mapping[str, Any]], console: Console) -> None:
    table = Table(title="Until when could a revoked key still open?", title_justify="left")
    for column in ("key", "lock", "asked", "accepted", "answer", "until", "truth (twin)"):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row["key"],
            row["cylinder"],
            _clock(row["asked_at"]),
            _clock(row["accepted_at"]),
            _HOW.get(row["kind"], row["kind"]),
            _clock(row["at"]),
            _clock(row["oracle_at"]) if row["oracle_at"] else "-",
        )
    console.print(table)


def _answers(answers: Mapping[str, Any], console: Console) -> None:
    who = answers.get("who_can_open")
    if who:
        console.print(f"Who could open {who['cylinder']} at {_clock(who['at'])}, and why:")
        standing = [each["key"] for each in who["can_open"] if each["basis"] == "standing"]
        for each in who["can_open"]:
            if each["key"] in standing:
                continue
            until = _clock(each["until"]) if each["until"] else "?"
            console.print(
                f"  key {each['key']}: {(each['basis'] or 'no grant').replace('_', ' ')}, until {until}"
            )
        if standing:
            console.print(
                f"  {len(standing)} keys by a standing right from before Key2XS: {', '.join(standing)}"
            )
        for each in who["unknown"]:
            console.print(f"  cannot be seen: {each}")
    fast = answers.get("how_fast")
    if fast:
        bound = f"by {_clock(fast['bound'])} at the latest" if fast["bound"] else "with no end for some keys"
        console.print(
            f"How fast could all access of {fast['name']} be revoked, asked at {_clock(fast['at'])}: "
            f"{fast['grants']} grants on {fast['keys']} keys, {bound}."
        )


def _log(summary: Mapping[str, Any], console: Console) -> None:
    log, syslog = summary["log"], summary["syslog"]
    verdict = "verified offline" if log["verified"] else "NOT VERIFIED"
    console.print(f"Log: {log['size']} entries, root {log['root'][:16]}..., {verdict}")
    console.print(f"Syslog: {syslog['sent']} entries sent, {syslog['received']} received")
    console.print(f"Wall time: {summary['wall_s']} s")


def _expectations(found: list[Mapping[str, Any]], console: Console) -> None:
    broken = [each for each in found if not each["held"]]
    console.print(f"Expectations: {len(found) - len(broken)} of {len(found)} held")
    for each in broken:
        console.print(f"  NOT HELD {each['id']}", style="bold red")
        console.print(f"    expected: {each['expected']!r}", markup=False)
        console.print(f"    observed: {each['observed']!r}", markup=False)


def _clock(text: str | None) -> str:
    if not text:
        return "-"
    return at_site(datetime.fromisoformat(text), "%H:%M:%S")
