"""What is asked about an act, and the answer. Every fact is a word; a word not listed in the schema is refused."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from key2xs.core.tri import Tri

Via: TypeAlias = Literal["session", "token", "code"]
Part: TypeAlias = Literal["first", "second", "approve"]
Proposer: TypeAlias = Literal["none", "self", "other", "unknown"]
Second: TypeAlias = Literal["none", "confirmed", "built_in"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who wants to act."""

    roles: frozenset[str]
    linked: Tri = "unknown"
    """Whether the user is linked to a person."""
    altered: Tri = "unknown"
    """Whether somebody else made, linked or gave it a password within the cooling time."""
    administered: Tri = "unknown"
    """Whether this person changed users within the cooling time."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the act takes effect; empty: everywhere, or not said."""

    unit: str = ""
    area: str = ""


EVERYWHERE = Place()


@dataclass(frozen=True, slots=True)
class ActQuestion:
    """Whether an account may do something at a place, and how."""

    account: Account
    permission: str
    place: Place = EVERYWHERE
    via: Via = "session"
    token_holds: Literal["yes", "no", "none"] = "none"  # noqa: S105 - whether a token was made for it
    part: Part = "first"
    proposer: Proposer = "none"
    proposer_altered: Tri = "no"
    second: Second = "none"
    reason: Literal["given", "none"] = "none"


@dataclass(frozen=True, slots=True)
class ActVerdict:
    """The answer: allowed as it is, or what would make it so, or neither."""

    allowed: bool
    needs_second: bool
    needs_reason: bool
    reasons: tuple[str, ...]
    """The `@reason` of every policy that decided, or why nothing could be decided."""
    policies: tuple[str, ...] = ()
    """Their ids."""

    @property
    def possible(self) -> bool:
        """Tell whether it is allowed, if need be with a second person or a reason."""
        return self.allowed or self.needs_second or self.needs_reason
