"""Ending many grants as one act: a person, a company, a key's holder. What it would touch can be seen first.

S1 holds here from the first: grants that stand on emergency duties or two-person emergencies are never part of a
mass action; they are counted and named instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.safety import Act

from .holding import Holding, Kept
from .reach import is_spared
from .store import LeaseStore
from .types import Lease


@dataclass(frozen=True, slots=True)
class Affected:
    """What a mass action touches. `spared` are left alone because of S1, `kept` would be held by another rule."""

    leases: tuple[Lease, ...]
    spared: tuple[Lease, ...]
    kept: tuple[Kept, ...] = ()

    @property
    def persons(self) -> frozenset[PersonId]:
        """Everybody who loses something."""
        return frozenset(lease.person_id for lease in self.leases)


class MassActions:
    """Looks and ends."""

    def __init__(self, ledger: Ledger, holding: Holding) -> None:
        """Record every act with `ledger`; end leases through `holding`."""
        self._store, self._holding = LeaseStore(ledger), holding

    async def look(self, tx: Connection, persons: Sequence[PersonId]) -> Affected:
        """Return what revoking these people would touch; changes nothing."""
        leases = await self._store.find_open(tx, persons=list(persons))
        spared = tuple(lease for lease in leases if is_emergency(lease))
        return Affected(tuple(lease for lease in leases if not is_emergency(lease)), spared)

    async def would_keep(
        self, tx: Connection, affected: Affected, at: datetime, *, two_people: bool = False
    ) -> Affected:
        """Return the same with what a safety rule would keep of it; changes nothing."""
        kept = await self._holding.look(tx, affected.leases, _act(two_people=two_people), at)
        return replace(affected, kept=tuple(kept))

    async def end_all(
        self,
        tx: Connection,
        affected: Affected,
        *,
        subject: str,
        reason: str,
        actor: str,
        at: datetime,
        two_people: bool = False,
    ) -> list[Kept]:
        """End everything a look found, as one parent entry and one entry a grant; returns what a rule keeps."""
        parent = Entry(
            kind="grants:set:revoke",
            occurred_at=at,
            recorded_at=at,
            actor=actor,
            subjects=(subject,),
            body={
                "reason": typed(actor, reason),
                "grants": len(affected.leases),
                "spared": len(affected.spared),
            },
            lane=Lane.CONTROL,
        )
        return await self._holding.end(
            tx,
            affected.leases,
            reason="revoked",
            text=reason,
            act=_act(two_people=two_people),
            actor=actor,
            at=at,
            parent=parent,
        )

    async def end_one(
        self, tx: Connection, lease: Lease, *, reason: str, actor: str, at: datetime, two_people: bool = False
    ) -> list[Kept]:
        """End one grant on a person's word; returns what a rule keeps of it."""
        act = _act(two_people=two_people)
        return await self._holding.end(tx, [lease], reason="killed", text=reason, act=act, actor=actor, at=at)


def is_emergency(lease: Lease) -> bool:
    """Tell whether S1 keeps a grant out of every mass action."""
    return is_spared(lease.basis_kind, lease.basis_ref)


def _act(*, two_people: bool) -> Act:
    return "two_people" if two_people else "person"
