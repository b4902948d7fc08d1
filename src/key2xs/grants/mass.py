"""Ending many grants as one act: a person, a company, a key's holder. What it would touch can be seen first.

S1 holds here from the first: grants that stand on emergency duties or two-person emergencies are never part of a
mass action; they are counted and named instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.ledger import Entry, Lane, Ledger

from .store import LeaseStore
from .types import Lease

EMERGENCY_ROLES = frozenset({"fire_brigade", "emergency_response", "emergency"})


@dataclass(frozen=True, slots=True)
class Affected:
    """What a mass action touches. `spared` are left alone because of S1."""

    leases: tuple[Lease, ...]
    spared: tuple[Lease, ...]

    @property
    def persons(self) -> frozenset[PersonId]:
        """Everybody who loses something."""
        return frozenset(lease.person_id for lease in self.leases)


class MassActions:
    """Looks and ends."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every act with `ledger`."""
        self._store = LeaseStore(ledger)

    async def look(self, tx: Connection, persons: Sequence[PersonId]) -> Affected:
        """Return what revoking these people would touch; changes nothing."""
        leases = await self._store.find_open(tx, persons=list(persons))
        spared = tuple(lease for lease in leases if is_emergency(lease))
        return Affected(tuple(lease for lease in leases if not is_emergency(lease)), spared)

    async def end_all(
        self, tx: Connection, affected: Affected, *, subject: str, reason: str, actor: str, at: datetime
    ) -> None:
        """End everything a look found, as one parent entry and one entry a grant."""
        parent = Entry(
            kind="grants:set:revoke",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(subject,),
            body={"reason": reason, "grants": len(affected.leases), "spared": len(affected.spared)},
            lane=Lane.CONTROL,
        )
        await self._store.end(
            tx, affected.leases, reason="revoked", text=reason, actor=actor, at=at, parent=parent
        )

    async def end_one(self, tx: Connection, lease: Lease, *, reason: str, actor: str, at: datetime) -> None:
        """End one grant on a person's word."""
        await self._store.end(tx, [lease], reason="killed", text=reason, actor=actor, at=at)


def is_emergency(lease: Lease) -> bool:
    """Tell whether S1 keeps a grant out of every mass action."""
    role = lease.basis_ref.split(":")[1] if lease.basis_ref.startswith("duty:") else ""
    return lease.basis_kind == "emergency" or role in EMERGENCY_ROLES
