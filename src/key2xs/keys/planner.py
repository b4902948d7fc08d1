"""From the grants of a key's holder to the program the key should have."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection, the_row
from key2xs.core.ids import CylinderId, GrantId, KeySystemId, PersonId, ZoneId
from key2xs.core.sql import load_queries
from key2xs.grants.reads import HeldGrant, grants_of_holder
from key2xs.plant.service import cylinder_facts

from .adoption.kept import CARRIES_STANDING, Kept, together
from .adoption.standing import Standing
from .carry import Covers, GrantToCarry, KeyLimits
from .compile.compiler import Compiled, KeyNow, WantedGrant, compile_keys
from .compile.limits import iloq_slots
from .compile.ways_out import OtherKey, Way, WayOut, ways_of_key
from .port import KeyCapabilities, KeyKind, KeyReading
from .program import EMPTY_PROGRAM, Program
from .registry import key_of, right_of
from .sharing import finds_no_room, share_out
from .types import StoredKey
from .wire import program_of

_SQL = load_queries("key2xs.keys")
_DESK = load_queries("key2xs.keys", "queries_desk.sql")

NOT_ENFORCED = "zone_not_enforced"
NO_LOCK = "no_lock_known"
NOT_WRITABLE = "key_not_writable"
EMERGENCY_KEY = "emergency_key"
REPORTED = "reported"
ON_OTHER_KEY = "on_another_key"

_OF_THE_KEY = frozenset({CARRIES_STANDING, EMERGENCY_KEY, NOT_WRITABLE, REPORTED})  # another key may do
_WAYS = "ways_out"

OfKind: TypeAlias = Callable[[KeyKind], KeyCapabilities]
Make: TypeAlias = tuple[str, int | None]  # of a lock: its family and firmware

_BY_AIR = frozenset({KeyKind.PHONE, KeyKind.CONNECT})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The program a key should have now, and why."""

    program: Program
    grants: tuple[GrantId, ...]
    cannot: dict[str, dict[str, Any]]
    plan_again_at: datetime | None
    holder: PersonId | None
    stale: tuple[str, ...] = ()
    """Bases whose grants rest on changed facts: decide them before relying on this."""
    at_most: Program | None = None
    """What may be written instead while nothing may widen."""
    kept: Kept | None = None
    """What the key keeps from before Key2XS; None where it keeps nothing."""
    left_alone: bool = False
    """The key holds nothing of ours: it is watched, and nothing is sent on its way."""

    @property
    def to_write(self) -> Program:
        """The program to bring the key to."""
        return self.program if self.at_most is None else self.at_most


