"""Who may open what: the projection that answers at once, kept beside every change of what may be on a key."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from key2xs.core.database import Connection, the_row
from key2xs.core.ids import CylinderId, GrantId, KeySystemId, PersonId
from key2xs.core.sql import load_queries
from key2xs.grants.reads import get_lease
from key2xs.ledger import Entry, Lane, Ledger

from .adoption.standing import Standing
from .exposure_map import ExposureMap
from .exposure_types import (
    DEFAULT_SETTINGS,
    Exposure,
    ExposureKind,
    ExposureSettings,
    KeyOnRecord,
    WorksUntil,
    possible_programs,
)
from .exposure_what_if import if_ordered_empty
from .port import ProgrammingState
from .program import ProgramOnDevice
from .registry import lock_of
from .reopening.reads import broken_of
from .reopening.rules import Broken, Cause, reopened
from .targets import Targets
from .types import MayOpen, StoredKey, Target
from .wire import ended_at_of, offline_updates_of

_SQL = load_queries("key2xs.keys")
_VISITS = load_queries("key2xs.keys", "queries_visits.sql")
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pair:
    """The answer for one key at one cylinder, with everything it rests on."""

    cylinder_id: CylinderId | None
    lock: str
    exposure: Exposure
    works_until: WorksUntil
    grant_id: GrantId | None


@dataclass(frozen=True, slots=True)
class KeyExposure:
    """The answers for one key. `at` is the worst of them; None with *no bound* or when nothing may open."""

    key: StoredKey
    person_id: PersonId | None
    as_of: datetime | None
    pairs: tuple[Pair, ...]

    @property
    def kind(self) -> ExposureKind:
        """The worst answer of all cylinders."""
        order = list(ExposureKind)
        kinds = [pair.exposure.kind for pair in self.pairs]
        return max(kinds, key=order.index) if kinds else ExposureKind.PROVEN_END

    @property
    def at(self) -> datetime | None:
        """The latest instant at which the key could open any of its cylinders."""
        ends = [pair.exposure.at for pair in self.pairs]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None


@dataclass(frozen=True, slots=True)
class KnownKey:
    """All that is known of one key, read once: its record, the grants that allow it, findings, and its system's locks."""

    key: StoredKey
    person_id: PersonId | None
    record: KeyOnRecord
    allowed: Mapping[str, str]
    broken: tuple[Broken, ...]
    places: ExposureMap
    cylinders: Mapping[str, CylinderId]

    def answer(self, what_if: Callable[[KeyOnRecord], KeyOnRecord] | None = None) -> KeyExposure:
        """Answer for every cylinder that a program possibly on the key opens; with `what_if`, as if that had happened."""
        record = self.record if what_if is None else what_if(self.record)
        broken = [each for each in self.broken if not each.is_over(record)]
        pairs = [
            Pair(
                self.cylinders.get(lock),
                lock,
                reopened(group.exposure, lock, broken),
                self.places.works_until(record, lock),
                GrantId(UUID(self.allowed[lock])) if lock in self.allowed else None,
            )
            for group in self.places.of_key(record, allowed=self.allowed, also=_opened_against_proof(broken))
            for lock in group.locks
        ]
        pairs.sort(key=lambda pair: pair.lock)
        return KeyExposure(self.key, self.person_id, record.as_of, tuple(pairs))


@dataclass(frozen=True, slots=True)
class _Row:
    person_id: PersonId | None
    grant_id: GrantId | None
    basis: str | None
    allowed_until: datetime | None
    kind: str
    exposed_until: datetime
    works_until: datetime | None
    """Until when it surely goes on opening; None: not sure even now."""


