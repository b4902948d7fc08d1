"""Reading single cells of a plant file; each function names the field when the cell is not acceptable."""

from collections.abc import Sequence

from key2xs.core.errors import InvalidInput
from key2xs.core.imports import Row
from key2xs.core.tri import Tri

LONGEST_CELL = 200  # characters; SAP labels have 40, names in registers rarely pass 100
_YES = frozenset({"y", "yes", "true", "1"})
_NO = frozenset({"n", "no", "false", "0"})


def required(row: Row, field: str) -> str:
    """Return a cell that may not be empty."""
    text = optional(row, field)
    if text is None:
        raise InvalidInput(field, "is empty")
    return text


def optional(row: Row, field: str) -> str | None:
    """Return a cell or None; refuse what no code or name is."""
    text = row.get(field)
    if text is None:
        return None
    if len(text) > LONGEST_CELL:
        raise InvalidInput(field, f"is longer than {LONGEST_CELL} characters")
    if not text.isprintable():
        raise InvalidInput(field, "holds characters that cannot be printed")
    return text


def one_of(row: Row, field: str, choices: Sequence[str], default: str | None = None) -> str:
    """Return a cell that must be one of a few words."""
    text = (row.get(field) or default or "").casefold()
    if not text:
        raise InvalidInput(field, "is empty")
    if text not in choices:
        raise InvalidInput(field, f"must be one of {', '.join(choices)}")
    return text


def yes_or_no(row: Row, field: str) -> bool:
    """Return a cell that must say y or n."""
    fact = yes_no_unknown(row, field)
    if fact == "unknown":
        raise InvalidInput(field, "is empty; must be y or n")
    return fact == "yes"


def yes_no_unknown(row: Row, field: str) -> Tri:
    """Return a cell that says y or n, or nothing where nobody knows."""
    text = (row.get(field) or "").casefold()
    if not text:
        return "unknown"
    if text in _YES:
        return "yes"
    if text in _NO:
        return "no"
    raise InvalidInput(field, "must be y, n or empty")


def whole_number(row: Row, field: str, least: int, most: int) -> int:
    """Return a cell that must be a whole number within bounds."""
    text = required(row, field)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise InvalidInput(field, f"must be a whole number from {least} to {most}")
    return int(text)


def coordinate(row: Row, field: str, most: float) -> float | None:
    """Return a cell with degrees, or None."""
    text = row.get(field)
    if text is None:
        return None
    try:
        degrees = float(text)
    except ValueError:
        degrees = most + 1
    if not -most <= degrees <= most:  # also refuses NaN
        raise InvalidInput(field, f"must be degrees from {-most:g} to {most:g}")
    return degrees
