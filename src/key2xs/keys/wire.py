"""Programs as they are stored: plain JSON, exact both ways."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .program import UNLIMITED, Program, Unlimited

_UNLIMITED = "unlimited"


def program_json(program: Program) -> dict[str, Any]:
    """Write a program; equal programs give equal values."""
    return {
        "rights": sorted(program.rights),
        "starts_at": _instant(program.starts_at),
        "ends_at": _instant(program.ends_at),
        "offline_expires_after": _interval(program.offline_expires_after),
        "renews_until": _UNLIMITED
        if isinstance(program.renews_until, Unlimited)
        else _instant(program.renews_until),
    }


def program_of(stored: Mapping[str, Any]) -> Program:
    """Read a program back."""
    renews = stored["renews_until"]
    expiry = stored["offline_expires_after"]
    return Program(
        rights=frozenset(stored["rights"]),
        starts_at=_read(stored["starts_at"]),
        ends_at=_read(stored["ends_at"]),
        offline_expires_after=(
            UNLIMITED if expiry == _UNLIMITED else timedelta(seconds=expiry) if expiry is not None else None
        ),
        renews_until=UNLIMITED if renews == _UNLIMITED else _read(renews),
    )


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _interval(expiry: timedelta | Unlimited | None) -> float | str | None:
    if isinstance(expiry, Unlimited):
        return _UNLIMITED
    return expiry.total_seconds() if expiry is not None else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
