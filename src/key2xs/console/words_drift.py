"""Words of the page *Edits made elsewhere*."""

from collections.abc import Mapping
from typing import Final

from .words import Status

STATES: Final[Mapping[str, Status]] = {
    "open": Status("open", "bad", "triangle", "Nobody has looked at it yet."),
    "acknowledged": Status("seen", "warn", "half", "Somebody has seen it; it is not settled."),
    "reverted": Status("undone", "good", "check", "The key was written what its grants allow."),
    "accepted": Status(
        "left as it is", "quiet", "disc", "Somebody accepted it; it stays until something else is wanted."
    ),
    "gone": Status("gone", "quiet", "ring", "The maker's system shows it no longer."),
}
AD_HOC: Final = Status(
    "access without a grant",
    "bad",
    "triangle",
    "Given in the maker's own tool in an enforced zone; no grant covers it.",
)
POLICIES: Final[Mapping[str, str]] = {
    "report": "left, and told",
    "hold": "held until a person decides",
    "revert": "undone at once",
}
"""What a zone does with edits."""
