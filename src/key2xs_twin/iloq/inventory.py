"""What an iLOQ locking system holds on day one, as plain values.

The site generator fills these; :meth:`key2xs_twin.iloq.server.IloqServer.load` turns them into vendor state
and devices. They carry the vendor's words (access right = *security access*) because they describe the
vendor's side, but Python's spelling; the wire names live in :mod:`key2xs_twin.iloq.shapes`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from key2xs_twin.devices.kinds import KeyKind, LockType

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class RightType(IntEnum):
    """Types of access right; only API rights may be changed over the API."""

    BLOCKLISTED_KEY = 0
    STANDARD = 1
    API = 3


__all__ = [
    "IloqSite",
    "KeyKind",
    "KeySpec",
    "LockSpec",
    "LockType",
    "PersonSpec",
    "RightType",
    "SecurityAccessSpec",
    "ZoneSpec",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSpec:
    """A vendor zone: an administrative part of the locking system with its own block list."""

    zone_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAccessSpec:
    """A named access right: a key opens a lock if both hold one in common."""

    id: UUID
    name: str
    type: RightType = RightType.API
    zone_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSpec:
    """A person as the vendor's database knows him."""

    person_id: UUID
    external_person_id: str | None
    first_name: str
    last_name: str
    company_name: str | None = None
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockSpec:
    """A lock as installed: its rights on the device equal the planned ones on day one.

    ``online`` means behind a network module (rows and block lists travel at once);
    ``online_required`` means that the lock asks the server at every opening and refuses without an answer;
    ``hot_spot`` that its network module programs metal keys that are presented there.
    """

    flock_id: UUID
    stamp: str
    lock_type: LockType = LockType.D5
    clock_installed: bool = False
    respects_time_limits: bool = True
    online: bool = False
    online_required: bool = False
    hot_spot: bool = False
    security_access_ids: frozenset[UUID] = frozenset()
    zone_id: UUID | None = None
    serial_number: int = 0
    sw_version: int = 0  # 0: never read
    description: str = ""
    location_code: str = ""
    time_limit_title_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """A key as handed over: ``programmed`` means that the device already carries what is planned here.

    ``starts_lg`` and ``ends_lg`` are slots 0 and 1: local wall-clock times of the locking system, naive.
    ``offline_expiration_seconds`` 0 is the vendor's word for *works offline for ever*.
    """

    fnkey_id: UUID
    stamp: str
    kind: KeyKind
    person_external_id: str | None = None
    person_id: UUID | None = None
    security_access_ids: frozenset[UUID] = frozenset()
    starts_lg: datetime | None = None
    ends_lg: datetime | None = None
    offline_expiration_seconds: int = 0
    programmed: bool = False
    phone_no: str | None = None
    email: str | None = None
    zone_id: UUID | None = None
    description: str = ""
    network_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class IloqSite:
    """Everything one locking system holds on day one, and the account the product signs in with."""

    lock_group_id: UUID
    name: str = "Simulated site"
    customer_code: str = "K2X-TWIN"
    user_name: str = "key2xs"
    password: str = "correct horse"  # noqa: S105 - the simulated vendor's own account
    time_zone: str = "Europe/Amsterdam"
    zones: tuple[ZoneSpec, ...] = ()
    security_accesses: tuple[SecurityAccessSpec, ...] = ()
    persons: tuple[PersonSpec, ...] = ()
    locks: tuple[LockSpec, ...] = field(default=())
    keys: tuple[KeySpec, ...] = field(default=())