class Planner:
    """Plans keys of all systems."""

    def __init__(
        self,
        standing: Standing,
        zone: ZoneInfo,
        *,
        lock_box_allowance: timedelta = timedelta(0),
    ) -> None:
        """Rounding to a vendor's grid happens in the site's time zone.

        A key that carries only lock boxes ends `lock_box_allowance` after its grants (S3): it may be out of reach when
        the window ends and personal locks are still on.
        """
        self._zone, self._allowance = zone, lock_box_allowance
        self._standing = standing
        self._catalogues: dict[KeySystemId, tuple[int, Covers]] = {}

    async def plan(
        self,
        tx: Connection,
        key: StoredKey,
        of_kind: OfKind,
        *,
        offline_expires_after: timedelta,
        deliver_ahead: timedelta,
        at: datetime,
        also_enforced: Collection[ZoneId] = (),
    ) -> Wanted:
        """Plan one key. A key that is blocked or deleted gets the empty program, one without holder what it keeps.

        `of_kind` says what keys of a kind can do, of this one and of others that its holder has. `also_enforced` plans as if these zones were enforced: what would switching them change?
        """
        about = await the_row(tx, _SQL["about_plan"], key.id, at)
        holder: PersonId | None = about["holder"]
        if key.blocked_at is not None or key.deleted:
            return Wanted(EMPTY_PROGRAM, (), {}, None, holder)
        keeps = EMPTY_PROGRAM
        if key.adopted_at is not None and about["kept"] is not None:
            keeps = program_of(about["kept"])
        kept = Kept(keeps, {})
        if not keeps.opens_nothing:
            kept = await self._standing.now(tx, key, at, also=also_enforced)
        if holder is None:
            return await self._only_kept(tx, key, kept, {}, None, holder)
        wanted = await self._for_holder(
            tx,
            key,
            of_kind,
            kept,
            holder,
            about["told_at"],
            offline_expires_after,
            deliver_ahead,
            at,
            also_enforced,
        )
        return replace(wanted, cannot=await self._with_ways(tx, key, holder, wanted.cannot, at))

    async def _for_holder(
        self,
        tx: Connection,
        key: StoredKey,
        of_kind: OfKind,
        kept: Kept,
        holder: PersonId,
        told_at: datetime | None,
        offline_expires_after: timedelta,
        deliver_ahead: timedelta,
        at: datetime,
        also_enforced: Collection[ZoneId],
    ) -> Wanted:
        capabilities = of_kind(key.kind)
        # A start that lies ahead would hold up what the key keeps until then.
        ahead = deliver_ahead if kept.program.opens_nothing else timedelta(0)
        grants = await grants_of_holder(tx, holder, at, at + ahead)
        others: dict[str, dict[str, Any]] = {}
        if key.emergency:
            # An act on many may end everything else, so nothing else is ever written to an emergency key (S1).
            others = {
                str(grant.id): {"why": EMERGENCY_KEY, "locks": []} for grant in grants if not grant.emergency
            }
            grants = [grant for grant in grants if grant.emergency]
        if told_at is not None:
            # What is on it ends by the stop that the report asked for (S3 to S5); nothing new is put on it meanwhile.
            new = {grant.id for grant in grants if not grant.held and grant.basis_at > told_at}
            others |= {str(grant): {"why": REPORTED, "locks": []} for grant in new}
            grants = [grant for grant in grants if grant.id not in new]
        locks, cannot, boxes, made = await self._locks(tx, key.system_id, grants, at, also_enforced)
        cannot |= others
        if not capabilities.can_write:
            why = {str(g.id): {"why": NOT_WRITABLE, "locks": sorted(locks.get(g.id, ()))} for g in grants}
            return await self._only_kept(tx, key, kept, why, None, holder)
        asked = [
            GrantToCarry(str(g.id), locks[g.id], g.starts_at, g.ends_at)
            for g in grants
            if locks.get(g.id) and not g.stale
        ]
        if kept.program.opens_nothing and {GrantId(UUID(each.grant)) for each in asked} <= boxes:
            asked = [replace(each, ends_at=each.ends_at + self._allowance) for each in asked]
        makes = [made[lock] for each in asked for lock in each.locks]
        limits = _limits(capabilities, self._zone, offline_expires_after, ahead, makes)
        name = str(key.id)
        covers = await self._covers(tx, key.system_id) if asked else Covers(())
        compiled = compile_keys(
            [KeyNow(name, key.stamp, limits)],
            [WantedGrant(each, frozenset({name})) for each in asked],
            covers,
            at=at,
        )
        if finds_no_room(compiled) and kept.program.opens_nothing and _is_ordinary(key) and told_at is None:
            keys = await self._keys_of(
                tx, key, holder, of_kind, offline_expires_after, ahead, at, also_enforced, makes
            )
            compiled = share_out(keys, asked, covers, at=at) or compiled
            cannot |= _elsewhere(compiled, name, keys)
        plan = compiled.plans[name]
        wanted = replace(_wanted(compiled, name, grants, cannot, holder), kept=kept)
        if len(compiled.plans) > 1:
            again = (each.plan_again_at for each in compiled.plans.values())
            wanted = replace(wanted, plan_again_at=min((i for i in again if i is not None), default=None))
        if kept.program.opens_nothing:
            return wanted
        both = together(kept.program, plan.program, over_the_air=capabilities.updates_over_the_air)
        if plan.program.opens_nothing or both is None:
            held = {str(g): {"why": CARRIES_STANDING, "locks": sorted(locks[g])} for g in wanted.grants}
            return replace(
                await self._only_kept(tx, key, kept, wanted.cannot | held, plan.plan_again_at, holder),
                stale=wanted.stale,
            )
        return replace(wanted, program=both, plan_again_at=_sooner(plan.plan_again_at, _own_end(kept)))

    async def follow(self, tx: Connection, key: StoredKey, reading: KeyReading, at: datetime) -> bool:
        """Take in what a reading says of rights from before; True when the key must be planned again."""
        return await self._standing.follow(tx, key, reading, at)

    async def _only_kept(
        self,
        tx: Connection,
        key: StoredKey,
        kept: Kept,
        cannot: dict[str, dict[str, Any]],
        plan_again_at: datetime | None,
        holder: PersonId | None,
    ) -> Wanted:
        keeps = not kept.program.opens_nothing
        return Wanted(
            kept.program,
            (),
            cannot,
            _sooner(plan_again_at, _own_end(kept)),
            holder,
            kept=kept,
            left_alone=keeps and not kept.changed and await self._standing.is_left_alone(tx, key.id),
        )

    async def _with_ways(
        self,
        tx: Connection,
        key: StoredKey,
        holder: PersonId,
        cannot: Mapping[str, dict[str, Any]],
        at: datetime,
    ) -> dict[str, dict[str, Any]]:
        """Add to each grant that stays out what would help, the cheapest first."""
        if not cannot:
            return {}
        others = await self._other_keys(tx, key, holder, at)
        found = {}
        for grant, why in cannot.items():
            ways: list[WayOut] = list(why.get(_WAYS, ()))
            if why["why"] == ON_OTHER_KEY:
                found[grant] = why
                continue
            if why["why"] in _OF_THE_KEY:
                ways += ways_of_key(grant, others)
            elif why["why"] != NOT_ENFORCED:
                ways += [way for way in ways_of_key(grant, others) if way.key is not None]
            ways.sort(key=lambda way: way.cost)
            found[grant] = why | {_WAYS: [way.as_json() for way in ways]}
        return found

    async def _keys_of(
        self,
        tx: Connection,
        key: StoredKey,
        holder: PersonId,
        of_kind: OfKind,
        offline_expires_after: timedelta,
        ahead: timedelta,
        at: datetime,
        also: Collection[ZoneId],
        makes: Sequence[Make],
    ) -> list[KeyNow]:
        """Return the holder's keys of the system that carry what he may open, this one among them, as they are."""
        found = []
        for row in await tx.fetch(_SQL["keys_of_person"], holder, at):
            each, can = key_of(row), of_kind(KeyKind(row["kind"]))
            if each.system_id != key.system_id or not _is_ordinary(each) or not can.can_write:
                continue
            kept = await self._standing.now(tx, each, at, also=also)
            if not kept.program.opens_nothing or await tx.fetchval(_DESK["told_at"], each.id) is not None:
                continue
            target = await tx.fetchrow(_SQL["find_target"], each.id)
            found.append(
                KeyNow(
                    str(each.id),
                    each.stamp,
                    _limits(can, self._zone, offline_expires_after, ahead, makes),
                    program_of(target["desired"]) if target is not None else None,
                    can.updates_over_the_air,
                )
            )
        return found

    @staticmethod
    async def _other_keys(tx: Connection, key: StoredKey, holder: PersonId, at: datetime) -> list[OtherKey]:
        """Return the holder's other keys of the system that are in order, with the grants asked for on them."""
        found = []
        for row in await tx.fetch(_SQL["keys_of_person"], holder, at):
            other = key_of(row)
            if other.id == key.id or other.system_id != key.system_id or other.blocked_at or other.deleted:
                continue
            target = await tx.fetchrow(_SQL["find_target"], other.id)
            carries = frozenset(map(str, target["grants"])) if target is not None else frozenset[str]()
            found.append(OtherKey(str(other.id), other.stamp, carries, other.kind in _BY_AIR))
        return found

    async def _covers(self, tx: Connection, system_id: KeySystemId) -> Covers:
        """Return the rights of a key system; read again only when one changed."""
        version = await tx.fetchval(_SQL["rights_version"], system_id) or 0
        known = self._catalogues.get(system_id)
        if known is None or known[0] != version:
            rows = await tx.fetch(_SQL["rights_of_system"], system_id)
            known = self._catalogues[system_id] = (version, Covers(right_of(row) for row in rows))
        return known[1]

    async def _locks(
        self,
        tx: Connection,
        system_id: KeySystemId,
        grants: Sequence[HeldGrant],
        at: datetime,
        also: Collection[ZoneId] = (),
    ) -> tuple[dict[GrantId, frozenset[str]], dict[str, dict[str, Any]], frozenset[GrantId], dict[str, Make]]:
        """Return each grant's locks in this system, leaving out zones that are not enforced yet.

        Then the grants that run for lock boxes only and are not held already: a hold is prolonged by itself. Last, by lock,
        its make.
        """
        if not grants:
            return {}, {}, frozenset(), {}
        wanted = sorted({c for grant in grants for c in grant.cylinders})
        facts = await cylinder_facts(tx, wanted, at=at)
        rows = await tx.fetch(_SQL["locks_of_cylinders"], system_id, wanted)
        by_cylinder: dict[CylinderId, str] = {row["cylinder_id"]: row["external_id"] for row in rows}
        made: dict[str, Make] = {row["external_id"]: (row["family"] or "", row["firmware"]) for row in rows}
        locks: dict[GrantId, frozenset[str]] = {}
        cannot: dict[str, dict[str, Any]] = {}
        for grant in grants:
            enforced = {
                c
                for c in grant.cylinders
                if c in facts and (facts[c].zone_mode == "enforce" or facts[c].zone_id in also)
            }
            here = {c for c in enforced if c in by_cylinder}
            locks[grant.id] = frozenset(by_cylinder[c] for c in here)
            watched = grant.cylinders - enforced
            if watched:
                cannot[str(grant.id)] = {"why": NOT_ENFORCED, "cylinders": [str(c) for c in sorted(watched)]}
        boxes = frozenset(
            grant.id
            for grant in grants
            if not grant.held
            and all(c in facts and facts[c].safety_role == "lock_box" for c in grant.cylinders)
        )
        return locks, cannot, boxes, made


