"""Who may use Key2XS itself: users, sessions, tokens, the authority matrix, acts by two people, traces, retention."""

from .authority import COOLING, not_second_until
from .codes import CODE_LASTS, VISIT_LASTS
from .holdings import Holdings, Terms, holdings_of
from .holds import Hold
from .looks import LONGEST_RANGE, PURPOSES, Look, Purpose
from .matrix import Change, Matrix, differences, parse_matrix, shipped_matrix
from .permissions import BUILT_IN_SECOND, PERMISSIONS, Permission, Role, permissions_of
from .secrets import csrf_token, is_csrf_token, new_password
from .service import Access, make_user
from .sessions import SignInRefused
from .throttle import TooManyAttempts
from .types import (
    OpenSession,
    Principal,
    Proposal,
    ProposalKind,
    ProposalState,
    SignedIn,
    Token,
    User,
    UserNames,
)

__all__ = [
    "BUILT_IN_SECOND",
    "CODE_LASTS",
    "COOLING",
    "LONGEST_RANGE",
    "PERMISSIONS",
    "PURPOSES",
    "VISIT_LASTS",
    "Access",
    "Change",
    "Hold",
    "Holdings",
    "Look",
    "Matrix",
    "OpenSession",
    "Permission",
    "Principal",
    "Proposal",
    "ProposalKind",
    "ProposalState",
    "Purpose",
    "Role",
    "SignInRefused",
    "SignedIn",
    "Terms",
    "Token",
    "TooManyAttempts",
    "User",
    "UserNames",
    "csrf_token",
    "differences",
    "holdings_of",
    "is_csrf_token",
    "make_user",
    "new_password",
    "not_second_until",
    "parse_matrix",
    "permissions_of",
    "shipped_matrix",
]
