"""The words and tables people read. Codes stay in `--json`."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

BASES: Final = {
    "permit_step": "permit step",
    "duty_role": "on duty",
    "approved_request": "approved request",
    "emergency": "emergency",
    "standing": "standing right",
}
PROGRESS: Final = {
    "requested": "asked",
    "accepted": "accepted by its maker's system",
    "in_transit": "on its way",
    "delivered": "in the key",
    "lapsed": "run out",
    "blocked_with_access": "blocked with access",
    "failed": "failed",
    "unknown": "not known",
    "not_written": "not written by Key2XS",
}
GRANTS: Final = {
    "ended": "ended",
    "narrowed": "go on elsewhere only",
    "held": "held by a safety rule",
    "waiting": "next in turn",
    "told_first": "wait until the shift leader was told",
    "left": "taken back, so left",
}
MASS: Final = {"running": "under way", "paused": "paused", "finished": "finished"}
FINDINGS: Final = {
    "open": "open",
    "acknowledged": "seen",
    "reverted": "undone",
    "accepted": "left as it is",
    "gone": "gone",
}
POLICIES: Final = {
    "report": "left, and told",
    "hold": "held until a person decides",
    "revert": "undone at once",
}
EXPOSURE: Final = {
    "proven_end": "proven: no longer",
    "still_allowed": "still allowed",
    "bound": "at the latest until",
    "no_bound": "nothing known ends it",
}
WEIGHTS: Final = {
    "stops": "MISSING",
    "weakens": "WEAK",
    "not_checked": "NOT CHECKED",
    "note": "Note",
    "fine": "ok",
}
FOOTNOTE: Final = "Not seen by any key system: mechanical keys, programming keys, a door left unlocked."


def instant(text: str | None) -> str:
    """Write an instant in this machine's time zone; a dash for none."""
    if text is None:
        return "-"
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def value(text: str | None) -> str:
    """Write the value of a term: an instant, a length of time, or words."""
    if not text:
        return "-"
    seconds = text.removesuffix(" s")
    if seconds != text and seconds.replace(".", "", 1).isdigit():
        return _length(float(seconds))
    try:
        return instant(text)
    except ValueError:
        return text


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def age(as_of: str | None, at: str) -> str:
    """Say how old data was at an instant."""
    if as_of is None:
        return "age unknown"
    old = datetime.fromisoformat(at) - datetime.fromisoformat(as_of)
    if old < timedelta(seconds=1):
        return "as of now"
    if old < timedelta(minutes=2):
        return f"{old.total_seconds():.0f} s old"
    if old < timedelta(hours=2):
        return f"{old.total_seconds() / 60:.0f} min old"
    return f"{old.total_seconds() / 3600:.1f} h old"


def exposure(kind: str, at: str | None) -> str:
    """Say until when a key could still open."""
    word = EXPOSURE.get(kind, kind)
    return f"{word} {instant(at)}" if at is not None and kind != "proven_end" else word


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str = "") -> None:
    """Print a table."""
    shown = Table(title=title, title_justify="left", caption=caption or None, caption_justify="left")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(str(cell) if cell is not None else "-" for cell in row))
    console().print(shown)


def say(text: str) -> None:
    """Print a line."""
    console().print(text, markup=False, highlight=False, soft_wrap=True, emoji=False)


def console() -> Console:
    """Return where tables go; made each time, so that whoever replaced stdout gets them."""
    return Console(soft_wrap=False, emoji=False)  # permissions hold :key:, which is no picture


def walk(found: Any, title: str) -> None:
    """Print an order in which to walk some places."""
    if not found["stops"]:
        return
    unplaced = f"; {found['unplaced']} stops without coordinates come last" if found["unplaced"] else ""
    left = f"; {found['left_out']} more places are too many for one walk" if found["left_out"] else ""
    table(
        title,
        ("", "place", "name", "cylinders", "metres"),
        [
            (number, stop["place"], stop["name"], ", ".join(stop["cylinders"]), stop["metres"])
            for number, stop in enumerate(found["stops"], start=1)
        ],
        caption=f"{found['metres']} m in straight lines{unplaced}{left}",
    )
