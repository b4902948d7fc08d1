"""What an import says about itself, the same for every kind of record.

An import reads rows, checks each one on its own, and changes only what differs: the same file twice changes
nothing the second time. A wrong row is reported with its number and field and does not stop the others. A dry
run does all of this except the writing, so its report is what the real run would give.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

ROW_LIMIT = 200_000  # rows in one file; the largest site of facts/work-management 4.4 stays below 50,000


@dataclass(frozen=True)
class RowError:
    """One thing that is wrong with one row."""

    row: int
    """Line of the file, the header being 1, so that an editor finds it."""
    field: str
    problem: str
    value: str | None = None
    """What stood there, or None where showing it would disclose personal data."""


@dataclass
class ImportReport:
    """Counts, errors and a readable difference of one import.

    `diff` holds one line for each row that changes anything: `+ ref`, `~ ref: field old -> new`, `- ref`. It names
    records by their code or opaque id and never shows personal values.
    """

    kind: str
    dry_run: bool = False
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed_missing: int = 0
    """Records known here and absent from the file; an import reports them and never removes them."""
    errors: list[RowError] = field(default_factory=list)
    diff: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether every row was acceptable."""
        return not self.errors

    def add(self, line: str) -> None:
        """Count a new record."""
        self.added += 1
        self.diff.append(f"+ {line}")

    def change(self, line: str) -> None:
        """Count a changed record."""
        self.changed += 1
        self.diff.append(f"~ {line}")

    def keep(self) -> None:
        """Count a record that is as the file says."""
        self.unchanged += 1

    def refuse(self, row: int, field_name: str, problem: str, value: str | None = None) -> None:
        """Note what is wrong with a row."""
        self.errors.append(RowError(row, field_name, problem, value))


@dataclass(frozen=True)
class Row:
    """One row of a file with its line number; values are stripped, an empty cell reads as None."""

    number: int
    values: Mapping[str, str]

    @classmethod
    def number_rows(cls, rows: Sequence[Mapping[str, str | None]]) -> list[Self]:
        """Number rows as an editor shows them: the header is line 1."""
        return [
            cls(number, {key: (value or "").strip() for key, value in row.items() if key})
            for number, row in enumerate(rows, start=2)
        ]

    def get(self, name: str) -> str | None:
        """Return a cell, or None when it is empty or the column is absent."""
        return self.values.get(name) or None

    def missing(self, required: Sequence[str]) -> list[str]:
        """Return the required columns that are empty in this row."""
        return [name for name in required if not self.values.get(name)]
