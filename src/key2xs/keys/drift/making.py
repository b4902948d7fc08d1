"""Making and closing findings: each with its entry."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId, KeySystemId, ZoneId, new_id
from key2xs.core.sql import load_queries
from key2xs.keys.program import Program
from key2xs.keys.wire import program_json
from key2xs.ledger import Entry, Lane, Ledger

from .rules import given, policy_of
from .types import Change, State

_SQL = load_queries("key2xs.keys.drift")
AD_HOC, EDIT = "ad_hoc", "foreign_edit"


@dataclass(frozen=True, slots=True)
class Where:
    """What a change is about; at least one of key, lock and right."""

    system_id: KeySystemId
    key_id: KeyId | None = None
    lock: str | None = None
    right: str | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The same for the log."""
        key = (f"key:{self.key_id}",) if self.key_id is not None else ()
        lock = (f"lock:{self.lock}",) if self.lock is not None else ()
        return (*key, *lock, f"key_system:{self.system_id}")


async def make(
    tx: Connection,
    ledger: Ledger,
    where: Where,
    change: Change,
    locks: Iterable[str],
    *,
    ad_hoc: bool,
    wanted: Program | None,
    seen_at: datetime,
    at: datetime,
) -> UUID:
    """Write a finding down; `locks` are those that the edit touches and so decide its zones and its policy."""
    rows = await tx.fetch(_SQL["zones_touched"], where.system_id, sorted(set(locks)))
    policy, leaves = policy_of([(row["mode"], row["policy"]) for row in rows])
    zones = [ZoneId(row["zone_id"]) for row in rows]
    finding_id = new_id()
    body: dict[str, Any] = {
        "kind": change.kind,
        "class": AD_HOC if ad_hoc else EDIT,
        "policy": policy,
        "zones": [str(zone) for zone in zones],
    }
    if change.kind != "holder":  # who has a key is nobody's business on the log
        body |= {"before": change.before, "after": change.after}
    entry = await ledger.record(
        tx,
        Entry(
            kind="keys:drift:find",
            occurred_at=seen_at,
            recorded_at=at,
            actor="system:keys",
            subjects=(f"finding:{finding_id}", *where.subjects),
            body=body,
            lane=Lane.CONTROL if ad_hoc else Lane.BULK,
        ),
    )
    await tx.execute(
        _SQL["insert_finding"], finding_id, where.system_id, where.key_id, where.lock, where.right, change.kind,
        change.before, change.after, zones, ad_hoc, policy, leaves,
        program_json(wanted) if wanted is not None else None, seen_at, entry,
    )  # fmt: skip
    return finding_id


async def close(
    tx: Connection,
    ledger: Ledger,
    finding_id: UUID,
    where: Where,
    state: State,
    *,
    seen_at: datetime,
    at: datetime,
) -> None:
    """Write down that what a finding found is so no longer."""
    entry = await ledger.record(
        tx,
        Entry(
            kind="keys:drift:close",
            occurred_at=seen_at,
            recorded_at=at,
            actor="system:keys",
            subjects=(f"finding:{finding_id}", *where.subjects),
            body={"state": state},
        ),
    )
    await tx.execute(_SQL["close_finding"], finding_id, state, seen_at, at, "system:keys", entry)


async def uncovered(
    tx: Connection, system_id: KeySystemId, old: Program, new: Program, wanted: Program
) -> list[str]:
    """Return the locks that an edit opened, or opened for longer, beyond what is wanted.

    Locks count and not the names of rights: the same lock may be given by another right.
    """
    extra = {
        row["lock"] for row in await tx.fetch(_SQL["opened_by"], system_id, sorted(given(old, new, wanted)))
    }
    if extra and replace(new, rights=wanted.rights).within(wanted):
        extra -= {row["lock"] for row in await tx.fetch(_SQL["opened_by"], system_id, sorted(wanted.rights))}
    return sorted(extra)


def mark_of(key_id: KeyId, holder_ref: str | None) -> str | None:
    """Return a mark that differs for different holders of a key and tells nobody who they are."""
    if holder_ref is None:
        return None
    return hashlib.blake2b(holder_ref.encode(), key=key_id.bytes, digest_size=8).hexdigest()