class Openers:
    """Keeps and reads the projection."""

    def __init__(self, ledger: Ledger, targets: Targets, settings: Mapping[str, ExposureSettings]) -> None:
        """`settings` by the name of the key system."""
        self._ledger, self._targets, self._settings = ledger, targets, settings
        self._standing = Standing(ledger)
        self._maps: dict[tuple[KeySystemId, int], tuple[ExposureMap, dict[str, CylinderId]]] = {}

    async def refresh(
        self,
        tx: Connection,
        key: StoredKey,
        at: datetime,
        *,
        target: Target | None = None,
        programs: Sequence[ProgramOnDevice] | None = None,
    ) -> bool:
        """Bring the rows of one key in line with what may be on it; False when they were.

        Whoever has the target and the programs in hand, as they are in this transaction, spares reading them again.
        """
        about = await the_row(tx, _SQL["about_openers"], key.id, key.system_id, at)
        answer = (await self._known(tx, key, about, target, programs)).answer()
        wanted = await self._rows(tx, answer)
        rows = await tx.fetch(_SQL["openers_of_key"], key.id) if about["answered"] else []
        current = {row["cylinder_id"]: row for row in rows}
        gone = [c for c, row in current.items() if c not in wanted or _stored(row) != wanted[c]]
        new = {c: row for c, row in wanted.items() if c not in current or _stored(current[c]) != row}
        if not gone and not new:
            return False
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:exposure:state",
                occurred_at=at,
                recorded_at=at,
                actor="system:keys",
                subjects=(key.subject,),
                heads=(f"openers:{key.id}",),
                body={
                    "kind": str(answer.kind),
                    "at": answer.at.isoformat() if answer.at else None,
                    "cylinders": [
                        {"cylinder": str(c), "kind": row.kind, "until": _shown(row.exposed_until)}
                        for c, row in sorted(new.items())
                    ],
                    "ended": [str(c) for c in sorted(gone) if c not in wanted],
                },
                lane=Lane.BULK,
            ),
        )
        if gone:
            await tx.execute(_SQL["close_openers"], key.id, gone, at, entry)
        for cylinder, row in sorted(new.items()):
            await tx.execute(
                _SQL["insert_opener"], cylinder, key.id, at, row.person_id, row.grant_id, row.basis,
                row.allowed_until, row.kind, row.exposed_until, entry, row.works_until,
            )  # fmt: skip
        return True

    async def exposure_of(
        self,
        tx: Connection,
        key: StoredKey,
        at: datetime,
        *,
        as_if_revoked: bool = False,
        also_broken: Sequence[Broken] = (),
    ) -> KeyExposure:
        """Answer for every cylinder that a program possibly on the key opens.

        `as_if_revoked` answers as if all grants ended at `at` and the vendor took the order for the empty program
        at once: how fast could the key be revoked? What rests on an assumption that a finding broke counts as
        no bound; `also_broken` are findings that are not stored yet.
        """
        known = await self.known_of(tx, key, at)
        if as_if_revoked:
            known = replace(known, record=if_ordered_empty(known.record, at), allowed={})
        return replace(known, broken=(*known.broken, *also_broken)).answer()

    async def known_of(self, tx: Connection, key: StoredKey, at: datetime) -> KnownKey:
        """Return all that is known of a key now; answers out of it cost no further reading."""
        about = await the_row(tx, _SQL["about_openers"], key.id, key.system_id, at)
        return await self._known(tx, key, about, None, None)

    async def _known(
        self,
        tx: Connection,
        key: StoredKey,
        about: asyncpg.Record,
        target: Target | None,
        programs: Sequence[ProgramOnDevice] | None,
    ) -> KnownKey:
        places, cylinders = await self._map(tx, key.system_id, about["version"])
        record, allowed = await self._record(tx, key, about["read_at"], target, programs)
        broken = await broken_of(tx, key.system_id, key.id)
        return KnownKey(key, about["holder"], record, allowed, broken, places, cylinders)

    async def locks_of(self, tx: Connection, key: StoredKey, at: datetime) -> frozenset[str]:
        """Return every lock that a program possibly in the key opens, limits aside."""
        known = await self.known_of(tx, key, at)
        return known.places.opens(known.record)

    async def may_open(self, tx: Connection, cylinder_id: CylinderId, at: datetime) -> list[MayOpen]:
        """Return the keys that could open a cylinder at an instant, as known now."""
        rows = await tx.fetch(_SQL["may_open"], cylinder_id, at)
        return [
            MayOpen(
                cylinder_id=row["cylinder_id"],
                key_id=row["key_id"],
                stamp=row["stamp"],
                person_id=row["person_id"],
                grant_id=row["grant_id"],
                basis=row["basis"],
                since=row["since"],
                allowed_until=row["allowed_until"],
                kind=row["kind"],
                exposed_until=stored_end(row["exposed_until"]),
            )
            for row in rows
        ]

    async def _rows(self, tx: Connection, answer: KeyExposure) -> dict[CylinderId, _Row]:
        rows: dict[CylinderId, _Row] = {}
        is_mapped = any(pair.cylinder_id is not None for pair in answer.pairs)
        kept = await self._kept_locks(tx, answer.key) if is_mapped else frozenset()
        for pair in answer.pairs:
            if pair.cylinder_id is None:
                continue
            lease = await get_lease(tx, pair.grant_id) if pair.grant_id else None
            rows[pair.cylinder_id] = _Row(
                person_id=answer.person_id,
                grant_id=pair.grant_id,
                basis=lease.basis_kind if lease else _basis_without_grant(answer.key, pair.lock in kept),
                allowed_until=lease.ends_at if lease else None,
                kind=str(pair.exposure.kind),
                exposed_until=pair.exposure.at or FOR_EVER,
                works_until=_sure_until(pair.works_until, answer.as_of),
            )
        return rows

    async def _kept_locks(self, tx: Connection, key: StoredKey) -> frozenset[str]:
        if key.adopted_at is None or not (kept := (await self._standing.kept_of(tx, key.id)).rights):
            return frozenset()
        version = await tx.fetchval(_SQL["locks_version"], key.system_id)
        places, _ = await self._map(tx, key.system_id, version)
        return places.locks_of(kept)

    async def _record(
        self,
        tx: Connection,
        key: StoredKey,
        read_at: datetime | None,
        target: Target | None,
        noted: Sequence[ProgramOnDevice] | None,
    ) -> tuple[KeyOnRecord, dict[str, str]]:
        target = target or await self._targets.find(tx, key.id)
        programs = possible_programs(noted if noted is not None else await self._targets.programs(tx, key.id))
        reading = (target.reading if target else None) or {}
        allowed: dict[str, str] = {}
        if target is not None and target.grants and not target.block:
            rows = await tx.fetch(_SQL["locks_of_grants"], key.system_id, list(target.grants))
            allowed = {row["external_id"]: str(row["grant_id"]) for row in rows}
        reached: dict[str, datetime] = {}
        if key.blocked_at is not None:
            rows = await tx.fetch(_VISITS["reached_locks"], key.id)
            reached = {row["lock_external_id"]: row["since"] for row in rows}
        updated_at = reading.get("last_update_at")
        return (
            KeyOnRecord(
                vendor_key=key.external_id,
                kind=key.kind,
                programs=programs,
                programming_state=ProgrammingState(str(reading.get("state", "unknown"))),
                as_of=read_at or datetime.min.replace(tzinfo=UTC),
                was_empty_before=bool(reading) and "on_device" in reading and reading["on_device"] is None,
                hidden_rights=not reading.get("outside_visible", True),
                blocked_at=key.blocked_at,
                block_list_reached=reached,
                ended_at=ended_at_of(reading.get("ended_at")),  # type: ignore[arg-type]
                last_update_at=datetime.fromisoformat(updated_at) if isinstance(updated_at, str) else None,
                offline_updates=offline_updates_of(reading.get("offline_updates")),  # type: ignore[arg-type]
            ),
            allowed,
        )

    async def _map(
        self, tx: Connection, system_id: KeySystemId, version: int | None
    ) -> tuple[ExposureMap, dict[str, CylinderId]]:
        version = version or 0
        found = self._maps.get((system_id, version))
        if found is None:
            rows = await tx.fetch(_SQL["locks_of_system"], system_id)
            name = await tx.fetchval(_SQL["system_name"], system_id)
            cylinders = {row["external_id"]: row["cylinder_id"] for row in rows if row["cylinder_id"]}
            settings = self._settings.get(name, DEFAULT_SETTINGS)
            found = (ExposureMap([lock_of(row) for row in rows], settings=settings), cylinders)
            self._maps = {place: kept for place, kept in self._maps.items() if place[0] != system_id}
            self._maps[system_id, version] = found
        return found


