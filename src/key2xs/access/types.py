"""The nouns of the access room."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import PersonId, UserId

from .permissions import Permission

ProposalKind: TypeAlias = Literal[
    "adopt_keys",
    "authority_matrix",
    "bulk_write",
    "bundle_activation",
    "history",
    "mass_revoke",
    "paper_permit",
    "release_hold",
    "remove_last_holder",
    "zone_mode",
]
ProposalState: TypeAlias = Literal["open", "confirmed", "refused", "expired"]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in. Their names are sealed; `UserNames` has them."""

    id: UserId
    person_id: PersonId | None
    roles: tuple[str, ...]
    one_time: bool
    made_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserNames:
    """What a user is called; personal, does not print. None: erased."""

    login: str | None = field(repr=False)
    display_name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and what that one may do."""

    kind: Literal["session", "token"]
    user_id: UserId
    person_id: PersonId | None
    roles: tuple[str, ...]
    permissions: frozenset[Permission]
    actor: str
    """For the log: `user:<id>` or `token:<id>`."""
    secret: str = field(default="", repr=False)
    """The session's cookie, from which its CSRF token follows; empty for tokens."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the request may do this."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun."""

    user: User
    secret: str = field(repr=False)
    csrf: str = field(repr=False)
    ends_at: datetime = field()


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its secret."""

    id: UUID
    label: str
    owner_id: UserId
    permissions: frozenset[Permission]
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act that waits for a second person."""

    id: UUID
    kind: ProposalKind
    subject: str
    payload: dict[str, Any]
    reason: str
    proposed_by: UserId
    proposed_at: datetime
    expires_at: datetime
    state: ProposalState
    decided_by: UserId | None
    decided_at: datetime | None
