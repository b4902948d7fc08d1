"""What a domain says about one change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import TypeAlias
from uuid import UUID

from .canonical import Json


class Lane(IntEnum):
    """How urgent an entry is: control (kill, stop, revoke) overtakes bulk where no subject is shared."""

    CONTROL = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class Personal:
    """A personal value: sealed under its owner's key before it is stored anywhere."""

    owner: UUID
    value: Json


BodyValue: TypeAlias = "Json | Personal"

FREE_TEXT = frozenset({"comment", "note", "reason", "text", "why"})
"""Fields of a body that hold what somebody typed, where the actor is a person; the ledger seals them in any case."""
CODED = frozenset({("grants:lease:end", "reason"), ("grants:lease:refuse", "reason")})
"""Kinds and fields that look like free text and hold one of our own codes."""
_PEOPLE = frozenset({"user", "token", "person"})


def typed(actor: str, text: str) -> "str | Personal":
    """Wrap what somebody typed: free text may carry names, so it is sealed under the key of whoever typed it.

    What the service itself says (`system:...`) stays in clear.
    """
    kind, _, rest = actor.partition(":")
    if kind not in _PEOPLE:
        return text
    try:
        return Personal(UUID(rest), text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Entry:
    """One change, as the domain tells it.

    Args:
        kind: `domain:subject:action`, for example `work:permit:change`.
        occurred_at: when it happened out there; may lie well before `recorded_at`.
        recorded_at: when we learnt of it (domain time).
        actor: `user:<id>`, `person:<id>`, `token:<id>` or `system:<name>`.
        subjects: what it is about, as `<noun>:<id>`. Decides the streams; at most 16 of them.
        heads: those subjects whose facts changed, that decisions may rest on. Their rows are locked.
        body: what is said, field by field. Field names are public, values are committed to.
        lane: control entries wake the readers that steer keys before bulk ones.
    """

    kind: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    subjects: tuple[str, ...]
    heads: tuple[str, ...] = ()
    body: Mapping[str, BodyValue] = field(default_factory=dict)
    lane: Lane = Lane.BULK
