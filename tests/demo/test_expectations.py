"""What the scenario expects is kept, whether it held or not."""

import pytest

from key2xs_demo.expectations import Book, Expectation


def test_one_expectation_that_did_not_hold_is_enough() -> None:
    book = Book()
    held = [book.expect("a", 1, 1), book.all_held]
    held += [book.expect("b", 1, 2), book.all_held]
    assert held == [True, True, False, False]
    assert book.broken() == [Expectation("b", 1, 2, held=False)]


def test_a_scenario_without_expectations_proves_nothing() -> None:
    assert not Book().all_held


def test_no_expectation_hides_another_of_its_name() -> None:
    book = Book()
    book.expect("a", 1, 1)
    with pytest.raises(ValueError, match="stands twice"):
        book.expect("a", 1, 2)


def test_whoever_watches_hears_of_each_at_once() -> None:
    heard: list[str] = []
    book = Book(lambda found: heard.append(found.id))
    book.expect("a", 1, 1)
    book.check("b", "near 1", 1.1, held=True)
    assert heard == ["a", "b"]
    assert len(book) == 2
