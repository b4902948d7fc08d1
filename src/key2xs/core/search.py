"""How a text that somebody typed is looked for: as it is, by its beginning, by any part."""

from dataclasses import dataclass
from typing import Final

# An index of three-letter parts finds nothing shorter.
SHORTEST_PART: Final = 3
LONGEST: Final = 120
_LAST: Final = chr(0x10FFFF)  # sorts after every text with the same beginning


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as the statements named `search_*` take it: `exact`, `begins_before`, `part`, in this order."""

    exact: str
    begins_before: str
    part: str | None
    """A pattern for LIKE; None where the text is too short for one."""


def typed(text: str) -> Typed:
    """Prepare a text; letters are compared without case."""
    folded = text.strip().lower()[:LONGEST]
    escaped = folded.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return Typed(folded, folded + _LAST, f"%{escaped}%" if len(folded) >= SHORTEST_PART else None)
