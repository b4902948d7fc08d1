"""Reading and writing leases. Every write carries its entry; nothing here decides."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, GrantId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.policy.types import Reason

from .types import BasisKey, EndReason, GrantState, Hold, Lease, Verdict, Wish

_SQL = load_queries("key2xs.grants")
_STORED = declare("grants.store.after_insert")
_ENDED = declare("grants.end.after_update")

# An entry goes into at most 16 streams, so a lease over many cylinders is told as a parent and parts.
CYLINDERS_PER_ENTRY = 10
REASONS_TOLD = 20


class LeaseStore:
    """Leases in the database."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger

    async def find_open(
        self,
        tx: Connection,
        *,
        ids: Sequence[GrantId] | None = None,
        persons: Sequence[PersonId] | None = None,
        basis_ref: str | None = None,
        subject: str | None = None,
    ) -> list[Lease]:
        """Return open leases, by id, holder, basis or a fact they rest on; no filter gives all."""
        rows = await tx.fetch(_SQL["find_open"], ids, persons, basis_ref, subject)
        return await _with_facts(tx, [lease_of(row) for row in rows])

    async def ever_covered(self, tx: Connection, key: BasisKey) -> frozenset[CylinderId]:
        """Return every cylinder that any lease for the same thing ever held."""
        rows = await tx.fetch(_SQL["ever_covered"], key.person_id, key.ref, key.step)
        return frozenset(CylinderId(row["cylinder_id"]) for row in rows)

    async def insert(
        self,
        tx: Connection,
        wish: Wish,
        verdict: Verdict,
        *,
        state: GrantState,
        heads: Mapping[str, int],
        at: datetime,
        hold: Hold | None = None,
    ) -> GrantId:
        """Store a new lease with its cylinders and the versions of its facts; `hold` where a safety rule keeps it."""
        grant_id = GrantId(new_id())
        entry = await self._tell(
            tx, grant_id, wish.key, state, verdict, wish, at=at, cylinders=verdict.allowed, hold=hold
        )
        await tx.execute(
            _SQL["insert_lease"],
            grant_id,
            wish.key.person_id,
            wish.kind,
            wish.key.ref,
            wish.key.step,
            wish.basis_at,
            wish.starts_at,
            wish.ends_at,
            state,
            reasons_json(verdict.reasons),
            verdict.bundle,
            wish.basis.reference,
            at,
            due_at(state, wish.starts_at, wish.ends_at, verdict.until),
            entry,
            *_hold_columns(hold),
        )
        await tx.execute(_SQL["insert_cylinders"], grant_id, sorted(verdict.allowed), entry)
        await self._put_facts(tx, grant_id, heads, entry)
        _STORED.reach()
        return grant_id

    async def update(
        self,
        tx: Connection,
        lease: Lease,
        wish: Wish,
        verdict: Verdict,
        *,
        state: GrantState,
        ends_at: datetime,
        heads: Mapping[str, int],
        at: datetime,
        hold: Hold | None = None,
    ) -> None:
        """Store that a lease was decided again: same or narrower cylinders, window and state."""
        removed = lease.cylinders - verdict.allowed
        entry = await self._tell(
            tx, lease.id, lease.key, state, verdict, wish,
            at=at, cylinders=verdict.allowed, removed=removed, hold=hold,
        )  # fmt: skip
        if removed:
            await tx.execute(_SQL["remove_cylinders"], lease.id, sorted(removed), at, entry)
        await tx.execute(
            _SQL["update_lease"],
            lease.id,
            state,
            lease.starts_at,
            ends_at,
            reasons_json(verdict.reasons),
            verdict.bundle,
            at,
            due_at(state, lease.starts_at, ends_at, verdict.until),
            entry,
            *_hold_columns(hold),
        )
        await self._put_facts(tx, lease.id, heads, entry)

    async def end(
        self,
        tx: Connection,
        leases: Sequence[Lease],
        *,
        reason: EndReason,
        text: str,
        actor: str,
        at: datetime,
        parent: Entry | None = None,
    ) -> None:
        """End leases for good; one entry each, behind `parent` when they end as one act.

        Leases that ended meanwhile are left as they are.
        """
        await self._ledger.lock_heads(
            tx, [lease.subject for lease in leases] + list(parent.heads if parent else ())
        )
        still = {lease.id for lease in await self.find_open(tx, ids=[lease.id for lease in leases])}
        leases = [lease for lease in leases if lease.id in still]
        if not leases:
            if parent is not None:
                await self._ledger.record(tx, parent)
            return
        entries = [_end_entry(lease, reason, text, actor, at) for lease in leases]
        numbers = await self._ledger.record_many(tx, ([parent] if parent else []) + entries)
        own = numbers[1:] if parent else numbers
        await tx.execute(_SQL["end_leases"], [lease.id for lease in leases], at, reason, own)
        _ENDED.reach()

    async def put_refusal(self, tx: Connection, wish: Wish, verdict: Verdict, at: datetime) -> None:
        """Tell that policy refused a wish, unless the same was told before."""
        reasons = reasons_json(verdict.reasons)
        told = await tx.fetchval(_SQL["find_refusal"], wish.key.person_id, wish.key.ref, wish.key.step)
        if told == reasons:
            return
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="grants:lease:refuse",
                occurred_at=at,
                recorded_at=at,
                actor="system:policy",
                subjects=_subjects(None, wish.key, ()),
                body={
                    "basis": wish.key.ref,
                    "step": wish.key.step,
                    "reasons": reasons,
                    "bundle": verdict.bundle,
                },
            ),
        )
        await tx.execute(
            _SQL["put_refusal"], wish.key.person_id, wish.key.ref, wish.key.step, reasons, at, entry
        )

    async def _put_facts(
        self, tx: Connection, grant_id: GrantId, heads: Mapping[str, int], entry: int
    ) -> None:
        await tx.execute(_SQL["put_facts"], grant_id, list(heads), list(heads.values()), entry)

    async def _tell(
        self,
        tx: Connection,
        grant_id: GrantId,
        key: BasisKey,
        state: GrantState,
        verdict: Verdict,
        wish: Wish,
        *,
        at: datetime,
        cylinders: Iterable[CylinderId],
        removed: Iterable[CylinderId] = (),
        hold: Hold | None = None,
    ) -> int:
        action = {"active": "activate", "scheduled": "schedule", "held": "hold"}[state]
        ordered, gone = sorted(cylinders), sorted(removed)
        first, rest = ordered[:CYLINDERS_PER_ENTRY], ordered[CYLINDERS_PER_ENTRY:]
        body: dict[str, Any] = {
            "basis": key.ref,
            "basis_kind": wish.kind,
            "step": key.step,
            "starts_at": wish.starts_at.isoformat(),
            "ends_at": wish.ends_at.isoformat(),
            "bundle": verdict.bundle,
            "reasons": reasons_json(verdict.reasons),
            "cylinders": len(ordered),
            "removed": [str(cylinder) for cylinder in gone],
        }
        if hold is not None:
            body |= {"rule": hold.rule, "held_by": hold.why, "ended_by": hold.act, "ends_as": hold.end}
        grant = f"grant:{grant_id}"
        entries = [
            Entry(
                kind=f"grants:lease:{action}",
                occurred_at=at,
                recorded_at=at,
                actor="system:policy",
                subjects=_subjects(grant_id, key, first),
                heads=(grant,),
                body=body,
                lane=Lane.CONTROL if removed else Lane.BULK,
            )
        ]
        entries += [
            Entry(
                kind="grants:lease:cover",
                occurred_at=at,
                recorded_at=at,
                actor="system:policy",
                subjects=_subjects(grant_id, key, rest[start : start + CYLINDERS_PER_ENTRY]),
                body={"basis": key.ref},
            )
            for start in range(0, len(rest), CYLINDERS_PER_ENTRY)
        ]
        return (await self._ledger.record_many(tx, entries))[0]


