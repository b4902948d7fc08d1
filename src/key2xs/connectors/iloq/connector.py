"""The iLOQ key system behind `KeySystemPort`.

One call of the port is one or several requests, in order, never in parallel: parallel writes for one person were seen
to lose updates (Tools4ever connector). Each call has one time limit over all its requests; what that means for a write
that was on its way is `Unknown`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import httpx2

from key2xs.connectors.turns import Turns
from key2xs.core.clock import Clock, require_utc
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown
from key2xs.keys.carriers import BlockVisit
from key2xs.keys.compile.limits import most
from key2xs.keys.grid import is_on_grid
from key2xs.keys.onboarding import Finding
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
from key2xs.keys.program import OfflineExpiry, Program

from .answers import (
    NOT_IN_PLANNING,
    block_list_order_refusal,
    limit_refusal,
    order_refusal,
    return_refusal,
)
from .client import Call, Done, IloqClient
from .config import GRID, MAX_OFFLINE_EXPIRY, IloqConfig
from .events import details_query, event_page
from .inventory import InventoryReader
from .localtime import utc_text
from .mapping import DELETED, RETURNED, key_kind, programming_state
from .payloads import DetailKey, DetailPage, Key, KeyLimits, LogPage, LogRow, RightsOf, Tag
from .plan import (
    END_SLOT,
    START_SLOT,
    Plan,
    fingerprint,
    is_same_plan,
    program_from,
    rights_body,
    slots_needed,
    slots_used,
)
from .session import IloqSession

__all__ = ["IloqConnector"]

T = TypeVar("T")

# Public API v2, CanReturn and Return: an S5 key and a fob are returned with the programming key, in iLOQ Manager.
_RETURNABLE: Final = frozenset({KeyKind.PHONE, KeyKind.TAG})
_PLANNED, _ON_DEVICE = "1", "2"  # Public API v2, rights view; mode 0 is discouraged
_DATES: Final = {START_SLOT: "start", END_SLOT: "end"}
_TAG_NAMESPACE: Final = uuid.UUID(
    "8d1f6a8e-6a53-5f0c-9a0a-2d6f0d7b7c11"
)  # ours, so that a repeated insert is one


class IloqConnector:
    """One connection to one iLOQ locking system, used by one worker at a time."""

    product = "iloq"

    def __init__(
        self,
        config: IloqConfig,
        *,
        store: SessionStore,
        clock: Clock,
        transport: httpx2.AsyncBaseTransport | None = None,
        before_turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare the connection; nothing is sent before it is used. `transport` replaces the network in tests."""
        self._config, self._clock = config, clock
        self._client = IloqClient(config, transport=transport)
        self._session = IloqSession(self._client, config, store, clock)
        turns = Turns(
            lambda: self._client.writes_sent,
            limit=config.call_timeout,
            retry_after=config.retry_after,
            before=before_turn,
        )
        self._call = turns.turn
        self._inventory = InventoryReader(self._request_alone, config)

    # --- session -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Sign in and check rights, options and time zone of the locking system."""
        async with self._call("sign in"):
            await self._session.open()

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

    async def examine(self) -> tuple[Finding, ...]:
        """Say everything that the account and the locking system's options lack: four to six requests."""
        async with self._call("look at the account"):
            return await self._session.examine()

    # --- reading -------------------------------------------------------------------------------------------

    async def inventory(self) -> Inventory:
        """Read keys, locks and rights; about four requests a lock, each of them a call of its own.

        So a stop waits for one request and never for the whole listing. Running out of time loses nothing: the next
        attempt goes on behind the locks that were read.
        """
        try:
            async with asyncio.timeout(self._config.listing_timeout.total_seconds()):
                return await self._inventory.read(as_of=self._clock.now())
        except TimeoutError as err:
            raise Retry(self._config.retry_after, "list everything: out of time") from err

    async def read_key(self, vendor_key: str) -> KeyReading:
        """Read plan and device state of one key: six requests."""
        async with self._call(f"read key {vendor_key}"):
            key, plan = await self._read_plan(vendor_key)
            on_device = None
            if key.was_ever_programmed is not False:
                on_device = await self._read_view(vendor_key, _ON_DEVICE)
            blocked = await self._get(f"Blacklists/CanRemoveKey/{vendor_key}", bool)
            return self._reading(key, plan, on_device, blocked=blocked)

    async def read_events(self, cursor: str | None) -> EventPage:
        """Read one window of the lock log by arrival; windows overlap, so rows come twice."""
        async with self._call("read the lock log"):
            now, before, overlap = self._clock.now(), self._reached_before(cursor), self._config.event_overlap
            reached = max(min(before + self._config.event_window, now), before)
            # The vendor's clock may be behind ours or ahead of it: look back by the overlap, and at the head ahead.
            until = reached + overlap if reached >= now else reached
            body = {"StartDateUtc": utc_text(before - overlap), "EndDateUtc": utc_text(until)}
            call = Call("POST", "LockLogs/GetLockLogDataByTimestamp", body=body)
            rows = (await self._session.request(call, LogPage)).rows or []
            return event_page(
                rows,
                reached=reached,
                now=now,
                retry_after=self._config.retry_after,
                details=await self._details(rows),
            )

    def capabilities(self, kind: KeyKind) -> KeyCapabilities:
        """Return what keys of this kind can do (facts: capability matrix)."""
        is_ours = kind in {KeyKind.PHONE, KeyKind.FOB, KeyKind.METAL}
        return KeyCapabilities(
            kind=kind,
            grid=GRID,
            time_zone=self._config.time_zone,
            max_offline_expiry=MAX_OFFLINE_EXPIRY.get(kind),
            program_slots=self._config.slot_budget,
            # The vendor's text says phone and 5 Series keys; for fobs CanOrder decides at run time.
            can_order=is_ours,
            can_return=kind in _RETURNABLE,
            can_block=is_ours,
            can_tag=is_ours,
            updates_over_the_air=kind is KeyKind.PHONE,
            max_blocked=most("iloq-blocked-keys"),
            slots_by_lock=True,
        )

    # --- writing -------------------------------------------------------------------------------------------

    async def write_program(self, vendor_key: str, program: Program, base: KeyReading) -> KeyReading:
        """Replace the plan of a key: read again, compare with `base`, PUT everything, read back: seven requests."""
        self._require_storable(program, base.kind)
        async with self._call(f"write key {vendor_key}"):
            key, plan = await self._read_plan(vendor_key)
            fresh = self._reading(key, plan, None, blocked=base.blocked)
            if fresh.version != base.version:
                raise BaseChanged(fresh)
            body = rights_body(
                program, plan, base.kind, zone=self._config.zone, emptied=self._config.emptied_offline_expiry
            )
            self._require_room(body, plan)
            if not is_same_plan(body, plan):
                await self._put_rights(vendor_key, body)
                key, plan = await self._read_back(vendor_key, body)
            return self._reading(key, plan, None, blocked=base.blocked, on_device_as=base)

    async def order(self, vendor_key: str, *, avoid: Collection[str] = ()) -> None:  # noqa: ARG002 - nobody visits
        """Order the plan if CanOrder allows it; a plan that is on its way or in the key already is fine."""
        async with self._call(f"order key {vendor_key}"):
            code = await self._get(f"Keys/{vendor_key}/CanOrder", int)
            if code == NOT_IN_PLANNING and await self._is_on_its_way(vendor_key):
                return
            if refusal := order_refusal(code, self._config.retry_after):
                raise refusal
            await self._session.request(Call("POST", f"Keys/{vendor_key}/Order", writes=True), Done)

    async def block(self, vendor_key: str) -> None:
        """Put the key on the block list. Block before emptying: a key without rights cannot be put on it."""
        async with self._call(f"block key {vendor_key}"):
            if not await self._get(f"Blacklists/CanAddKey/{vendor_key}", bool):
                if await self._get(f"Blacklists/CanRemoveKey/{vendor_key}", bool):
                    return
                raise Refused(
                    f"key {vendor_key} has no access rights, so the vendor does not put it on the block list"
                )
            await self._session.request(Call("POST", f"Blacklists/AddKey/{vendor_key}", writes=True), Done)

    async def order_block_list(
        self,
        vendor_key: str,  # noqa: ARG002 - one list for all keys and locks
        locks: Collection[str],  # noqa: ARG002
        *,
        avoid: Collection[str] = (),  # noqa: ARG002
    ) -> frozenset[str]:
        """Order the block list; from here it spreads from device to device, at nobody's command."""
        async with self._call("order the block list"):
            code = await self._get("Blacklists/CanOrderS40Blacklist", int)
            if refusal := block_list_order_refusal(code, self._config.retry_after):
                raise refusal
            if code == 0:
                await self._session.request(Call("POST", "Blacklists/OrderS40Blacklist", writes=True), Done)
        return frozenset()

    async def read_block_visits(self, vendor_key: str) -> tuple[BlockVisit, ...]:  # noqa: ARG002
        """Return nothing: the interface does not say which lock holds which list."""
        return ()

    async def unblock(self, vendor_key: str) -> None:
        """Take the key off the block list; from then on it can be written again. Locks hear of it with the list."""
        async with self._call(f"unblock key {vendor_key}"):
            if await self._get(f"Blacklists/CanRemoveKey/{vendor_key}", bool):
                call = Call("DELETE", f"Blacklists/RemoveKey/{vendor_key}", writes=True)
                await self._session.request(call, Done)

    async def order_unblock(self, vendor_key: str, *, avoid: Collection[str] = ()) -> frozenset[str]:
        """Order the block list without the key."""
        return await self.order_block_list(vendor_key, (), avoid=avoid)

    async def read_unblock_visits(
        self,
        vendor_key: str,  # noqa: ARG002
        *,
        avoid: Collection[str] = (),  # noqa: ARG002
    ) -> tuple[BlockVisit, ...]:
        """Return nothing: the interface does not say which lock holds which list."""
        return ()

    async def tag_key(self, vendor_key: str, tag: KeyTag) -> None:
        """Set one tag of a key, or take it off where it has no value; the same twice changes nothing."""
        async with self._call(f"tag key {vendor_key}"):
            known = await self._get(f"Keys/{vendor_key}/KeyTags", list[Tag])
            mine = next((item for item in known if item.key == tag.name), None)
            if not tag.value:
                if mine is not None:
                    call = Call("DELETE", f"KeyTags/{mine.tag_id}", writes=True)
                    await self._session.request(call, Done)
                return
            if mine is not None and (mine.value, mine.in_audit_trail) == (tag.value, tag.in_audit_trail):
                return
            body = {
                "Tag_ID": mine.tag_id
                if mine
                else str(uuid.uuid5(_TAG_NAMESPACE, f"{vendor_key} {tag.name}")),
                "FNKey_ID": vendor_key,
                "Key": tag.name,
                "Value": tag.value,
                "SaveToKeyAuditTrail": tag.in_audit_trail,
            }
            method = "PUT" if mine else "POST"
            await self._session.request(Call(method, "KeyTags", body=body, writes=True), Done)

    async def return_key(self, vendor_key: str) -> None:
        """Send the task that empties the key and takes it out of the vendor's books: two to three requests.

        Nobody hears when a phone without network did it.
        """
        async with self._call(f"return key {vendor_key}"):
            key = await self._get(f"Keys/{vendor_key}", Key)
            if key.state in {DELETED, RETURNED}:
                return
            kind = key_kind(key.type_mask)
            if kind not in _RETURNABLE:
                raise Refused(
                    f"a {kind} key is not returned over this interface: return it in iLOQ Manager with the programming key"
                )
            code = await self._get(f"Keys/{vendor_key}/CanReturn", int)
            if refusal := return_refusal(code, self._config.retry_after):
                raise refusal
            await self._session.request(Call("POST", f"Keys/{vendor_key}/Return", writes=True), Done)

    async def _details(self, rows: Sequence[LogRow]) -> dict[str, DetailKey]:
        """Ask once for what rows by arrival lack. The rows themselves never wait for it."""
        query = details_query(rows) if self._config.log_details else None
        if query is None:
            return {}
        try:
            page = await self._session.request(Call("POST", "LockLogs", body=query), DetailPage)
        except CallFailed:
            return {}
        return {row.log_id.lower(): row.key for row in page.rows or [] if row.key is not None}

    # --- parts ---------------------------------------------------------------------------------------------

    async def _request_alone(self, call: Call, shape: type[T]) -> T:
        async with self._call(str(call)):
            return await self._session.request(call, shape)

    async def _get(self, path: str, shape: type[T], **query: str) -> T:
        return await self._session.request(Call("GET", path, query=query or None), shape)

    async def _read_view(self, vendor_key: str, mode: str) -> Plan:
        rights = await self._get(f"Keys/{vendor_key}/SecurityAccesses", RightsOf, mode=mode)
        limits = await self._get(f"Keys/{vendor_key}/TimeLimitTitles", KeyLimits, mode=mode)
        return Plan(rights, limits)

    async def _read_plan(self, vendor_key: str) -> tuple[Key, Plan]:
        key = await self._get(f"Keys/{vendor_key}", Key)
        if key.state in {DELETED, RETURNED}:
            raise Refused(f"key {vendor_key} was returned or deleted at the vendor")
        return key, await self._read_view(vendor_key, _PLANNED)

    def _reading(
        self,
        key: Key,
        plan: Plan,
        on_device: Plan | None,
        *,
        blocked: bool,
        on_device_as: KeyReading | None = None,
    ) -> KeyReading:
        kind = key_kind(key.type_mask)
        try:
            planned = program_from(plan, kind, self._config.zone)
            in_key = program_from(on_device, kind, self._config.zone) if on_device is not None else None
        except (TypeError, ValueError) as err:
            raise NeedsPerson(
                "iLOQ administrator", f"key {key.key_id} holds a limit that cannot be read: {err}"
            ) from err
        return KeyReading(
            vendor_key=key.key_id.lower(),
            kind=kind,
            planned=planned,
            on_device=on_device_as.on_device if on_device_as is not None else in_key,
            programming_state=programming_state(key.programming_state),
            blocked=blocked,
            outside_visible=plan.outside_visible and (on_device is None or on_device.outside_visible),
            as_of=self._clock.now(),
            version=fingerprint(key, plan),
            holder_ref=key.person_id.lower() if key.person_id else None,
            opaque={"limits": plan.limits},
        )

    def _require_storable(self, program: Program, kind: KeyKind) -> None:
        for name, at in (("start", program.starts_at), ("end", program.ends_at)):
            if at is not None and not is_on_grid(at, grid=GRID, zone=self._config.zone):
                raise Refused(f"the {name} {at.isoformat()} is not on the vendor's 15-minute grid")
        longest, wanted = MAX_OFFLINE_EXPIRY.get(kind), program.offline_expires_after
        if longest is not None and not _fits(wanted, longest):
            raise Refused(f"a {kind} works offline for {longest} at most")

    def _require_room(self, body: dict[str, Any], plan: Plan) -> None:
        # A body that needs no more than the key holds already always fits, so narrowing is never refused here.
        needed = slots_needed(body)
        budget = min(self._config.slot_budget, self._inventory.slots(body["SecurityAccessIds"]))
        if needed > max(budget, slots_used(plan)):
            raise Refused(f"the key has {budget} slots, the program needs {needed}")

    async def _put_rights(self, vendor_key: str, body: dict[str, Any]) -> None:
        call = Call("PUT", f"Keys/{vendor_key}/SecurityAccesses", body=body, writes=True)
        try:
            await self._session.request(call, Done)
        except Refused as refused:
            if (why := await self._why_no_limit(vendor_key, body)) is None:
                raise
            raise Refused(f"{refused}; {why}") from refused

    async def _why_no_limit(self, vendor_key: str, body: dict[str, Any]) -> str | None:
        """Ask what is wrong with a start or an end; only after a refusal, since it costs a request each."""
        try:
            for slot in body["TimeLimitSlots"]:
                if slot["SlotNo"] in _DATES:
                    call = Call("POST", f"Keys/{vendor_key}/TimeLimitTitles/CanAdd", body=slot)
                    if why := limit_refusal(await self._session.request(call, int)):
                        return f"the {_DATES[slot['SlotNo']]}: {why}"
        except CallFailed:
            pass  # the refusal stands by itself
        return None

    async def _read_back(self, vendor_key: str, body: dict[str, Any]) -> tuple[Key, Plan]:
        """Read the plan that was just written. Whatever goes wrong here, the write itself was accepted."""
        try:
            key, plan = await self._read_plan(vendor_key)
        except Unknown:
            raise
        except CallFailed as err:
            raise Unknown(
                f"PUT rights of key {vendor_key} was accepted but could not be read back ({err})"
            ) from err
        if not is_same_plan(body, plan):
            raise Unknown(f"the plan of key {vendor_key} reads back otherwise than written")
        return key, plan

    async def _is_on_its_way(self, vendor_key: str) -> bool:
        key = await self._get(f"Keys/{vendor_key}", Key)
        state = programming_state(key.programming_state)
        return state.is_waiting or state is ProgrammingState.PROGRAMMED

    def _reached_before(self, cursor: str | None) -> datetime:
        if cursor is None:
            return self._clock.now() - self._config.events_back
        try:
            return require_utc(datetime.fromisoformat(cursor))
        except ValueError as err:
            raise Refused("this cursor is not one of ours") from err


def _fits(wanted: OfflineExpiry, longest: timedelta) -> bool:
    """Say whether an interval can be stored; UNLIMITED can, it is the vendor's zero."""
    return not isinstance(wanted, timedelta) or wanted <= longest
