"""Users and tokens over the API."""

from collections.abc import Sequence
from typing import Any

from . import words
from .client import Api
from .exits import YES


def add_user(
    api: Api, login: str, roles: Sequence[str], name: str | None, person: str | None
) -> tuple[Any, int]:
    """Make a user with a one-time password."""
    body: dict[str, object] = {"login": login, "roles": list(roles)}
    if name is not None:
        body["display_name"] = name
    if person is not None:
        body["person"] = person
    return api.post("/api/v1/users", body), YES


def show_user(answer: Any) -> None:
    """Print the one-time password; it is shown nowhere else."""
    words.say(f"User {answer['id']}")
    words.say(f"One-time password: {answer['one_time_password']}")


def add_token(
    api: Api, label: str, permissions: Sequence[str], days: int, login: str | None
) -> tuple[Any, int]:
    """Make a token for oneself: as the person who signs in, or as the token at hand."""
    if login is not None:
        import getpass

        api.sign_in(login, getpass.getpass("Password: "))
    if not permissions:
        permissions = api.get("/api/v1/session")["permissions"]
    return api.post("/api/v1/tokens", {"label": label, "permissions": list(permissions), "days": days}), YES


def show_token(answer: Any) -> None:
    """Print the token; it is shown nowhere else."""
    words.say(f"Token {answer['id']}")
    words.say(f"KEY2XS_TOKEN={answer['token']}")
