"""The CLIQ key system behind `KeySystemPort`, over the simulated interface.

One call of the port is one or several requests, in order. Each call has one time limit over all its requests; what that
means for a write that was on its way is `Unknown`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import TypeVar

import httpx2
import msgspec

from key2xs.connectors.turns import Turns
from key2xs.core.clock import Clock
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown
from key2xs.keys.carriers import BlockVisit, ProgrammingKey, VisitState, place_visits
from key2xs.keys.compile.limits import most
from key2xs.keys.grid import is_on_grid
from key2xs.keys.port import (
    BaseChanged,
    EventPage,
    Inventory,
    KeyCapabilities,
    KeyKind,
    KeyReading,
    KeyTag,
    ProgrammingState,
    SessionStore,
)
from key2xs.keys.program import OfflineUpdates, Program

from . import client as calls, mapping, payloads as wire
from .client import Changed, CliqClient
from .config import GRID, CliqConfig
from .cylinder_lists import CylinderLists
from .normal import whole_reading
from .session import CliqSession

__all__ = ["CliqConnector"]

T = TypeVar("T")


class CliqConnector:
    """One connection to one CLIQ locking system, used by one worker at a time."""

    product = "cliq"
    interface = "simulated"

    def __init__(
        self,
        config: CliqConfig,
        *,
        store: SessionStore,
        clock: Clock,
        transport: httpx2.AsyncBaseTransport | None = None,
        before_turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare the connection; nothing is sent before it is used. `transport` replaces the network in tests."""
        self._config, self._clock = config, clock
        self._client = CliqClient(config, transport=transport)
        self._session = CliqSession(self._client, config, store, clock)
        self._lists = CylinderLists(self._session, largest_group=config.largest_key_group)
        self._system: tuple[datetime, wire.System] | None = None
        self._carries_its_list: dict[str, bool] = {}  # of a key that was read: its kind never changes
        turns = Turns(
            lambda: self._client.writes_sent,
            limit=config.call_timeout,
            retry_after=config.retry_after,
            before=before_turn,
        )
        self._call = turns.turn

    # --- session -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Sign in and read the system's limits."""
        async with self._call("sign in"):
            await self._session.open()
            await self._limits(fresh=True)

    async def close(self) -> None:
        """Sign out and release connections."""
        try:
            async with self._call("sign out"):
                await self._session.close()
        except CallFailed:
            pass  # Leaving does not fail: what is left in the store the next worker ends.
        finally:
            await self._client.aclose()

    async def end_sessions(self) -> None:
        """End the session that a predecessor left in the store."""
        async with self._call("end the predecessor's session"):
            await self._session.end_stored()

    # --- reading -------------------------------------------------------------------------------------------

    async def inventory(self) -> Inventory:
        """Read keys, cylinders, groups, updaters and programming keys: one request for each thousand.

        Each request is a call of its own, so that a stop waits for one page and never for the whole listing.
        """
        try:
            async with asyncio.timeout(self._config.listing_timeout.total_seconds()):
                return await self._list_everything()
        except TimeoutError as err:
            raise Retry(self._config.retry_after, "list everything: out of time") from err

    async def read_key(self, vendor_key: str) -> KeyReading:
        """Read plan and last confirmed program of one key: one request, two for a normal key, now and then one more."""
        async with self._call(f"read key {vendor_key}"):
            return await self._reading(await self._read(vendor_key), await self._limits())

    async def read_events(self, cursor: str | None) -> EventPage:
        """Read the log by arrival; the cursor is the system's own, so no row comes twice."""
        async with self._call("read the log"):
            page = await self._get(calls.read_events(cursor), wire.Events)
            found = [event for row in page.items if (event := mapping.lock_event(row)) is not None]
            # A key's memory and a cylinder's may tell the same opening in one page: the first to arrive stays.
            events = {event.vendor_event_id: event for event in reversed(found)}
            rows = self._config.key_rows
            readings = [
                read for row in page.items if (read := mapping.memory_reading(row, key_rows=rows)) is not None
            ]
            clocks = [clock for row in page.items if (clock := mapping.clock_set(row)) is not None]
            ordered = tuple(reversed(events.values()))
            wipes = [wiped for row in page.items if (wiped := mapping.memory_wiped(row)) is not None]
            return EventPage(
                ordered,
                cursor=page.cursor,
                more=page.more,
                readings=tuple(readings),
                wipes=tuple(wipes),
                clocks=tuple(clocks),
            )

    def capabilities(self, kind: KeyKind) -> KeyCapabilities:
        """Return what keys of this kind can do (facts: capability matrix); limits as read last."""
        is_ours = kind in mapping.WRITABLE
        limits = self._system[1] if self._system is not None else None
        minutes = limits.revalidation_minutes if limits is not None else None
        return KeyCapabilities(
            kind=kind,
            grid=GRID,
            time_zone=self._config.time_zone,
            max_offline_expiry=timedelta(minutes=minutes.max) if minutes else _LONGEST if is_ours else None,
            min_offline_expiry=timedelta(minutes=minutes.min) if minutes and is_ours else None,
            program_slots=2,
            max_rights=limits.max_access_entries
            if limits is not None and kind is not KeyKind.NORMAL
            else None,
            can_order=is_ours,
            can_return=False,
            can_block=is_ours,
            can_tag=False,
            updates_over_the_air=kind is KeyKind.CONNECT,
            can_write=is_ours,
            block_by_visits=is_ours,
            rights_by_visits=kind is KeyKind.NORMAL,
            max_blocked=most("cliq-blocked-keys"),
        )

    # --- writing -------------------------------------------------------------------------------------------

    async def write_program(self, vendor_key: str, program: Program, base: KeyReading) -> KeyReading:
        """Replace the plan of a key: read again, compare with `base`, PUT, read back.

        For a normal key the limits go first, then the list of each cylinder that changes.
        """
        async with self._call(f"write key {vendor_key}"):
            limits = await self._limits()
            self._require_storable(program, base.kind, limits)
            key = await self._read(vendor_key)
            fresh = await self._reading(key, limits)
            if fresh.version != base.version:
                raise BaseChanged(fresh)
            plan = mapping.plan_of(program, key.planned, emptied=self._config.emptied_revalidation)
            if fresh.kind is KeyKind.NORMAL:
                plan = msgspec.structs.replace(plan, access=[])
            if not mapping.is_same_plan(plan, key.planned):
                try:
                    await self._session.request(
                        calls.write_plan(vendor_key, plan, key.revision), wire.Nothing
                    )
                except Changed:
                    raise BaseChanged(await self._reading(await self._read(vendor_key), limits)) from None
            elif fresh.kind is not KeyKind.NORMAL:
                return fresh
            if fresh.kind is KeyKind.NORMAL:
                await self._write_lists(vendor_key, program)
            return await self._reading(await self._read_back(vendor_key, plan), limits)

    async def order(self, vendor_key: str, *, avoid: Collection[str] = ()) -> None:
        """Make the plan wait at every updater; what waits already stays.

        The cylinders of a normal key get a visit each: as many as fit. What waits for a programming key in `avoid`, or was
        loaded into one, is given to another. When nothing more can be sent and some are left, `NeedsPerson` names them.
        """
        async with self._call(f"send key {vendor_key}"):
            if self._carries_its_list.get(vendor_key):
                await self._session.request(calls.send_plan(vendor_key), wire.Nothing)
                return
            key = await self._read(vendor_key)
            if mapping.key_kind(key.kind) is not KeyKind.NORMAL:
                await self._session.request(calls.send_plan(vendor_key), wire.Nothing)
                return
            is_sent = key.planned is None or mapping.programming_state(key) is not ProgrammingState.PLANNING
            if not is_sent:
                await self._session.request(calls.send_plan(vendor_key), wire.Nothing)
            if key.block_state in mapping.BLOCKED:
                return  # a visit to block it comes to each cylinder anyway
            lists = await self._lists.of_key(vendor_key)
            lost = {lock for lock, carriers in lists.on_round.items() if carriers <= frozenset(avoid)}
            if lost:
                for job in (await self._get(calls.jobs_of(vendor_key), wire.Jobs)).items:
                    if job.programming_key in avoid:
                        await self._drop_waiting(job, vendor_key, kinds={"list"})
            missing = lists.unplaced | lost
            left = await self._place(vendor_key, missing, avoid, kind="list")
            if left and left == missing and is_sent:
                raise NeedsPerson("keeper of the programming keys", _no_room(vendor_key, left))

    async def block(self, vendor_key: str) -> None:
        """Report the key lost. No cylinder hears of it before it is visited."""
        async with self._call(f"report key {vendor_key} lost"):
            await self._session.request(calls.report(vendor_key, "lost"), wire.Nothing)

    async def order_block_list(
        self, vendor_key: str, locks: Collection[str], *, avoid: Collection[str] = ()
    ) -> frozenset[str]:
        """Give every cylinder that is not on a round yet to a programming key with room; at most 30 tasks each."""
        async with self._call(f"send key {vendor_key} to be blocked"):
            mine = (await self._get(calls.jobs_of(vendor_key), wire.Jobs)).items
            taken = set()
            for visit in mapping.block_visits(mine, vendor_key):
                is_kept = visit.programming_key not in avoid and visit.state is not VisitState.FAILED
                if visit.state is VisitState.DONE or is_kept:
                    taken.add(visit.lock)
            for job in mine:
                if job.programming_key in avoid:
                    await self._drop_waiting(job, vendor_key)
            return await self._place(vendor_key, set(locks) - taken, avoid, kind="block")

    async def read_block_visits(self, vendor_key: str) -> tuple[BlockVisit, ...]:
        """Return how far the visits for a key are, as programming keys that came back have told."""
        async with self._call(f"read visits for key {vendor_key}"):
            jobs = await self._get(calls.jobs_of(vendor_key), wire.Jobs)
            return mapping.block_visits(jobs.items, vendor_key)

    async def unblock(self, vendor_key: str) -> None:
        """Report the key found; the vendor refuses it while a cylinder holds the block."""
        async with self._call(f"report key {vendor_key} found"):
            if (await self._read(vendor_key)).block_state in mapping.BLOCKED:
                await self._session.request(calls.report(vendor_key, "found"), wire.Nothing)

    async def order_unblock(self, vendor_key: str, *, avoid: Collection[str] = ()) -> frozenset[str]:
        """Take back blocks that wait; give every cylinder that holds one to a programming key with room."""
        async with self._call(f"send key {vendor_key} to be unblocked"):
            mine = (await self._get(calls.jobs_of(vendor_key), wire.Jobs)).items
            for job in mine:
                await self._drop_waiting(job, vendor_key, kinds={"block"})
                if job.programming_key in avoid:
                    await self._drop_waiting(job, vendor_key, kinds={"unblock"})
            missing = {
                visit.lock
                for visit in mapping.unblock_visits(mapping.without_waiting_blocks(mine), vendor_key, avoid)
                if visit.state is VisitState.FAILED
                or (visit.state is not VisitState.DONE and visit.programming_key in avoid)
            }
            return await self._place(vendor_key, missing, avoid, kind="unblock")

    async def read_unblock_visits(
        self, vendor_key: str, *, avoid: Collection[str] = ()
    ) -> tuple[BlockVisit, ...]:
        """Return how far the block is out of each cylinder, as programming keys that came back have told."""
        async with self._call(f"read visits for key {vendor_key}"):
            jobs = await self._get(calls.jobs_of(vendor_key), wire.Jobs)
            return mapping.unblock_visits(jobs.items, vendor_key, avoid)

    async def tag_key(self, vendor_key: str, tag: KeyTag) -> None:  # noqa: ARG002
        """Refuse: no tag of a key is known that reaches its audit trail."""
        raise Refused(f"CLIQ keys carry no tags ({vendor_key})")

    async def return_key(self, vendor_key: str) -> None:
        """Refuse: a key comes back to the cabinet or the desk; nothing about it ends at the vendor."""
        raise Refused(f"CLIQ keys are not returned at the vendor ({vendor_key})")

    # --- parts ---------------------------------------------------------------------------------------------

    async def _list_everything(self) -> Inventory:
        async with self._call("read the system"):
            system = await self._limits(fresh=True)
        cylinders = await self._list("cylinders", wire.Cylinder)
        groups = await self._list("cylinder-groups", wire.Group)
        keys = await self._list("keys", wire.Key)
        async with self._call("list updaters"):
            updaters = await self._get(calls.updaters(), wire.Updaters)
        async with self._call("list programming keys"):
            carriers = await self._carriers()
        # What a key of a kind we do not know opens, nobody knows.
        is_complete = system.domain_complete and all(
            mapping.key_kind(key.kind) in mapping.WRITABLE for key in keys if not key.retired
        )
        return Inventory(
            keys=tuple(mapping.vendor_key(key) for key in keys),
            locks=mapping.vendor_locks(cylinders, groups),
            rights=mapping.vendor_rights(cylinders, groups),
            as_of=self._clock.now(),
            visibility_complete=is_complete,
            updaters=tuple(mapping.updater(each) for each in updaters.items),
            programming_keys=carriers,
        )

    async def _get(self, call: calls.Call, shape: type[T]) -> T:
        return await self._session.request(call, shape)

    async def _list(self, path: str, shape: type[T]) -> list[T]:
        items: list[T] = []
        cursor: str | None = None
        while True:
            async with self._call(f"list {path}"):
                page = await self._get(calls.page(path, cursor), wire.Page)
            try:
                items += wire.items_of(page, shape)
            except ValueError as err:
                raise Retry(self._config.retry_after, f"the list of {path} cannot be read") from err
            if page.next is None:
                return items
            if page.next == cursor:
                raise Retry(self._config.retry_after, f"the list of {path} does not move on")
            cursor = page.next

    async def _limits(self, *, fresh: bool = False) -> wire.System:
        """Return the system's own limits and settings, read again when they are old."""
        now = self._clock.now()
        if fresh or self._system is None or now - self._system[0] >= self._config.limits_age:
            self._system = (now, await self._get(calls.system(), wire.System))
        return self._system[1]

    async def _read(self, vendor_key: str) -> wire.Key:
        key = await self._get(calls.read_key(vendor_key), wire.Key)
        if key.retired:
            raise Refused(f"key {vendor_key} was retired at the vendor")
        return key

    async def _reading(self, key: wire.Key, system: wire.System) -> KeyReading:
        reading = self._reading_of_key(key, system)
        self._carries_its_list[key.id] = reading.kind is not KeyKind.NORMAL
        if reading.kind is not KeyKind.NORMAL:
            return reading
        return whole_reading(reading, await self._lists.of_key(key.id), key.confirmed_at)

    def _reading_of_key(self, key: wire.Key, system: wire.System) -> KeyReading:
        kind = mapping.key_kind(key.kind)
        read = mapping.limits_of if kind is KeyKind.NORMAL else mapping.program_of
        try:
            planned = read(key.planned) if key.planned is not None else None
            on_device = read(key.confirmed) if key.confirmed is not None else None
        except ValueError as err:
            raise NeedsPerson(
                "CLIQ administrator", f"key {key.id} holds a plan that cannot be read: {err}"
            ) from err
        offline = system.offline_updates
        gap = timedelta(minutes=offline.gap_minutes) if offline.gap_minutes is not None else None
        return KeyReading(
            vendor_key=key.id,
            kind=kind,
            planned=planned,
            on_device=on_device,
            programming_state=mapping.programming_state(key),
            blocked=key.block_state in mapping.BLOCKED,
            # Entries of another domain are left out of a plan, and cylinders of another domain out of the lists.
            outside_visible=system.domain_complete and kind in mapping.WRITABLE,
            as_of=self._clock.now(),
            version=mapping.version_of(key),
            holder_ref=key.holder,
            blocked_with_access=key.block_state == mapping.BLOCKED_WITH_ACCESS,
            last_update_at=key.last_update.at if key.last_update is not None else None,
            offline_updates=OfflineUpdates(offline.count, gap),
        )

    def _require_storable(self, program: Program, kind: KeyKind, limits: wire.System) -> None:
        if kind not in mapping.WRITABLE:
            raise Refused("a key of this kind is only read at this level")
        for name, at in (("start", program.starts_at), ("end", program.ends_at)):
            if at is not None and not is_on_grid(at, grid=GRID, zone=self._config.zone):
                raise Refused(f"the {name} {at.isoformat()} is not on a full minute")
        if kind is KeyKind.NORMAL:
            if any(not right.startswith(mapping.CYLINDER) for right in program.rights):
                raise Refused("a normal key is listed in cylinders one by one; it holds no group of them")
        elif len(program.rights) > limits.max_access_entries:
            raise Refused(f"a key holds {limits.max_access_entries} entries at most")
        shortest, longest = limits.revalidation_minutes.min, limits.revalidation_minutes.max
        wanted = program.offline_expires_after
        if isinstance(wanted, timedelta) and not shortest <= wanted / timedelta(minutes=1) <= longest:
            raise Refused(f"the revalidation interval must be {shortest} to {longest} minutes")

    async def _place(
        self, vendor_key: str, cylinders: Collection[str], avoid: Collection[str], *, kind: str
    ) -> frozenset[str]:
        """Give cylinders to programming keys with room; returns those that fit nowhere."""
        if not cylinders:
            return frozenset()
        found = (await self._get(calls.programming_keys(), wire.ProgrammingKeys)).items
        open_jobs = (await self._get(calls.open_jobs(), wire.Jobs)).items
        usable = [each for each in mapping.programming_keys(found, open_jobs) if each.vendor_id not in avoid]
        placed, unplaced = place_visits(sorted(cylinders), usable, mapping.waiting_at(open_jobs))
        for carrier, some in placed.items():
            job = calls.make_job(carrier, vendor_key, some, kind=kind)
            await self._session.request(job, wire.Nothing)
        return unplaced

    async def _write_lists(self, vendor_key: str, program: Program) -> None:
        before = (await self._lists.of_key(vendor_key)).planned
        wanted = frozenset(right.removeprefix(mapping.CYLINDER) for right in program.rights)
        await self._lists.change(vendor_key, put_in=wanted - before, take_off=before - wanted)
        if wanted != before and (await self._lists.of_key(vendor_key)).planned != wanted:
            raise Unknown(f"the lists for key {vendor_key} read back otherwise than written")

    async def _carriers(self) -> tuple[ProgrammingKey, ...]:
        """Read the programming keys with what they hold and what waits for them."""
        found = await self._get(calls.programming_keys(), wire.ProgrammingKeys)
        open_jobs = await self._get(calls.open_jobs(), wire.Jobs)
        return mapping.programming_keys(found.items, open_jobs.items)

    async def _read_back(self, vendor_key: str, plan: wire.Plan) -> wire.Key:
        """Read the plan that was just written. Whatever goes wrong here, the write itself was accepted."""
        try:
            key = await self._read(vendor_key)
        except Unknown:
            raise
        except CallFailed as err:
            raise Unknown(
                f"the plan of key {vendor_key} was accepted but could not be read back ({err})"
            ) from err
        if not mapping.is_same_plan(plan, key.planned):
            raise Unknown(f"the plan of key {vendor_key} reads back otherwise than written")
        return key

    async def _drop_waiting(
        self, job: wire.Job, vendor_key: str, *, kinds: Collection[str] = ("block", "unblock")
    ) -> None:
        """Take back what still waits for a programming key; what it holds stays with it."""
        for task in job.tasks:
            if task.key == vendor_key and task.kind in kinds and task.state == VisitState.WAITING:
                try:
                    await self._session.request(calls.drop_task(job.id, task.n), wire.Nothing)
                except Refused:
                    continue  # loaded meanwhile, or gone


def _no_room(vendor_key: str, cylinders: Collection[str]) -> str:
    named = ", ".join(sorted(cylinders)[:5]) + (" and more" if len(cylinders) > 5 else "")
    return (
        f"key {vendor_key}: {len(cylinders)} cylinders must be visited and no programming key has room for them "
        f"({named}). Bring one back to an updater"
    )


_LONGEST = timedelta(days=365)  # before the system's own limits were read
