"""Targets and programs in the database: what we want, what may be on the key, what is proven."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection, the_row
from key2xs.core.ids import GrantId, KeyId, TargetId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .adoption.standing import store_kept
from .lanes import WorkLane
from .planner import Wanted
from .port import KeyKind, KeyReading, ProgrammingState
from .program import EMPTY_PROGRAM, NO_OFFLINE_UPDATES, Program, ProgramOnDevice, ProgramState
from .types import StoredKey, Target
from .wire import program_json, program_of

_SQL = load_queries("key2xs.keys")
_WISH_STORED = declare("keys.target.after_wish")
_PROGRAM_NOTED = declare("keys.program.after_note")
_PROOF_STORED = declare("keys.program.after_proof")


class Targets:
    """One target a key."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every change with `ledger`."""
        self._ledger = ledger

    async def ensure(self, tx: Connection, key: StoredKey, at: datetime) -> Target:
        """Return a key's target, making an empty one at first sight."""
        target = await self.find(tx, key.id)
        if target is not None:
            return target
        await self._ledger.lock_heads(tx, [f"target:{key.id}"])
        target = await self.find(tx, key.id)
        if target is not None:
            return target
        target_id = TargetId(new_id())
        entry = await self._tell(tx, "keys:target:make", key, {"generation": 0}, at)
        await tx.execute(
            _SQL["insert_target"], target_id, key.system_id, key.id, program_json(EMPTY_PROGRAM), at, entry
        )
        await tx.execute(_SQL["make_work"], target_id, at, WorkLane.GRANT)
        return target_of(await the_row(tx, _SQL["find_target"], key.id))

    async def find(self, tx: Connection, key_id: KeyId) -> Target | None:
        """Return a key's target."""
        row = await tx.fetchrow(_SQL["find_target"], key_id)
        return target_of(row) if row is not None else None

    async def wish(
        self, tx: Connection, key: StoredKey, target: Target, wanted: Wanted, at: datetime
    ) -> Target | None:
        """Store what the key should have and return the target with it; None when that is what it was."""
        if wanted.kept is not None and wanted.kept.changed:
            await store_kept(tx, self._ledger, [(key.id, key.system_id, wanted.kept)], at)
        block = key.blocked_at is not None
        same = (
            target.desired == wanted.program
            and target.block == block
            and tuple(target.grants) == wanted.grants
            and target.cannot == wanted.cannot
        )
        if same:
            return None
        changed = target.desired != wanted.program or target.block != block
        widens = wanted.program.wider_than(target.desired)
        entry = await self._tell(
            tx,
            "keys:target:ask",
            key,
            {
                "generation": target.generation + changed,
                "program": program_json(wanted.program),
                "block": block,
                "grants": [str(grant) for grant in wanted.grants],
                "cannot": wanted.cannot,
            },
            at,
            lane=Lane.BULK if widens else Lane.CONTROL,
        )
        row = await the_row(
            tx,
            _SQL["set_desired"],
            target.id,
            target.generation + changed,
            program_json(wanted.program),
            block,
            list(wanted.grants),
            wanted.cannot,
            at if changed else target.asked_at,
            None if changed else target.accepted_at,
            None if changed else target.delivered_at,
            entry,
        )
        _WISH_STORED.reach()
        return target_of(row)

    async def note_program(  # the row exists before the vendor is asked: a crash must not hide what may be there
        self,
        tx: Connection,
        key: StoredKey,
        program: Program,
        grants: Sequence[GrantId],
        *,
        origin: str,
        at: datetime,
        proven: bool = False,
    ) -> UUID:
        """Note a program that from now on may be on the key."""
        program_id = new_id()
        action = "find" if origin == "found" else "write"
        entry = await self._tell(
            tx, f"keys:program:{action}", key, {"program": program_json(program), "proven": proven}, at
        )
        await tx.execute(
            _SQL["insert_program"], program_id, key.id, program_json(program), origin, list(grants), at,
            at if proven else None, entry,
        )  # fmt: skip
        _PROGRAM_NOTED.reach()
        return program_id

    async def note_order(self, tx: Connection, key: StoredKey, target: Target, at: datetime) -> Target:
        """Note that the vendor accepted the order for the newest program; returns the target with it."""
        entry = await self._tell(tx, "keys:target:accept", key, {"generation": target.generation}, at)
        await tx.execute(_SQL["set_ordered"], key.id, at, entry)
        return target_of(await the_row(tx, _SQL["set_accepted"], target.id, at, entry))

    async def note_block_order(self, tx: Connection, key: StoredKey, target: Target, at: datetime) -> None:
        """Note that the vendor accepted the order of the block list; it says nothing about any program."""
        entry = await self._tell(tx, "keys:target:accept", key, {"generation": target.generation}, at)
        await tx.execute(_SQL["set_block_ordered"], target.id, at, entry)

    async def note_fetched(self, tx: Connection, key: StoredKey, at: datetime) -> None:
        """Note that the device took the newest order and has not acknowledged it."""
        if await tx.fetchval(_SQL["unfetched_program"], key.id):
            entry = await self._tell(tx, "keys:program:fetch", key, {}, at)
            await tx.execute(_SQL["set_fetched"], key.id, at, entry)

    async def note_proof(
        self,
        tx: Connection,
        key: StoredKey,
        program: Program,
        *,
        rows: Sequence[asyncpg.Record],
        read_at: datetime,
        at: datetime,
    ) -> bool:
        """Note that the device acknowledged a program: everything before it is gone. False when known already.

        `rows`: the programs that may be on the key now, see `program_rows`.
        """
        match = next(
            (row for row in reversed(rows) if is_same(key, program, program_of(row["program"]))), None
        )
        if match is None:
            await self.note_program(tx, key, program, (), origin="found", at=read_at, proven=True)
            rows = await tx.fetch(_SQL["programs_on"], key.id)
            match = rows[-1]
        elif match["proven_at"] is not None and rows[0]["id"] == match["id"]:
            return False
        entry = await self._tell(
            tx,
            "keys:program:prove",
            key,
            {"program": match["program"], "read_at": read_at.isoformat()},
            at,
            lane=Lane.BULK,
        )
        earlier = [row["id"] for row in rows[: rows.index(match)]]
        await tx.execute(_SQL["set_proven"], match["id"], match["proven_at"] or read_at, entry)
        if earlier:
            await tx.execute(_SQL["set_gone"], earlier, read_at, entry)
        _PROOF_STORED.reach()
        return True

    async def note_reading(
        self,
        tx: Connection,
        key: StoredKey,
        target: Target,
        reading: KeyReading,
        *,
        delivered: bool,
        at: datetime,
    ) -> Target:
        """Store what the vendor said last, if it differs from before; returns the target with it."""
        seen = reading_json(reading)
        done = reading.as_of if delivered else None
        if target.reading == seen and (target.delivered_at is not None) == delivered:
            return target
        kind = "keys:target:deliver" if delivered and target.delivered_at is None else "keys:target:read"
        entry = await self._tell(tx, kind, key, {"generation": target.generation, **seen}, at)
        return target_of(
            await the_row(
                tx, _SQL["set_reading"], target.id, seen, reading.as_of, done if delivered else None, entry
            )
        )

    async def note_problem(
        self, tx: Connection, key: StoredKey, target: Target, problem: str | None, at: datetime
    ) -> None:
        """Store why a target is stuck, or that it no longer is; told once."""
        if target.problem == problem:
            return
        kind = "keys:target:stick" if problem else "keys:target:recover"
        entry = await self._tell(tx, kind, key, {"problem": problem}, at)
        await tx.execute(_SQL["set_problem"], target.id, problem, entry)

    async def narrow_only_why(self, tx: Connection) -> str | None:
        """Return why nothing may widen at the moment, or None."""
        return await self._ledger.narrow_only_why(tx)

    async def programs(self, tx: Connection, key_id: KeyId) -> tuple[ProgramOnDevice, ...]:
        """Return the programs that may be on a key, oldest first."""
        return tuple(program_row(row) for row in await self.program_rows(tx, key_id))

    async def program_rows(self, tx: Connection, key_id: KeyId) -> list[asyncpg.Record]:
        """Return the rows of the programs that may be on a key, oldest first."""
        rows: list[asyncpg.Record] = await tx.fetch(_SQL["programs_on"], key_id)
        return rows

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        key: StoredKey,
        body: dict[str, Any],
        at: datetime,
        *,
        lane: Lane = Lane.BULK,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor="system:keys",
                subjects=(key.subject, f"key_system:{key.system_id}"),
                heads=(f"target:{key.id}",),
                body=body,
                lane=lane,
            ),
        )


