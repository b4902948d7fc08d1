"""Carrying out an act on many: begun once, then batch by batch, so that no transaction is long and none is lost.

A batch is one transaction: its entry, one entry a grant behind it, and the keys made due. Whoever dies in the middle
of it leaves no trace, and the next one takes the same grants again; ended is terminal, so nothing ends twice. From the
first instant nothing new is given in its way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import GrantId, KeyId, PersonId, UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.holding import Holding
from key2xs.grants.reach import Scope, reach
from key2xs.grants.stops import SUBJECT as STOPS, lift_stop, open_stops, set_stop
from key2xs.grants.store import LeaseStore
from key2xs.incidents.inside import WaysOut
from key2xs.incidents.kill_types import By
from key2xs.incidents.kills import Kills
from key2xs.keys.adoption.standing import Standing
from key2xs.keys.lanes import WorkLane
from key2xs.keys.live import keys_with_ids
from key2xs.keys.many import hurry
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.ledger.entry import BodyValue

from .looking import Looks, stays_stopped
from .types import MassAction, State, World, action_of

_SQL = load_queries("key2xs.incidents.mass")
_STARTED = declare("incidents.mass.after_start")
_BATCH = declare("incidents.mass.after_batch")
_FINISHED = declare("incidents.mass.after_finish")

BATCH: Final = 100  # grants in one transaction


class MassRuns:
    """Starts acts on many and takes them further."""

    def __init__(
        self,
        ledger: Ledger,
        holding: Holding,
        looks: Looks,
        kills: Kills,
        ways_out: WaysOut,
        standing: Standing,
    ) -> None:
        """End leases through `holding`; `kills` tells of people at work first."""
        self._ledger, self._holding, self._looks = ledger, holding, looks
        self._kills, self._ways_out, self._standing = kills, ways_out, standing
        self._store = LeaseStore(ledger)

    async def start(
        self,
        tx: Connection,
        scope: Scope,
        *,
        digests: Sequence[str],
        reason: str,
        by: By,
        confirmed_by: str,
        at: datetime,
    ) -> UUID:
        """Begin an act, on two people's word; `digests` of what either of them was shown, the newest last.

        Raises:
            InvalidInput: no reason, or one person only.
            Conflict: one is under way there, nothing is there to end, or it would reach what nobody was shown.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        if by.actor == confirmed_by or by.user_id is None:
            raise InvalidInput("confirmed_by", "must be a second person")
        # Whoever is giving something finishes first; from here on nobody begins before this is committed.
        await self._ledger.lock_heads(tx, [STOPS])
        if any(stop.scope == scope for stop in await open_stops(tx)):
            raise Conflict(
                "this is under way already, or new access there is stopped still; nothing was begun"
            )
        world = await self._looks.require_shown(tx, scope, digests, at)
        if not world.ending and not world.standing and not stays_stopped(scope):
            raise Conflict("there is nothing to end")
        mass_id = new_id()
        entry = await self._tell(
            tx, "start", mass_id, scope, by.actor, at,
            reason=typed(by.actor, reason.strip()), confirmed_by=confirmed_by, digest=digests[-1],
            grants=len(world.ending), people=len(world.persons), keys=len(world.keys), spared=len(world.spared),
            heads=(STOPS,),
        )  # fmt: skip
        stop_id = await set_stop(tx, scope, at, entry)
        await tx.execute(
            _SQL["insert_mass"], mass_id, scope.kind, scope.ref,
            await self._ledger.seal_words(by.actor, reason.strip()), digests[-1], stop_id, by.actor, by.user_id,
            confirmed_by, at, entry,
        )  # fmt: skip
        await self._add(tx, mass_id, world, entry)
        await self._tell_first(tx, await self.get(tx, mass_id), at)
        _STARTED.reach()
        return mass_id

    async def batch(self, tx: Connection, mass_id: UUID, at: datetime, limit: int = BATCH) -> int:
        """End the next grants of an act; returns how many things were dealt with, 0 when nothing is due."""
        mass = await self._locked(tx, mass_id)
        if mass.state != "running":
            return 0
        left = [row["ref_id"] for row in await tx.fetch(_SQL["withdrawn_items"], mass_id)]
        if left:
            entry = await self._tell(tx, "leave", mass_id, mass.scope, "system:safety", at, items=len(left))
            await tx.execute(_SQL["set_items"], mass_id, left, "left", entry)
            return len(left)
        rows = await tx.fetch(_SQL["next_items"], mass_id, limit)
        if not rows:
            return await self._finish(tx, mass, at)
        untold = {row["person_id"] for row in rows if row["told"] is None and row["person_id"] is not None}
        if await self._tell_first(tx, mass, at, among=untold):
            return len(rows)  # somebody came to work since: the others follow in the next batch
        await self._end(tx, mass, rows, at)
        _BATCH.reach()
        return len(rows)

    async def set_state(
        self, tx: Connection, mass_id: UUID, state: State, *, reason: str, actor: str, at: datetime
    ) -> MassAction:
        """Pause an act, or let it go on. What has ended stays ended, and nothing new is given meanwhile.

        Raises:
            NotFound: no such act.
            Conflict: it is finished, or so already.
            InvalidInput: no reason.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        mass = await self._locked(tx, mass_id)
        if mass.state in {"finished", state}:
            raise Conflict(f"it is {mass.state} already")
        await self._set(
            tx, mass, "pause" if state == "paused" else "resume", state, actor, at, reason=typed(actor, reason.strip())
        )  # fmt: skip
        return await self.get(tx, mass_id)

    async def lift(
        self, tx: Connection, mass_id: UUID, *, reason: str, by: str, confirmed_by: str, at: datetime
    ) -> MassAction:
        """Let new grants be given there again, on two people's word. Nothing that ended comes back by it (P7).

        Raises:
            NotFound: no such act.
            Conflict: it is not finished, or lifted already.
        """
        mass = await self._locked(tx, mass_id)
        self.require_liftable(mass)
        entry = await self._tell(
            tx, "lift", mass_id, mass.scope, by, at,
            reason=typed(by, reason.strip()), confirmed_by=confirmed_by, heads=(STOPS,),
        )  # fmt: skip
        await lift_stop(tx, mass.stop_id, at, entry)
        return await self.get(tx, mass_id)

    @staticmethod
    def require_liftable(mass: MassAction) -> None:
        """Refuse to lift what is not finished, or was lifted.

        Raises:
            Conflict: says which.
        """
        if mass.state != "finished":
            raise Conflict("it is not finished; nothing new is given until it is")
        if mass.lifted_at is not None:
            raise Conflict("new access is allowed there again already")

    async def get(self, tx: Connection, mass_id: UUID) -> MassAction:
        """Return one act.

        Raises:
            NotFound: no such act.
        """
        return await self._read(await tx.fetchrow(_SQL["find_mass"], mass_id), mass_id)

    async def newest(self, tx: Connection, *, limit: int = 50) -> list[MassAction]:
        """Return acts, the newest first."""
        return [await self._read(row, row["id"]) for row in await tx.fetch(_SQL["list_mass"], limit)]

    async def running(self, tx: Connection) -> list[UUID]:
        """Return the acts to take further."""
        return [row["id"] for row in await tx.fetch(_SQL["running"])]

    async def _end(
        self, tx: Connection, mass: MassAction, rows: Sequence[asyncpg.Record], at: datetime
    ) -> None:
        grants = {GrantId(row["ref_id"]) for row in rows if row["what"] == "grant"}
        keys = [KeyId(row["ref_id"]) for row in rows if row["what"] == "standing"]
        persons = {PersonId(row["person_id"]) for row in rows if row["what"] == "grant"}
        entry = await self._tell(
            tx, "batch", mass.id, mass.scope, "system:incidents", at, grants=len(grants), standing=len(keys)
        )
        await tx.execute(_SQL["set_items"], mass.id, [row["ref_id"] for row in rows], "done", entry)
        await self._end_grants(tx, mass, grants, at)
        if keys:
            for key in (await keys_with_ids(tx, keys)).values():
                await self._standing.end(tx, key, reason=mass.reason, actor=mass.started_by, at=at)
        await hurry(tx, persons, keys, WorkLane.REVOKE, at)

    async def _end_grants(
        self, tx: Connection, mass: MassAction, grants: Collection[GrantId], at: datetime
    ) -> None:
        open_now = await self._store.find_open(tx, ids=sorted(grants)) if grants else []
        parts = {
            each.id: each.part for each in await reach(tx, mass.scope, at, among=grants) if not each.spared
        }
        leases = [lease for lease in open_now if lease.id in parts and lease.hold is None]
        await self._ways_out.ask(tx, leases, cause="kill", at=at, ends_at=at)
        whole = [lease for lease in leases if parts[lease.id] >= lease.cylinders]
        await self._holding.end(
            tx, whole, reason="revoked", text=mass.reason, act="two_people", actor=mass.started_by, at=at
        )  # fmt: skip
        text = "access to a security zone was ended"
        for lease in leases:
            if not parts[lease.id] >= lease.cylinders:
                await self._holding.narrow(tx, lease, parts[lease.id], act="two_people", text=text, at=at)

    async def _finish(self, tx: Connection, mass: MassAction, at: datetime) -> int:
        """Finish where nothing is left; what was given in the last instant before the stop is taken up first."""
        if await tx.fetchval(_SQL["any_waiting"], mass.id):
            return 0
        world = await self._looks.world(tx, mass.scope, at)
        spared = {PersonId(row["person_id"]) for row in await tx.fetch(_SQL["left_people"], mass.id)}
        more = tuple(each for each in world.ending if each.person_id not in spared)
        if more:
            entry = await self._tell(
                tx, "more", mass.id, mass.scope, "system:incidents", at, grants=len(more)
            )
            await self._add(tx, mass.id, replace(world, ending=more), entry)
            if await tx.fetchval(_SQL["any_waiting"], mass.id):
                return len(more)
        lifted = not stays_stopped(mass.scope)
        entry = await self._set(tx, mass, "finish", "finished", "system:incidents", at, lifted=lifted)
        if lifted:
            await lift_stop(tx, mass.stop_id, at, entry)
        _FINISHED.reach()
        return 0

    async def _add(self, tx: Connection, mass_id: UUID, world: World, entry: int) -> None:
        """Note what an act is about. Keys are followed; what they keep from before our time ends."""
        items: list[tuple[str, UUID, UUID | None, str]] = [
            *(("grant", each.id, each.person_id, "waiting") for each in world.ending),
            *(("standing", key.id, key.person_id, "waiting") for key in world.standing),
            *(("key", key.id, key.person_id, "followed") for key in world.keys),
        ]
        columns = [[item[place] for item in items] for place in range(4)]
        await tx.execute(_SQL["insert_items"], mass_id, *columns, entry)

    async def _tell_first(
        self, tx: Connection, mass: MassAction, at: datetime, *, among: Collection[PersonId] | None = None
    ) -> bool:
        """Tell the shift leader of those at work of whom nobody was told yet (S5); False where nobody is."""
        if among is None:
            among = {PersonId(row["person_id"]) for row in await tx.fetch(_SQL["untold_people"], mass.id)}
        if not among:
            return False
        by = By(mass.started_by, UserId(mass.started_user))
        told = await self._kills.tell_first(tx, mass.id, sorted(among), reason=mass.reason, by=by, at=at)
        if told is None:
            return False
        stop, people = told
        entry = await self._tell(
            tx, "tell", mass.id, mass.scope, "system:safety", at, people=len(people), stop=str(stop.id)
        )
        await tx.execute(_SQL["tell_items"], mass.id, people, stop.id, entry)
        return True

    async def _locked(self, tx: Connection, mass_id: UUID) -> MassAction:
        return await self._read(await tx.fetchrow(_SQL["lock_mass"], mass_id), mass_id)

    async def _read(self, row: asyncpg.Record | None, mass_id: UUID) -> MassAction:
        if row is None:
            raise NotFound(f"there is no act on many {mass_id}")
        return action_of(row, await self._ledger.read_words(row["reason"]))

    async def _set(
        self,
        tx: Connection,
        mass: MassAction,
        action: str,
        state: State,
        actor: str,
        at: datetime,
        **body: BodyValue,
    ) -> int:
        heads = (STOPS,) if state == "finished" else ()
        entry = await self._tell(tx, action, mass.id, mass.scope, actor, at, heads=heads, **body)
        await tx.execute(_SQL["set_mass"], mass.id, state, at, at if state == "finished" else None, entry)
        return entry

    async def _tell(
        self,
        tx: Connection,
        action: str,
        mass_id: UUID,
        scope: Scope,
        actor: str,
        at: datetime,
        *,
        heads: tuple[str, ...] = (),
        **body: BodyValue,
    ) -> int:
        said: Mapping[str, Any] = {"scope": scope.kind, "ref": scope.ref, **body}
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"incidents:mass:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"mass:{mass_id}", *scope.subjects),
                heads=heads,
                body=said,
                lane=Lane.CONTROL,
            ),
        )
