"""Answers that several routes give. People appear by id only, never by name."""

from datetime import datetime
from uuid import UUID

import msgspec

from key2xs.grants.types import Lease
from key2xs.keys.types import StoredKey, Target


class MissingOut(msgspec.Struct, frozen=True):
    """One unmet condition and the smallest legal change that would meet it."""

    code: str
    text: str
    change: str


class BasisAnswer(msgspec.Struct, frozen=True):
    """One basis that covers the cylinder, and what it lacks; nothing missing means that it allows."""

    basis: str
    kind: str
    step: str
    reference: str
    allows: bool
    until: datetime | None
    missing: list[MissingOut]


class Delivery(msgspec.Struct, frozen=True):
    """How far a person's key is.

    `progress`: requested, accepted, in_transit, delivered, failed or blocked_with_access.
    """

    key: str
    blocked: bool
    progress: str
    problem: str | None
    grants: list[UUID]
    cannot: list[dict[str, str]]


class Explained(msgspec.Struct, frozen=True):
    """Why a person may open a cylinder, or what is missing.

    `verdict`: allow, deny, or unknown (denied, because something could not be known). `bases`: the nearest to a yes
    first. `near`: permits that name both and do not count now. `delivery`: how far the person's keys are.
    """

    person: UUID
    cylinder: str
    at: datetime
    verdict: str
    zone_mode: str
    missing: list[MissingOut]
    bases: list[BasisAnswer]
    near: list[str]
    delivery: list[Delivery]


class GrantOut(msgspec.Struct, frozen=True):
    """A grant: who, why, from when to when, where."""

    id: UUID
    person: UUID
    basis: str
    basis_kind: str
    step: str
    reference: str
    state: str
    starts_at: datetime
    ends_at: datetime
    cylinders: list[UUID]
    held_rule: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None


class KeyOut(msgspec.Struct, frozen=True):
    """A key, who has it and how far its program is."""

    id: UUID
    stamp: str
    kind: str
    system: UUID
    emergency: bool
    adopted_at: datetime | None
    blocked_at: datetime | None
    block_reason: str | None
    deleted: bool
    holder: UUID | None = None
    progress: str | None = None
    problem: str | None = None
    as_of: datetime | None = None
    asked_at: datetime | None = None
    """Since when the key is to be as it is meant to be now."""
    accepted_at: datetime | None = None
    """When the key system took the order for that; null while it has not."""
    unblock_asked_at: datetime | None = None
    """Since when it is coming off the block list; it stays blocked until that is carried out."""


def grant_out(lease: Lease) -> GrantOut:
    """Describe a grant."""
    return GrantOut(
        id=lease.id,
        person=lease.person_id,
        basis=lease.basis_ref,
        basis_kind=lease.basis_kind,
        step=lease.basis_step,
        reference=lease.reference,
        state=lease.state,
        starts_at=lease.starts_at,
        ends_at=lease.ends_at,
        cylinders=sorted(lease.cylinders),
        held_rule=lease.held_rule,
        ended_at=lease.ended_at,
        end_reason=lease.end_reason,
    )


def key_out(key: StoredKey, *, holder: UUID | None = None, target: Target | None = None) -> KeyOut:
    """Describe a key."""
    return KeyOut(
        id=key.id,
        stamp=key.stamp,
        kind=str(key.kind),
        system=key.system_id,
        emergency=key.emergency,
        adopted_at=key.adopted_at,
        blocked_at=key.blocked_at,
        block_reason=key.block_reason,
        deleted=key.deleted,
        holder=holder,
        progress=target.progress if target else None,
        problem=target.problem if target else None,
        as_of=target.read_at if target else None,
        asked_at=target.asked_at if target else None,
        accepted_at=target.accepted_at if target else None,
        unblock_asked_at=key.unblock_asked_at,
    )
