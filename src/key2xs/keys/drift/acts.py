"""What people do about findings: see, revert, accept; and say what a zone does with edits."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import KeySystemId, ZoneId
from key2xs.core.sql import load_queries
from key2xs.keys.wire import program_of
from key2xs.ledger import Entry, Lane, Ledger, typed

from .findings import ZonePolicy, get_finding, zone_policies
from .making import uncovered
from .rules import loosens
from .types import OF_THE_PLAN, Finding, Policy

_SQL = load_queries("key2xs.keys.drift")
_KEYS = load_queries("key2xs.keys")

Act: TypeAlias = Literal["acknowledge", "revert", "accept"]
ACTS: Final[tuple[Act, ...]] = ("acknowledge", "revert", "accept")


class DriftActs:
    """Settles findings."""

    def __init__(self, ledger: Ledger) -> None:
        """Record every act with `ledger`."""
        self._ledger = ledger

    async def settle(
        self, tx: Connection, finding_id: UUID, act: Act, *, actor: str, reason: str, at: datetime
    ) -> Finding:
        """Do one of the three.

        *acknowledge*: somebody has seen it. *revert*: the key is written what its grants allow, nothing more. *accept*:
        the edit stays as long as nothing else is wanted on the key.

        Raises:
            NotFound: there is no such finding.
            Conflict: it is settled, or this cannot be done about it; says why.
        """
        await tx.fetchval(_SQL["lock_finding"], finding_id)
        found = await get_finding(tx, finding_id)
        if not found.is_open:
            raise Conflict(f"this finding is {found.state} already")
        if act == "acknowledge" and found.state == "acknowledged":
            raise Conflict("somebody has seen this already")
        why_not = await why_not_possible(tx, found, act)
        if why_not is not None:
            raise Conflict(why_not)
        entry = await self._tell(tx, found, act, actor, reason, at)
        if act == "accept":
            wanted = await _wanted_now(tx, found)
            await tx.execute(_SQL["accept_finding"], found.id, wanted, at, actor, entry)
        else:
            decision = "revert" if act == "revert" else None
            await tx.execute(_SQL["acknowledge_finding"], found.id, decision, entry)
        if act != "acknowledge" and found.key_id is not None:
            await tx.execute(_SQL["look_at_key"], found.key_id, at)
        return await get_finding(tx, finding_id)

    async def set_policy(
        self,
        tx: Connection,
        zone_id: ZoneId,
        policy: Policy,
        *,
        actor: str,
        reason: str,
        at: datetime,
        confirmed_by: str | None = None,
    ) -> ZonePolicy:
        """Say what a zone does with edits from now on; findings that stand keep what they were found under.

        Raises:
            NotFound: no such zone.
            Conflict: it has that policy, or a zone that is not enforced cannot revert.
        """
        await self._ledger.lock_heads(tx, [f"zone:{zone_id}"])
        zone = await policy_of_zone(tx, zone_id)
        require_change(zone, policy)
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:drift:policy",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"zone:{zone_id}",),
                heads=(f"zone:{zone_id}",),
                body={
                    "zone": zone.code,
                    "was": zone.policy,
                    "policy": policy,
                    "reason": typed(actor, reason),
                    "confirmed_by": confirmed_by,
                },
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(_SQL["put_policy"], zone_id, policy, entry)
        return await policy_of_zone(tx, zone_id)

    async def look_now(
        self, tx: Connection, *, system: KeySystemId | None, actor: str, reason: str, at: datetime
    ) -> None:
        """Have every key read again as soon as the connections allow, of one key system or of all."""
        await self._ledger.record(
            tx,
            Entry(
                kind="keys:drift:look",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"key_system:{system}",) if system is not None else ("site:drift",),
                body={"reason": typed(actor, reason)},
            ),
        )
        await tx.execute(_SQL["look_at_all"], system, at)

    async def _tell(
        self, tx: Connection, found: Finding, act: Act, actor: str, reason: str, at: datetime
    ) -> int:
        key = (f"key:{found.key_id}",) if found.key_id is not None else ()
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:drift:{act}",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"finding:{found.id}", *key, f"key_system:{found.system_id}"),
                body={"kind": found.kind, "was": found.state, "reason": typed(actor, reason)},
                lane=Lane.CONTROL,
            ),
        )


async def why_not_possible(tx: Connection, found: Finding, act: Act) -> str | None:
    """Return why an act cannot be done about a finding; None when it can."""
    if act == "acknowledge":
        return None
    if act == "accept":
        if found.ad_hoc and await _is_still_uncovered(tx, found):
            return (
                "this gives access in an enforced zone that no grant covers, and nobody may leave it so: have it undone, "
                "or ask for a grant; once a grant covers it, it can be left as it is"
            )
        return None
    if found.kind not in OF_THE_PLAN:
        return "Key2XS does not write this: set it right in the maker's own tool, and the finding closes by itself"
    if not await tx.fetchval(_SQL["is_managed"], found.key_id):
        return "Key2XS does not write this key: set it right in the maker's own tool, and the finding closes by itself"
    touched = await tx.fetchval(_SQL["any_enforced"], list(found.zones))
    if not touched:
        return "no zone that this touches is enforced: Key2XS only follows there, and took the edit over"
    return None


async def policy_of_zone(tx: Connection, zone_id: ZoneId) -> ZonePolicy:
    """Return what a zone does with edits.

    Raises:
        NotFound: no such zone.
    """
    for each in await zone_policies(tx):
        if each.zone_id == zone_id:
            return each
    raise NotFound(f"there is no security zone {zone_id}")


def require_change(zone: ZonePolicy, policy: Policy) -> None:
    """Refuse a policy that changes nothing, or that means nothing in the zone's mode.

    Raises:
        Conflict: says which.
    """
    if policy == "revert" and zone.mode != "enforce":
        raise Conflict(
            f"zone {zone.code} is in mode {zone.mode}, so nothing is written there: enforce it first"
        )
    if zone.policy == policy:
        raise Conflict(f"zone {zone.code} does that already")


def needs_second(zone: ZonePolicy, policy: Policy) -> bool:
    """Tell whether a change of policy waits for a second person: whatever loosens an enforced zone."""
    return zone.mode == "enforce" and loosens(zone.policy, policy)


async def _wanted_now(tx: Connection, found: Finding) -> Any:
    target = await tx.fetchrow(_KEYS["find_target"], found.key_id) if found.key_id is not None else None
    return target["desired"] if target is not None else None


async def _is_still_uncovered(tx: Connection, found: Finding) -> bool:
    if found.kind not in OF_THE_PLAN:
        return True
    stored = await _wanted_now(tx, found)
    if stored is None:
        return True
    old, new, wanted = program_of(found.before), program_of(found.after), program_of(stored)
    return bool(await uncovered(tx, found.system_id, old, new, wanted))
