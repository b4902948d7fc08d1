"""The nouns of the access room."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from key2xs.core.ids import PersonId, UserId
from key2xs.policy.acts import EVERYWHERE, Place

from .holdings import NOTHING, Holdings, Terms
from .permissions import Permission

ProposalKind: TypeAlias = Literal[
    "act",
    "adopt_keys",
    "authority_matrix",
    "bulk_write",
    "bundle_activation",
    "drift_policy",
    "history",
    "mass_action",
    "mass_lift",
    "mass_revoke",
    "paper_permit",
    "release_hold",
    "remove_last_holder",
    "source_down",
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
    altered_at: datetime | None = None
    """When somebody else made it, linked it to a person or gave it a password."""
    administered_at: datetime | None = None
    """When this user last changed users."""
    signed_in_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A sign-in that has not ended; the handle ends it and lets nobody in."""

    id: UUID
    user_id: UserId
    made_at: datetime
    seen_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class UserNames:
    """What a user is called; personal, does not print. None: erased."""

    login: str | None = field(repr=False)
    display_name: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, and what that one may do."""

    kind: Literal["session", "token", "code"]
    """`code`: somebody with a one-time code, who sees his own page and nothing else."""
    user_id: UserId
    person_id: PersonId | None
    roles: tuple[str, ...]
    permissions: frozenset[Permission]
    actor: str
    """For the log: `user:<id>` or `token:<id>`."""
    secret: str = field(default="", repr=False)
    """The session's cookie, from which its CSRF token follows; empty for tokens."""
    holdings: Holdings = NOTHING
    """The terms on which the permissions are held; see `Holdings`."""
    cleared: frozenset[Permission] = frozenset()
    """Permissions for which a second person has confirmed this very request."""
    reasoned: bool = False
    """Whether the request says why."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the request may do this everywhere, if need be with a reason or a second person."""
        return permission in self.permissions

    def may_somewhere(self, permission: Permission) -> bool:
        """Tell whether the request may do this at least in one unit or area."""
        return self.may(permission) or permission in self.holdings.somewhere

    def terms_of(self, permission: Permission, place: Place = EVERYWHERE) -> Terms | None:
        """Return on what terms the request may do this at a place; None: it may not."""
        if permission in self.permissions or permission in self.holdings.somewhere:
            return self.holdings.terms_of(permission, place)
        return None


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
    used_on: date | None = None
    """The day it was last used."""


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
    used_at: datetime | None = None
    """When a confirmed act was done."""
