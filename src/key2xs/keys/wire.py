"""Programs as they are stored: plain JSON, exact both ways."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .program import NO_OFFLINE_UPDATES, UNLIMITED, OfflineUpdates, Program, Unlimited, WeeklyWindow

_UNLIMITED = "unlimited"


def program_json(program: Program) -> dict[str, Any]:
    """Write a program; equal programs give equal values. A schedule is left out where there is none."""
    stored: dict[str, Any] = {
        "rights": sorted(program.rights),
        "starts_at": _instant(program.starts_at),
        "ends_at": _instant(program.ends_at),
        "offline_expires_after": _interval(program.offline_expires_after),
        "renews_until": _UNLIMITED
        if isinstance(program.renews_until, Unlimited)
        else _instant(program.renews_until),
    }
    if program.schedule is not None:
        stored["schedule"] = [[w.day, w.from_minute, w.to_minute] for w in sorted(program.schedule)]
    return stored


def program_of(stored: Mapping[str, Any]) -> Program:
    """Read a program back."""
    renews = stored["renews_until"]
    expiry = stored["offline_expires_after"]
    schedule = stored.get("schedule")
    return Program(
        rights=frozenset(stored["rights"]),
        starts_at=_read(stored["starts_at"]),
        ends_at=_read(stored["ends_at"]),
        offline_expires_after=(
            UNLIMITED if expiry == _UNLIMITED else timedelta(seconds=expiry) if expiry is not None else None
        ),
        renews_until=UNLIMITED if renews == _UNLIMITED else _read(renews),
        schedule=None if schedule is None else frozenset(WeeklyWindow(*window) for window in schedule),
    )


def offline_updates_of(stored: Mapping[str, Any] | None) -> OfflineUpdates:
    """Read back what updaters may do without the server; nothing stored = nothing."""
    if stored is None:
        return NO_OFFLINE_UPDATES
    gap = stored["gap_seconds"]
    return OfflineUpdates(stored["count"], timedelta(seconds=gap) if gap is not None else None)


def ended_at_of(stored: Mapping[str, str] | None) -> dict[str, datetime]:
    """Read back which locks let a key in no longer; nothing stored = none."""
    return {lock: datetime.fromisoformat(at) for lock, at in (stored or {}).items()}


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _interval(expiry: timedelta | Unlimited | None) -> float | str | None:
    if isinstance(expiry, Unlimited):
        return _UNLIMITED
    return expiry.total_seconds() if expiry is not None else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
