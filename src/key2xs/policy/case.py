"""One situation laid open for the explainer, and how instants and bases are worded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeAlias

from .compiled import CompiledBundle
from .types import BasisKind, Missing, Situation, Window
from .view import View


@dataclass(frozen=True, slots=True)
class Case:
    """What every condition looks at."""

    situation: Situation
    view: View
    compiled: CompiledBundle
    zone: tzinfo

    @property
    def permit(self) -> str:
        """How the basis is called in a sentence."""
        return self.situation.basis.reference or _BASIS_NAMES[self.situation.basis.kind]

    def when(self, instant: datetime) -> str:
        """An instant in the site's time, with the year only where it is another one."""
        local, at = instant.astimezone(self.zone), self.situation.at.astimezone(self.zone)
        year = "" if local.year == at.year else f" {local.year}"
        # On screen the site's own time needs no name; UTC does, or somebody reads it as local time.
        suffix = " UTC" if self.zone is UTC else ""
        return f"{local.day} {local:%b}{year} {local:%H:%M}{suffix}"

    def is_ahead(self, window: Window) -> bool:
        """True when the window has not begun yet."""
        return window.opens_at is not None and window.opens_at > self.situation.at

    def past_or_future(self, window: Window) -> str:
        """How a window that is not open is worded: "ended 21 Nov 18:00", "begins 22 Nov 06:00", "is not there"."""
        if window.opens_at is not None and self.is_ahead(window):
            return f"begins {self.when(window.opens_at)}"
        if window.closes_at is not None:
            return f"ended {self.when(window.closes_at)}"
        return "is not there"


_BASIS_NAMES: Final[dict[BasisKind, str]] = {
    "permit_step": "the permit",
    "duty_role": "the shift",
    "approved_request": "the request",
    "emergency": "the emergency",
    "standing": "the standing right",
}

Condition: TypeAlias = Callable[[Case], Iterator[Missing]]
