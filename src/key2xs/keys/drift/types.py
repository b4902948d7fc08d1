"""What a finding is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import KeyId, KeySystemId, ZoneId
from key2xs.keys.program import Program

Policy: TypeAlias = Literal["report", "revert", "hold"]
State: TypeAlias = Literal["open", "acknowledged", "reverted", "accepted", "gone"]
Kind: TypeAlias = Literal[
    "rights", "start", "end", "interval", "renewal", "schedule", "limits", "device", "holder", "blocked", "unblocked",
    "outside", "deleted", "unlisted", "new_key", "lock_rights", "hidden_rights", "lock_unlisted", "group",
]  # fmt: skip

POLICIES: Final[tuple[Policy, ...]] = ("report", "hold", "revert")
"""From the loosest to the strictest: what leaves an edit, what leaves it until somebody decides, what undoes it."""

STATES: Final[tuple[State, ...]] = ("open", "acknowledged", "reverted", "accepted", "gone")
UNSETTLED: Final = frozenset({"open", "acknowledged"})

OF_THE_PLAN: Final = frozenset({"rights", "start", "end", "interval", "renewal", "schedule"})
"""Kinds that a write of the key's program undoes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reading said of a key, as far as somebody could edit it.

    `holder` is a mark, never the maker's name. `version` changes with the plan, also where it holds what Key2XS does not
    read; empty where it changes for other reasons, too.
    """

    planned: Program | None
    on_device: Program | None
    blocked: bool
    holder: str | None
    outside_visible: bool
    version: str = ""


@dataclass(frozen=True, slots=True)
class Ours:
    """What Key2XS itself did or wants, and so never counts as somebody else's edit.

    Attributes:
        written: programs whose writing may have arrived since the reading before, answered or not.
        on_keys: programs that may be in the device, whoever planned them.
        block: the key is to be blocked, or was told to be since.
        unblock: it is to come off the block list, or was told to since.
        holder: it changed hands here lately, so the maker's own books follow.
    """

    written: tuple[Program, ...] = ()
    on_keys: tuple[Program, ...] = ()
    block: bool = False
    unblock: bool = False
    holder: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that somebody edited, before and after."""

    kind: Kind
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Finding:
    """An edit made elsewhere. `who` and `edited_at` are None where the system does not tell."""

    id: UUID
    system_id: KeySystemId
    system: str
    key_id: KeyId | None
    stamp: str | None
    lock: str | None
    lock_marking: str | None
    right: str | None
    right_name: str | None
    kind: Kind
    before: Any
    after: Any
    zones: tuple[ZoneId, ...]
    zone_codes: tuple[str, ...]
    ad_hoc: bool
    policy: Policy
    leaves: bool
    wanted: Program | None
    state: State
    decision: Literal["revert", "accept"] | None
    first_seen: datetime
    last_seen: datetime
    settled_at: datetime | None
    settled_by: str | None

    @property
    def is_open(self) -> bool:
        """Whether it still wants somebody."""
        return self.state in UNSETTLED


@dataclass(frozen=True, slots=True)
class Left:
    """What a key may be written while an edit is left or held: its program, which may be the maker's very plan.

    `why` is told where a person must decide; `foreign`: the plan is not ours, so nothing is sent on its way.
    """

    program: Program
    why: str | None
    foreign: bool
