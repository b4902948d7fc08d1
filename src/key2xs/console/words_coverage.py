"""Words of the page *Coverage*."""

from collections.abc import Mapping
from typing import Final

from .words import Status

STANDINGS: Final[Mapping[str, Status]] = {
    "unknown": Status("not known", "bad", "half", "Nobody can say what was opened."),
    "old": Status("not read for long", "warn", "clock", "Not read completely for 30 days or more."),
    "rows_missing": Status(
        "rows missing", "warn", "triangle", "Rows were written that are not here, in 90 days."
    ),
    "read": Status("read", "good", "check", "Read within 30 days, and nothing is missing in 90."),
}