async def is_newer(tx: Connection, wish: Wish) -> bool:
    """Tell whether a wish's basis is newer than the end of every earlier lease for the same thing (P7)."""
    row = await tx.fetchrow(_SQL["last_end"], wish.key.person_id, wish.key.ref, wish.key.step)
    ran_out, taken_away = (row["ran_out"], row["taken_away"]) if row is not None else (None, None)
    signed_at = wish.signed_at or wish.basis_at
    return (ran_out is None or wish.basis_at > ran_out) and (taken_away is None or signed_at > taken_away)


def lease_of(row: asyncpg.Record) -> Lease:
    """Read a lease from its row."""
    return Lease(
        id=row["id"],
        person_id=row["person_id"],
        basis_kind=row["basis_kind"],
        basis_ref=row["basis_ref"],
        basis_step=row["basis_step"],
        basis_at=row["basis_at"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        state=row["state"],
        reference=row["reference"],
        due_at=row["due_at"],
        cylinders=frozenset(row["cylinders"]),
        held_rule=row["held_rule"],
        hold=_hold_of(row),
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
    )


def _hold_of(row: asyncpg.Record) -> Hold | None:
    if row["held_rule"] is None:
        return None
    return Hold(row["held_rule"], row["held_why"], row["held_act"], row["held_since"], row["held_end"])


def _hold_columns(hold: Hold | None) -> tuple[Any, ...]:
    if hold is None:
        return (None,) * 5
    return hold.rule, hold.since, hold.end, hold.why, hold.act


def due_at(
    state: GrantState, starts_at: datetime, ends_at: datetime, until: datetime | None
) -> datetime | None:
    """Return when a lease must be looked at again: its start, its end, or when its decision stops holding."""
    if state == "scheduled":
        return starts_at
    return min(ends_at, until) if until is not None else ends_at


def reasons_json(reasons: Iterable[Reason]) -> list[Any]:
    """Write reasons as they are stored and told; the list is cut where nobody would read on."""
    return [
        {"code": str(reason.code), "text": reason.text, "policy": reason.policy_id or ""}
        for reason in list(reasons)[:REASONS_TOLD]
    ]


def _end_entry(lease: Lease, reason: EndReason, text: str, actor: str, at: datetime) -> Entry:
    return Entry(
        kind="grants:lease:end",
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=_subjects(lease.id, lease.key, sorted(lease.cylinders)[:CYLINDERS_PER_ENTRY]),
        heads=(lease.subject,),
        body={
            "reason": reason,
            "text": typed(actor, text),
            "basis": lease.basis_ref,
            "step": lease.basis_step,
        },
        # A window that ran out is on the key already; everything else has to overtake.
        lane=Lane.BULK if reason == "lapsed" else Lane.CONTROL,
    )


def _subjects(grant_id: GrantId | None, key: BasisKey, cylinders: Iterable[CylinderId]) -> tuple[str, ...]:
    basis = [key.ref] if key.ref.startswith(("permit:", "request:")) else []
    grant = [f"grant:{grant_id}"] if grant_id else []
    return (*grant, f"person:{key.person_id}", *basis, *(f"cylinder:{cylinder}" for cylinder in cylinders))


async def _with_facts(tx: Connection, leases: list[Lease]) -> list[Lease]:
    if leases:
        by_id = {lease.id: lease for lease in leases}
        for row in await tx.fetch(_SQL["find_facts"], list(by_id)):
            by_id[row["grant_id"]].facts[row["subject"]] = row["version"]
    return leases
