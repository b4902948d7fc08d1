"""Lists for spreadsheets: CSV in which no cell is taken for a formula.

Stamps, companies and places come from other systems and from people. A cell that begins with `=` is a formula to the
spreadsheet that opens the list, and a formula may send the rest of the sheet away.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

# OWASP, CSV Injection: what a spreadsheet reads as the beginning of a formula, also in full width.
_BEGINNINGS: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def as_csv(columns: Sequence[str], rows: Iterable[Iterable[object]], *, line_end: str = "\r\n") -> str:
    """Write a list as CSV: one line with the names of the columns, then the rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end)
    writer.writerow(columns)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe_cell(cell: object) -> object:
    """Return what to write: text that looks like a formula is marked as text; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in _BEGINNINGS else cell
