"""Comparing each reading of a key with the one before, and saying what may be written to a key that was edited.

It runs inside the reconciler's own step, in the transaction that stores the reading: a finding and what was read stand
or fall together, and a crash neither loses an edit nor finds it twice.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.ids import KeyId
from key2xs.core.sql import load_queries
from key2xs.keys.adoption.standing import Standing
from key2xs.keys.port import KeyKind, KeyReading
from key2xs.keys.program import EMPTY_PROGRAM, Program
from key2xs.keys.types import StoredKey, Target
from key2xs.keys.wire import program_json, program_of
from key2xs.ledger import Ledger

from .findings import findings_standing
from .making import Where, close, make, mark_of, uncovered
from .rules import compare, is_among, leaves_alone, narrowed, still_there
from .types import OF_THE_PLAN, Change, Left, Ours, Seen, State

_SQL = load_queries("key2xs.keys.drift")

HOLDER_FOLLOWS: Final = timedelta(
    hours=12
)  # one shift: by then the desk has booked the hand-over at the maker, too
# A worker may be stopped in the middle of a write and go on after its successor has read the key. A write of which nobody
# knows how it ended counts as under way for so long, and what arrives of it is ours.
UNDER_WAY: Final = timedelta(minutes=10)
_HELD: Final = "an edit made elsewhere is held: a person has to leave it as it is or have it undone"
_UNBLOCKING: Final = ["unblock", "order_unblock"]


class Drift:
    """Watches readings."""

    def __init__(self, ledger: Ledger, standing: Standing) -> None:
        """Record every finding with `ledger`; `standing` knows the rights and where locks lie."""
        self._ledger, self._standing = ledger, standing

    async def look(
        self,
        tx: Connection,
        key: StoredKey,
        target: Target,
        reading: KeyReading,
        *,
        late: timedelta,
        at: datetime,
    ) -> None:
        """Find what somebody edited since the reading before; call it before the reading itself is noted.

        `late`: how long after a call its request may still arrive.
        """
        row = (await tx.fetch(_SQL["seen_of"], key.id, target.id, at - UNDER_WAY))[0]
        now = _seen(key.id, reading)
        stored = {**_seen_json(now), "number": row["number"], "under_way": row["under_way"]}
        if row["seen"] == stored and not row["unsettled"]:
            return
        where = Where(key.system_id, key.id)
        before = _seen_of(row["seen"]) if row["seen"] is not None else await self._first(tx, key.id)
        if before is not None:
            ours = await self._ours(tx, key, target, row["seen"], (row["read_at"] or at) - late, at)
            changes = compare(before, now, ours) if before != now else ()
            if row["unsettled"]:
                await self._close(tx, key.id, where, target, now, ours, reading.as_of, at)
            for change in changes:
                if not await self._undoes(tx, key.id, change, at):
                    await self._make(tx, key, target, where, change, now, reading.as_of, at)
        if row["seen"] != stored:
            await tx.execute(_SQL["put_seen"], key.id, stored, reading.as_of)

    async def leave(
        self, tx: Connection, key: StoredKey, wanted: Program, reading: KeyReading
    ) -> Left | None:
        """Return what a key may be written while an edit of it is left or held; None where it is written as usual.

        What was revoked meanwhile is taken off all the same, and nothing is given.
        """
        if not await tx.fetchval(_SQL["any_standing"], key.id):
            return None
        now = _seen(key.id, reading)
        found = [
            each
            for each in await findings_standing(tx, key.id)
            if each.kind in OF_THE_PLAN
            and (each.is_open or still_there(each.kind, each.before, each.after, now))
        ]
        how = leaves_alone(found, wanted)
        if how is None:
            return None
        planned = reading.planned or EMPTY_PROGRAM
        since = await tx.fetchval(_SQL["programs_written_since"], key.id, found[0].first_seen)
        base = program_of(since if since is not None else found[0].before)
        less = narrowed(planned, wanted, base, await self._given_back(tx, key, planned, wanted))
        newest = await tx.fetchval(_SQL["newest_of_ours"], key.id)
        foreign = less is None and (newest is None or not is_among(planned, [program_of(newest)]))
        why = _HELD if how == "held" else None
        return Left(less if less is not None else planned, why, foreign)

    async def _given_back(
        self, tx: Connection, key: StoredKey, planned: Program, wanted: Program
    ) -> frozenset[str]:
        """Return the rights of a plan by which it opens what Key2XS took away, whatever they are called."""
        ever = frozenset(row["right_id"] for row in await tx.fetch(_SQL["rights_taken"], key.id))
        lost = await self._locks(tx, key, ever) - await self._locks(tx, key, wanted.rights)
        again = [right for right in planned.rights if await self._locks(tx, key, frozenset({right})) & lost]
        return ever | frozenset(again)

    @staticmethod
    async def _first(tx: Connection, key_id: KeyId) -> Seen | None:
        """Return nothing at all for a key that somebody made after the first listing: what it holds was given elsewhere."""
        if not await tx.fetchval(_SQL["was_listed_new"], key_id):
            return None
        return Seen(None, None, blocked=False, holder=None, outside_visible=False)

    @staticmethod
    async def _ours(
        tx: Connection, key: StoredKey, target: Target, seen: Any, since: datetime, at: datetime
    ) -> Ours:
        number, under_way = (seen["number"], seen.get("under_way", ())) if seen is not None else (0, ())
        written = await tx.fetch(_SQL["programs_since"], key.id, number, list(under_way))
        possible = await tx.fetch(_SQL["programs_possible"], key.id)
        handed = await tx.fetchval(_SQL["changed_hands_at"], key.id)
        unblocked = await tx.fetchval(_SQL["called_since"], target.id, _UNBLOCKING, since)
        return Ours(
            written=tuple(program_of(row["program"]) for row in written),
            on_keys=tuple(program_of(row["program"]) for row in possible),
            block=key.blocked_at is not None or bool(await tx.fetchval(_SQL["called_since"], target.id, ["block"], since)),
            unblock=key.unblock_asked_at is not None or (key.blocked_at is None and bool(unblocked)),
            holder=handed is not None and handed > at - HOLDER_FOLLOWS,
        )  # fmt: skip

    async def _close(
        self,
        tx: Connection,
        key_id: KeyId,
        where: Where,
        target: Target,
        now: Seen,
        ours: Ours,
        seen_at: datetime,
        at: datetime,
    ) -> None:
        """Close what is so no longer: reverted where the plan is ours again, else gone."""
        planned = now.planned or EMPTY_PROGRAM
        for row in await tx.fetch(_SQL["unsettled_of_key"], key_id):
            kind = row["kind"]
            is_wanted = kind in OF_THE_PLAN and planned == target.desired
            if still_there(kind, row["before"], row["after"], now) and not is_wanted:
                continue
            by_us = (
                is_among(planned, ours.written) if kind in OF_THE_PLAN else kind == "unblocked" and ours.block
            )
            if by_us and row["policy"] == "hold" and row["decision"] is None and not is_wanted:
                continue  # what was revoked meanwhile went off; the rest still waits for a person
            state: State = "reverted" if by_us or (is_wanted and row["decision"] == "revert") else "gone"
            await close(tx, self._ledger, row["id"], where, state, seen_at=seen_at, at=at)

    @staticmethod
    async def _undoes(tx: Connection, key_id: KeyId, change: Change, at: datetime) -> bool:
        """Tell whether an edit only took back one that was closed by it in this very reading."""
        if change.kind in {"blocked", "unblocked"}:
            return False
        return bool(await tx.fetchval(_SQL["just_undone"], key_id, change.kind, at, change.after))

    async def _make(
        self,
        tx: Connection,
        key: StoredKey,
        target: Target,
        where: Where,
        change: Change,
        now: Seen,
        seen_at: datetime,
        at: datetime,
    ) -> None:
        old, new = _programs(change, now)
        locks = await self._locks(tx, key, old.rights | new.rights)
        ad_hoc = False
        if change.kind in OF_THE_PLAN or change.kind == "device":
            wanted = target.desired if not target.block else EMPTY_PROGRAM
            extra = await uncovered(tx, key.system_id, _only(change, old, new), new, wanted)
            ad_hoc = bool(await tx.fetchval(_SQL["enforced_among"], key.system_id, extra))
        await make(
            tx, self._ledger, where, change, locks,
            ad_hoc=ad_hoc, wanted=target.desired, seen_at=seen_at, at=at,
        )  # fmt: skip

    async def _locks(self, tx: Connection, key: StoredKey, rights: frozenset[str]) -> frozenset[str]:
        if not rights:
            return frozenset()
        catalogue = await self._standing.catalogue(tx, key.system_id)
        return frozenset[str]().union(*(right.locks for right in catalogue if right.right in rights))


def _programs(change: Change, now: Seen) -> tuple[Program, Program]:
    if change.kind in OF_THE_PLAN or change.kind == "device":
        old = program_of(change.before) if change.before is not None else EMPTY_PROGRAM
        return old, program_of(change.after)
    held = now.planned or now.on_device or EMPTY_PROGRAM
    return held, held


def _only(change: Change, old: Program, new: Program) -> Program:
    """Return what was there but for this one change: each finding answers for its own part of an edit."""
    return old if change.kind in {"rights", "device"} else replace(old, rights=old.rights | new.rights)


def _seen(key_id: KeyId, reading: KeyReading) -> Seen:
    return Seen(
        planned=reading.planned,
        # A normal key's is put together from lists that visits bring one by one: never a program that anybody wrote.
        on_device=None if reading.kind is KeyKind.NORMAL else reading.on_device,
        blocked=reading.blocked,
        holder=mark_of(key_id, reading.holder_ref),
        outside_visible=reading.outside_visible,
        version="" if reading.kind is KeyKind.NORMAL else reading.version,
    )


def _seen_json(seen: Seen) -> dict[str, Any]:
    return {
        "planned": program_json(seen.planned) if seen.planned is not None else None,
        "on_device": program_json(seen.on_device) if seen.on_device is not None else None,
        "blocked": seen.blocked,
        "holder": seen.holder,
        "outside_visible": seen.outside_visible,
        "version": seen.version,
    }


def _seen_of(stored: dict[str, Any]) -> Seen:
    planned, on_device = stored["planned"], stored["on_device"]
    return Seen(
        planned=program_of(planned) if planned is not None else None,
        on_device=program_of(on_device) if on_device is not None else None,
        blocked=stored["blocked"],
        holder=stored["holder"],
        outside_visible=stored["outside_visible"],
        version=stored["version"],
    )
