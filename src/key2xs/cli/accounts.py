"""Users and tokens over the API."""

import sys
from collections.abc import Sequence
from typing import Any

from . import words
from .client import Api, part
from .exits import USAGE, YES, Stopped


def add_user(
    api: Api, login: str, roles: Sequence[str], name: str | None, person: str | None, reason: str
) -> tuple[Any, int]:
    """Make a user with a one-time password."""
    body: dict[str, object] = {"login": login, "roles": list(roles), "reason": reason}
    if name is not None:
        body["display_name"] = name
    if person is not None:
        body["person"] = person
    return api.post("/api/v1/users", body), YES


def show_user(answer: Any) -> None:
    """Print the one-time password; it is shown nowhere else."""
    words.say(f"User {answer['id']}")
    words.say(f"One-time password: {answer['one_time_password']}")
    if answer.get("not_second_until"):
        words.say(
            f"Counts as one of two people from {words.instant(answer['not_second_until'])} on, not before"
        )


def add_token(
    api: Api, label: str, permissions: Sequence[str], days: int, login: str | None, reason: str
) -> tuple[Any, int]:
    """Make a token for oneself: as the person who signs in, or as the token at hand; without names for all one has.

    Raises:
        Stopped: one has nothing.
    """
    if login is not None:
        api.sign_in(login, ask_secret("Password: "))
    if not permissions:
        permissions = api.get("/api/v1/session")["permissions"]
    if not permissions:
        message = "this account has no permission that a token could carry: have it given a role first"
        raise Stopped(message, USAGE)
    body = {"label": label, "permissions": list(permissions), "days": days, "reason": reason}
    return api.post("/api/v1/tokens", body), YES


def show_token(answer: Any) -> None:
    """Print the token; it is shown nowhere else."""
    words.say(f"Token {answer['id']}")
    words.say(f"KEY2XS_TOKEN={answer['token']}")


def list_users(api: Api) -> tuple[Any, int]:
    """Return all users, page by page."""
    page = api.get("/api/v1/users")
    items = list(page["items"])
    while page["next"]:
        page = api.get("/api/v1/users", cursor=page["next"])
        items += page["items"]
    return {"items": items}, YES


def show_users(answer: Any) -> None:
    """Print a line a user."""
    for each in answer["items"]:
        state = "disabled" if each["disabled_at"] else f"last sign-in {each['signed_in_at'] or 'never'}"
        linked = "linked" if each["person"] else "not linked"
        words.say(f"{each['id']}  {each['login'] or 'erased'}: {', '.join(each['roles'])}; {linked}; {state}")
        if each["not_second_until"]:
            words.say(f"  no second person until {each['not_second_until']}")


def set_roles(api: Api, user_id: str, roles: Sequence[str], reason: str) -> tuple[Any, int]:
    """Change a user's roles; the person stays."""
    found = [each for each in list_users(api)[0]["items"] if each["id"] == user_id]
    if not found:
        raise Stopped(f"there is no user {user_id}", USAGE)
    body = {"roles": list(roles), "person": found[0]["person"], "reason": reason}
    return api.post(f"/api/v1/users/{part(user_id)}/roles", body), YES


def link(api: Api, user_id: str, person: str | None, reason: str) -> tuple[Any, int]:
    """Say which person a user is."""
    return api.post(f"/api/v1/users/{part(user_id)}/person", {"person": person, "reason": reason}), YES


def act_on_user(api: Api, user_id: str, act: str, reason: str) -> tuple[Any, int]:
    """Give a one-time password, or disable."""
    return api.post(f"/api/v1/users/{part(user_id)}/{act}", {"reason": reason}), YES


def show_changed(answer: Any) -> None:
    """Print what a user is now."""
    show_users({"items": [answer]})


def list_sessions(api: Api) -> tuple[Any, int]:
    """Return sign-ins."""
    return api.get("/api/v1/sessions"), YES


def show_sessions(answer: Any) -> None:
    """Print a line a sign-in."""
    for each in answer["items"]:
        words.say(f"{each['id']}  user {each['user']}: since {each['made_at']}, seen {each['seen_at']}")


def list_tokens(api: Api) -> tuple[Any, int]:
    """Return tokens."""
    return api.get("/api/v1/tokens"), YES


def show_tokens(answer: Any) -> None:
    """Print a line a token."""
    for each in answer["items"]:
        state = "revoked" if each["revoked_at"] else f"until {each['expires_at']}"
        words.say(f"{each['id']}  {each['label']}: {state}; last used {each['used_on'] or 'never'}")
        words.say(f"  {', '.join(each['permissions'])}")


def end(api: Api, what: str, name: str, act: str, reason: str) -> tuple[Any, int]:
    """End a sign-in or revoke a token."""
    api.post(f"/api/v1/{what}/{part(name)}/{act}", {"reason": reason})
    return {"id": name}, YES


def show_done(answer: Any) -> None:
    """Say that it is done."""
    words.say(f"Done: {answer['id']}")


def choose_password(api: Api, login: str) -> tuple[Any, int]:
    """Sign in with a one-time password and set one's own."""
    api.sign_in(login, ask_secret("One-time password: "))
    api.post("/api/v1/session/password", {"new": ask_secret("New password: ")})
    return {"id": login}, YES


def ask_secret(prompt: str) -> str:
    """Ask for a secret without showing it; read it as a line where nobody sits at a terminal."""
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")
