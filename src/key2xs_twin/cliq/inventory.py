"""What a CLIQ locking system holds on day one, as plain values, and the account the product signs in with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from key2xs_twin.cliq.plan import KeyPlan

if TYPE_CHECKING:
    from uuid import UUID


class CliqKeyKind(StrEnum):
    """Key families: where the access list lives, and how the key is updated."""

    DYNAMIC = "dynamic"  # carries its access list
    CONNECT = "connect"  # the same, with Bluetooth: updated by a phone
    NORMAL = "normal"  # listed in cylinders; only its time settings can be updated


class UpdaterKind(StrEnum):
    """The boxes at which a key is updated."""

    WALL = "wall"
    DESK = "desk"
    MOBILE = "mobile"
    PHONE = "phone"  # the CLIQ Connect app; for Connect keys only


@dataclass(frozen=True, slots=True, kw_only=True)
class CylinderSpec:
    """A cylinder as installed. ``normal_key_ids``, ``key_group_ids``: the normal keys and key groups that it lists."""

    cylinder_id: UUID
    marking: str
    domain: str = "site"
    online_opening: bool = False
    place: str = ""
    normal_key_ids: frozenset[UUID] = frozenset()
    key_group_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CylinderGroupSpec:
    """Cylinders that are one entry in a key; grouping is ordered with the locking system."""

    group_id: UUID
    name: str
    member_ids: frozenset[UUID] = frozenset()
    writable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGroupSpec:
    """Normal keys that are one entry in a cylinder; they are made so and stay so."""

    group_id: UUID
    name: str
    member_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessProfileSpec:
    """A named access list that is tied to keys (CLIQ Web Manager)."""

    profile_id: UUID
    name: str
    cylinder_ids: frozenset[UUID] = frozenset()
    group_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CliqKeySpec:
    """A key as delivered. ``programmed``: its device carries ``plan`` already, updated on day one.

    ``serial`` is engraved (9 digits). A Connect key has ``phone_id``, the updater in its holder's pocket.
    """

    key_id: UUID
    serial: str
    kind: CliqKeyKind = CliqKeyKind.DYNAMIC
    marking: str = ""
    holder: str | None = None
    plan: KeyPlan | None = None
    programmed: bool = True
    phone_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdaterSpec:
    """An updater and where it hangs: an access point or free words."""

    updater_id: UUID
    kind: UpdaterKind = UpdaterKind.WALL
    place: str = ""
    network_up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammingKeySpec:
    """A programming key (C-key) and who keeps it."""

    programming_key_id: UUID
    serial: str
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CliqSite:
    """Everything one CLIQ locking system holds on day one."""

    name: str = "Simulated CLIQ system"
    client: str = "key2xs"
    secret: str = "battery staple"  # noqa: S105 - the simulated vendor's own account
    time_zone: str = "Europe/Amsterdam"
    cylinders: tuple[CylinderSpec, ...] = ()
    groups: tuple[CylinderGroupSpec, ...] = ()
    key_groups: tuple[KeyGroupSpec, ...] = ()
    profiles: tuple[AccessProfileSpec, ...] = ()
    keys: tuple[CliqKeySpec, ...] = ()
    updaters: tuple[UpdaterSpec, ...] = ()
    programming_keys: tuple[ProgrammingKeySpec, ...] = ()
