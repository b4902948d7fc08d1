"""The HTTP API: translates requests into calls of services, and answers back; decides nothing itself."""

from .app import create_app
from .auth import authorise, require, require_person
from .web import Web, build_web, find_caller, web_of

__all__ = [
    "Web",
    "authorise",
    "build_web",
    "create_app",
    "find_caller",
    "require",
    "require_person",
    "web_of",
]
