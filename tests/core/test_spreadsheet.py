"""Lists for spreadsheets: nothing in them is ever taken for a formula."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import key2xs
from key2xs.core.spreadsheet import as_csv, safe_cell


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_text_that_looks_like_a_formula_is_marked_as_text(begins: str) -> None:
    assert safe_cell(f"{begins}HYPERLINK(A1)") == f"'{begins}HYPERLINK(A1)"


def test_numbers_stay_numbers_and_other_text_stays_as_it_is() -> None:
    assert [safe_cell(cell) for cell in (-5, "MCC2-F07", "", None)] == [-5, "MCC2-F07", "", None]


@given(st.lists(st.lists(st.text(alphabet="=+-@'\",\t\r\n ab"), min_size=2, max_size=2), max_size=5))
def test_whatever_is_written_no_cell_begins_like_a_formula(rows: list[list[str]]) -> None:
    text = as_csv(["key", "company"], rows)
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert len(read) == 1 + len(rows)
    assert not [cell for line in read for cell in line if cell[:1] in set("=+-@\t\r\n")]


def test_every_list_of_the_product_is_written_by_it() -> None:
    """The authority matrix is read back as it was written; its cells are words of ours, checked when it is read."""
    root = Path(key2xs.__file__).parent
    writers = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if "csv.writer(" in (text := file.read_text(encoding="utf-8")) or "csv.DictWriter(" in text
    }
    assert writers == {"core/spreadsheet.py", "access/matrix.py"}
