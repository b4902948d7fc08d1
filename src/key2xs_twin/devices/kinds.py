"""The families of keys and locks."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class KeyKind(StrEnum):
    """The three key families, which travel and expire differently."""

    PHONE = "phone"  # S50 phone key: programmed over the air
    FOB = "fob"  # S50 key fob: programmed through the FobApp or a programmer
    METAL = "metal"  # S5 metal key: no offline expiry, needs a programmer or a hot spot


class LockType(IntEnum):
    """Lock families of the Public API v2."""

    S50 = 2
    C5 = 3
    S5_ONLINE = 4
    D5 = 5