def alike(held: Program | None, wanted: Program) -> bool:
    """Tell whether a key that holds `held` needs no write to do what `wanted` says.

    Programs that open nothing are alike whatever their limits: writing one over the other proves nothing new.
    """
    if held is None:
        return wanted.opens_nothing
    return held == wanted or (held.opens_nothing and wanted.opens_nothing)


def is_same(key: StoredKey, held: Program, noted: Program) -> bool:
    """Tell whether a program that was read is one that was noted.

    What a normal key opens and its limits travel apart: with no cylinder listed, its limits still matter for what is
    listed next, so they are told apart.
    """
    return held == noted if key.kind is KeyKind.NORMAL else alike(held, noted)


def target_of(row: asyncpg.Record) -> Target:
    """Read a target from its row."""
    return Target(
        id=row["id"],
        system_id=row["system_id"],
        key_id=row["key_id"],
        generation=row["generation"],
        desired=program_of(row["desired"]),
        block=row["block"],
        grants=tuple(row["grants"]),
        cannot=row["cannot"],
        asked_at=row["asked_at"],
        accepted_at=row["accepted_at"],
        delivered_at=row["delivered_at"],
        problem=row["problem"],
        read_at=row["read_at"],
        reading=row["reading"],
        block_ordered_at=row["block_ordered_at"],
    )


