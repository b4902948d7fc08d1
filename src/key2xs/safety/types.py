"""The facts that the safety rules look at, and what they can say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from key2xs.core.tri import Tri

Rule: TypeAlias = Literal["S1", "S2", "S3", "S4", "S5", "S6"]

Outcome: TypeAlias = Literal[
    "go",  # no rule stands against it
    "never",  # it is not done at all, by anybody
    "hold",  # it waits, visibly, until what the rule asks for is so
    "second_person",  # one person is not enough
    "tell_first",  # it is told first and happens at `until`
    "suspend",  # the work stops as if its permit were suspended
    "warn",  # it happens, and somebody is told and asked
]

Act: TypeAlias = Literal[
    "clock",  # the planned end of a window
    "facts",  # what it rested on is gone: a permit closed, somebody signed off, the scope changed
    "identity",  # a machine says the person may no longer: disabled, contract over, off the roster
    "person",  # somebody ended it: revoked, blocked, taken back
    "two_people",  # somebody ended it and a second person confirmed
]
"""Who or what ends access."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says. `why` is a sentence for the screen; `until` is None where only an event can tell."""

    outcome: Outcome
    rule: Rule | None = None
    why: str = ""
    until: datetime | None = None

    @property
    def goes(self) -> bool:
        """Tell whether nothing stands against it."""
        return self.outcome == "go"


GO: Final = Verdict("go")


@dataclass(frozen=True, slots=True)
class Box:
    """A group lock box of a lockout: whose personal locks were ever put on it, and whose still hang there."""

    name: str
    ever: frozenset[str] = frozenset()
    on: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lockout:
    """What a permit says of its lockout.

    `workers` are those signed on to do the work now; each has to have a lock of their own on a box. `isolated`: an
    isolation certificate stands that is neither only planned nor removed.
    """

    boxes: tuple[Box, ...] = ()
    workers: frozenset[str] = frozenset()
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """Access to safety equipment that is about to end.

    `ends_at` is the planned end of the window. `isolating_suspended`: the holder is the isolating authority of a
    permit that is suspended, not closed.
    """

    act: Act
    at: datetime
    ends_at: datetime
    isolating_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Inside:
    """Why somebody may be behind a lock: signed on to work there, or opened it and was not seen elsewhere since."""

    signed_on: bool = False
    opened_at: datetime | None = None
    seen_outside_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Crew:
    """Somebody on a permit: the role, whether signed on now, and whether known to be an active identity."""

    role: str
    signed_on: bool
    active: Tri


@dataclass(frozen=True, slots=True)
class Word:
    """What was said about a kill that waits."""

    asked_at: datetime
    proceed_at: datetime | None = None
    withdrawn_at: datetime | None = None
