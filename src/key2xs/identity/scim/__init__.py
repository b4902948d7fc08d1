"""SCIM 2.0 for IAMs that provision people and groups."""

from .app import BODY_LIMIT, Authenticate, scim_app
from .schemas import KEY2XS, Profile

__all__ = ["BODY_LIMIT", "KEY2XS", "Authenticate", "Profile", "scim_app"]
