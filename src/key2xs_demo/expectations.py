"""What the scenario expects, and what was seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Listener = Callable[["Expectation"], None]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One sentence of the scenario, held against what was observed."""

    id: str
    expected: Any
    observed: Any
    held: bool

    def as_json(self) -> dict[str, Any]:
        """Return the form of `summary.json`."""
        return {"id": self.id, "held": self.held, "expected": self.expected, "observed": self.observed}


class Book:
    """All expectations so far, in order."""

    def __init__(self, listener: Listener | None = None) -> None:
        """Tell `listener` of each."""
        self._kept: list[Expectation] = []
        self._listener = listener

    def expect(self, name: str, expected: Any, observed: Any) -> bool:
        """Expect two values to be equal."""
        return self.check(name, expected, observed, held=expected == observed)

    def check(self, name: str, expected: Any, observed: Any, *, held: bool) -> bool:
        """Note an expectation whose test is more than equality; ids are used once.

        Raises:
            ValueError: the id is taken: two sentences would hide one another.
        """
        if any(kept.id == name for kept in self._kept):
            message = f"expectation {name} stands twice"
            raise ValueError(message)
        found = Expectation(name, expected, observed, held)
        self._kept.append(found)
        if self._listener is not None:
            self._listener(found)
        return held

    @property
    def all_held(self) -> bool:
        """Whether there are some and every one held."""
        return bool(self._kept) and all(kept.held for kept in self._kept)

    def broken(self) -> list[Expectation]:
        """Return those that did not hold."""
        return [kept for kept in self._kept if not kept.held]

    def __iter__(self) -> Iterator[Expectation]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)
