"""Who may use Key2XS itself: users, sign-in sessions, API tokens, permissions, and acts that need two people."""

from .permissions import PERMISSIONS, Permission, Role, permissions_of
from .secrets import csrf_token, is_csrf_token, new_password
from .service import Access, make_user
from .sessions import SignInRefused
from .throttle import TooManyAttempts
from .types import Principal, Proposal, ProposalKind, ProposalState, SignedIn, Token, User, UserNames

__all__ = [
    "PERMISSIONS",
    "Access",
    "Permission",
    "Principal",
    "Proposal",
    "ProposalKind",
    "ProposalState",
    "Role",
    "SignInRefused",
    "SignedIn",
    "Token",
    "TooManyAttempts",
    "User",
    "UserNames",
    "csrf_token",
    "is_csrf_token",
    "make_user",
    "new_password",
    "permissions_of",
]
