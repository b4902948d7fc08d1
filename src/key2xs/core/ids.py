"""Typed, opaque ids.

An id is a UUID with no meaning inside. Each noun has its own type, so that a key's id is never handed to a
function that wants a cylinder's. Ids are made here and not in SQL: `uuidv7()` exists in PostgreSQL 18 and not
in 15.
"""

import os
import time
from typing import NewType
from uuid import UUID

AccessPointId = NewType("AccessPointId", UUID)
AreaId = NewType("AreaId", UUID)
AssetId = NewType("AssetId", UUID)
BundleId = NewType("BundleId", UUID)
CompanyId = NewType("CompanyId", UUID)
CylinderId = NewType("CylinderId", UUID)
EntryId = NewType("EntryId", UUID)
GrantId = NewType("GrantId", UUID)
KeyId = NewType("KeyId", UUID)
KeySystemId = NewType("KeySystemId", UUID)
PermitId = NewType("PermitId", UUID)
PersonId = NewType("PersonId", UUID)
RequestId = NewType("RequestId", UUID)
TargetId = NewType("TargetId", UUID)
UnitId = NewType("UnitId", UUID)
UserId = NewType("UserId", UUID)
ZoneId = NewType("ZoneId", UUID)

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62


def new_id() -> UUID:
    """Make a time-ordered UUID (version 7 layout).

    The time part only keeps index pages together; nobody may read it back as an instant of the domain.
    """
    # The wall clock is right here even when domain time is virtual: the value carries no meaning.
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    high = (millis & ((1 << 48) - 1)) << 80
    return UUID(
        int=high | _VERSION_7 | ((random >> 62) & 0xFFF) << 64 | _VARIANT | (random & ((1 << 62) - 1))
    )


def parse_id(text: str) -> UUID | None:
    """Return the UUID in `text`, or None when it is not one (a stamp or a code, say)."""
    try:
        return UUID(text)
    except ValueError:
        return None
