"""Running the service, and setting it up. Everything heavy is imported when it is needed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import words
from .exits import NO, USAGE, YES, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from key2xs.core.settings import Settings


def run_service(config: Path | None, roles: frozenset[str]) -> int:
    """Run in some roles until told to stop."""
    from key2xs.app import run

    settings = load(config)
    scheme = "https" if settings.http.tls_certificate else "http"
    ready = f"Key2XS is ready: {scheme}://{settings.http.host}:{settings.http.port}"
    with _told():
        run(settings, roles, on_ready=ready if "serve" in roles else None)
    return YES


def migrate(config: Path | None) -> int:
    """Bring the databases to the newest schema."""
    from key2xs.app import migrate as migrate_databases

    with _told():
        migrate_databases(load(config))
    words.say("The databases are at the newest schema.")
    return YES


def confirm_restored(config: Path | None, reason: str, login: str) -> int:
    """End narrow-only after a restore, on the word of a person who signs in."""
    import getpass

    from key2xs.app import confirm_restored as confirm

    with _told():
        confirm(load(config), reason, login, getpass.getpass("Password: "))
    words.say("Confirmed: keys may be granted again.")
    return YES


def check_settings(config: Path | None, *, production: bool) -> tuple[Any, int]:
    """Say what is missing or unsafe: 0 nothing, 1 something, 2 cannot be read."""
    from key2xs.core.settings import production_problems

    settings = load(config)
    problems = production_problems(settings) if production or settings.production else []
    return {"ok": not problems, "problems": problems}, NO if problems else YES


def show_settings(answer: Any) -> None:
    """Print what is wrong with the settings."""
    words.say("The settings are fine." if answer["ok"] else "Not fine for production:")
    for problem in answer["problems"]:
        words.say(f"  {problem}")


def add_user_here(config: Path | None, login: str, roles: Sequence[str], name: str | None) -> tuple[Any, int]:
    """Make a user straight in the databases: the first one, when nobody can sign in yet."""
    import asyncio

    from key2xs.app import databases

    settings = load(config)
    with _told(), databases(settings) as dsns:
        return asyncio.run(_add_user(settings, dsns, login, roles, name)), YES


async def _add_user(settings: Settings, dsns: Any, login: str, roles: Sequence[str], name: str | None) -> Any:
    from key2xs.access import Access, make_user, new_password
    from key2xs.core.clock import SystemClock
    from key2xs.installation import open_installation

    clock, password = SystemClock(), new_password()
    async with open_installation(settings, dsns, clock) as installation:
        services = installation.services
        access = Access(services.database, services.ledger, services.vault, clock, clock)
        made = await services.database.transact(
            lambda tx: make_user(
                tx,
                access,
                login=login,
                roles=roles,
                at=clock.now(),
                display_name=name,
                one_time_password=password,
            )
        )
    return {"id": str(made), "one_time_password": password}


def load(config: Path | None) -> Settings:
    """Read the settings.

    Raises:
        Stopped: they cannot be read, or are refused.
    """
    import tomllib

    from key2xs.core.errors import InvalidInput, UnsafeSettings
    from key2xs.core.settings import load_settings

    try:
        return load_settings(config)
    except (InvalidInput, tomllib.TOMLDecodeError) as error:
        raise Stopped(f"settings: {error}", USAGE) from error
    except OSError as error:
        raise Stopped(f"cannot read the settings: {error}", USAGE) from error
    except UnsafeSettings as error:
        raise Stopped(str(error), NO) from error


@contextmanager
def _told() -> Iterator[None]:
    """Turn what we can explain into a line, not a traceback."""
    from key2xs.core.errors import InvalidInput, Key2XSError

    try:
        yield
    except InvalidInput as error:
        raise Stopped(str(error), USAGE) from error
    except Key2XSError as error:
        raise Stopped(str(error), NO) from error
    except OSError as error:
        raise Stopped(str(error), NO) from error