def _limits(
    capabilities: KeyCapabilities,
    zone: ZoneInfo,
    offline_expires_after: timedelta,
    deliver_ahead: timedelta,
    makes: Iterable[Make],
) -> KeyLimits:
    slots = capabilities.program_slots
    longest, shortest = capabilities.max_offline_expiry, capabilities.min_offline_expiry
    wanted = max(offline_expires_after, shortest) if shortest is not None else offline_expires_after
    return KeyLimits(
        grid=capabilities.grid,
        zone=ZoneInfo(capabilities.time_zone) if capabilities.time_zone else zone,
        free_slots=min(slots, iloq_slots(makes)) if capabilities.slots_by_lock else slots,
        max_rights=capabilities.max_rights,
        offline_expires_after=min(wanted, longest) if longest is not None else None,
        deliver_ahead=deliver_ahead,
        one_by_one=capabilities.rights_by_visits,
    )


def _wanted(
    compiled: Compiled,
    name: str,
    grants: Sequence[HeldGrant],
    cannot: Mapping[str, dict[str, Any]],
    holder: PersonId,
) -> Wanted:
    plan = compiled.plans[name]
    stays = {
        grant: {"why": str(each.cannot.why), "locks": sorted(each.cannot.locks), _WAYS: each.ways}
        for grant, each in compiled.cannot.items()
    }
    return Wanted(
        program=plan.program,
        grants=tuple(GrantId(g.id) for g in grants if str(g.id) in plan.carried),
        cannot=dict(cannot) | stays,
        plan_again_at=plan.plan_again_at,
        holder=holder,
        stale=tuple(sorted({g.unit for g in grants if g.stale})),
    )


def _is_ordinary(key: StoredKey) -> bool:
    return not (key.emergency or key.deleted or key.blocked_at or key.adopted_at is None)


def _elsewhere(compiled: Compiled, name: str, keys: Sequence[KeyNow]) -> dict[str, dict[str, Any]]:
    """Say of each grant that another of the keys carries which one that is."""
    known = {key.key: key for key in keys}
    return {
        grant: {
            "why": ON_OTHER_KEY,
            "locks": [],
            _WAYS: [
                WayOut(
                    Way.OTHER_KEY, 0 if known[other].by_air else 1, key=other, stamp=known[other].stamp
                ).as_json()
            ],
        }
        for grant, other in compiled.carried.items()
        if other != name
    }


def _own_end(kept: Kept) -> datetime | None:
    return kept.program.ends_at if kept.program.renews_until is None else None


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