def stored_end(until: datetime) -> datetime | None:
    """Return a stored end, None for one that never comes.

    The driver writes `FOR_EVER` as PostgreSQL's infinity and reads infinity back without a time zone.
    """
    return None if until.replace(tzinfo=UTC) >= FOR_EVER else until


def _stored(row: asyncpg.Record) -> _Row:
    return _Row(
        row["person_id"],
        row["grant_id"],
        row["basis"],
        row["allowed_until"],
        row["kind"],
        stored_end(row["exposed_until"]) or FOR_EVER,
        (stored_end(row["works_until"]) or FOR_EVER) if row["works_until"] is not None else None,
    )


def _opened_against_proof(broken: Sequence[Broken]) -> list[str]:
    """Return locks that the key opened although nothing that was known to be in it opens them."""
    return [each.lock for each in broken if each.cause is Cause.OPENING and each.lock is not None]


def _sure_until(works: WorksUntil, as_of: datetime | None) -> datetime | None:
    """Return what is stored: a promise that reaches no further than the reading itself is none."""
    if works.at is None:
        return FOR_EVER
    return None if works.at == as_of else works.at


def _basis_without_grant(key: StoredKey, kept: bool) -> str | None:  # noqa: FBT001 - a yes or no
    """Name what lets a key open without a grant: a right from before our time, on a key not adopted or kept on it."""
    return "standing" if key.adopted_at is None or kept else None


def _shown(until: datetime) -> str | None:
    return None if until >= FOR_EVER else until.isoformat()