def program_row(row: asyncpg.Record) -> ProgramOnDevice:
    """Read a stored program into the word exposure uses."""
    if row["proven_at"] is not None:
        state = ProgramState.PROVEN
    else:
        state = ProgramState.POSSIBLE if row["ordered_at"] is not None else ProgramState.PLANNED
    return ProgramOnDevice(
        program=program_of(row["program"]),
        state=state,
        written_at=row["written_at"],
        ordered_at=row["ordered_at"],
        fetched_at=row["fetched_at"],
        proven_at=row["proven_at"],
    )


def reading_json(reading: KeyReading) -> dict[str, Any]:
    """Write what matters of a reading; equal readings give equal values, whenever they were taken."""
    seen: dict[str, Any] = {
        "state": str(reading.programming_state),
        "planned": program_json(reading.planned) if reading.planned is not None else None,
        "on_device": program_json(reading.on_device) if reading.on_device is not None else None,
        "blocked": reading.blocked,
        "outside_visible": reading.outside_visible,
    }
    if reading.blocked_with_access:
        seen["blocked_with_access"] = True
    if reading.to_visit:
        seen["to_visit"] = sorted(reading.to_visit)
    if reading.unplaced:
        seen["unplaced"] = sorted(reading.unplaced)
    if reading.on_round:
        seen["on_round"] = {lock: sorted(names) for lock, names in sorted(reading.on_round.items())}
    if reading.ended_at:
        seen["ended_at"] = {lock: at.isoformat() for lock, at in sorted(reading.ended_at.items())}
    if reading.last_update_at is not None:
        seen["last_update_at"] = reading.last_update_at.isoformat()
    if reading.offline_updates != NO_OFFLINE_UPDATES:
        gap = reading.offline_updates.gap
        seen["offline_updates"] = {
            "count": reading.offline_updates.count,
            "gap_seconds": gap.total_seconds() if gap is not None else None,
        }
    return seen


WAITING = frozenset({ProgrammingState.ORDERED, ProgrammingState.FETCHED, ProgrammingState.ON_TOKEN})
