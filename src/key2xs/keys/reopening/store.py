"""Opening published bounds again, and closing that: one entry each, and the answers of the keys brought in line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import KeyId, KeySystemId, new_id
from key2xs.core.sql import load_queries
from key2xs.keys.exposure_types import ExposureKind
from key2xs.keys.openers import KeyExposure, Openers, stored_end
from key2xs.keys.registry import key_of
from key2xs.keys.types import StoredKey
from key2xs.ledger import Entry, Lane, Ledger, typed

from .reads import StoredBroken, list_broken
from .rules import BREAKS, PROVES, Broken, Cause

_SQL = load_queries("key2xs.keys.reopening")
_KEYS = load_queries("key2xs.keys")
_ENDED: Final = (ExposureKind.PROVEN_END, ExposureKind.BOUND, ExposureKind.NO_BOUND)


@dataclass(frozen=True, slots=True)
class Left:
    """The worst answer of what was ended, and its end; both None where nothing was."""

    kind: str | None = None
    until: datetime | None = None


class Reopenings:
    """Keeps findings that break an assumption."""

    def __init__(self, ledger: Ledger, openers: Openers) -> None:
        """Record with `ledger`; bring answers in line with `openers`."""
        self._ledger, self._openers = ledger, openers

    async def of_key(
        self, tx: Connection, key: StoredKey, found: Broken, at: datetime, *, before: Left | None = None
    ) -> bool:
        """Open again what rests on an assumption that a finding about a key breaks; False when that stands already.

        `before`: what was published, where the answers were brought in line with the finding already.
        """
        await self._ledger.lock_heads(tx, [f"reopened:{key.system_id}"])
        place = (key.system_id, key.id, found.lock, str(found.cause))
        if await tx.fetchval(_SQL["is_broken"], *place) is not None:
            return False
        if before is None:
            before = _worst(await self._openers.exposure_of(tx, key, at))
        after = _worst(await self._openers.exposure_of(tx, key, at, also_broken=(found,)))
        await self._add(tx, key.system_id, key, found, before, after, at)
        await self._openers.refresh(tx, key, at)
        return True

    async def of_lock(self, tx: Connection, system_id: KeySystemId, found: Broken, at: datetime) -> bool:
        """Open again what rests on a lock's clock, for every key; False when that stands already."""
        await self._ledger.lock_heads(tx, [f"reopened:{system_id}"])
        if await tx.fetchval(_SQL["is_broken"], system_id, None, found.lock, str(found.cause)) is not None:
            return False
        await self._add(tx, system_id, None, found, Left(), Left(), at)
        for row in await tx.fetch(_SQL["read_keys_at"], system_id, found.lock):
            await self._openers.refresh(tx, await self._key(tx, row["key_id"]), at)
        return True

    async def prove(
        self, tx: Connection, key_id: KeyId, cause: Cause, proven_at: datetime, at: datetime
    ) -> bool:
        """Close what a later reading proves to be over; False when nothing of the kind stands."""
        if cause not in PROVES:
            raise AssertionError  # pragma: no cover - no reading proves that
        rows = await tx.fetch(_SQL["provable"], key_id, [str(cause)], proven_at)
        for row in rows:
            await self._close(tx, (await list_broken(tx, only=row["id"]))[0], "proof", {}, "system:keys", at)
        return bool(rows)

    async def close(
        self, tx: Connection, broken_id: UUID, *, reason: str, actor: str, at: datetime
    ) -> StoredBroken:
        """Let a person close a finding: what it was about was looked at and put right.

        Raises:
            NotFound: there is none.
            Conflict: it is closed already.
        """
        await self._ledger.lock_heads(tx, [f"broken:{broken_id}"])
        found = await list_broken(tx, also_closed=True, only=broken_id)
        if not found:
            raise NotFound("no such finding")
        if found[0].closed_at is not None:
            raise Conflict("it is closed already")
        await self._close(tx, found[0], "person", {"reason": typed(actor, reason)}, actor, at)
        return (await list_broken(tx, also_closed=True, only=broken_id))[0]

    async def published(self, tx: Connection, key_id: KeyId, at: datetime) -> Left:
        """Return what stood for a key just before an instant."""
        rows = await tx.fetch(_SQL["published"], key_id, at)
        return _worst_of((ExposureKind(row["kind"]), stored_end(row["exposed_until"])) for row in rows)

    async def _add(
        self,
        tx: Connection,
        system_id: KeySystemId,
        key: StoredKey | None,
        found: Broken,
        before: Left,
        after: Left,
        at: datetime,
    ) -> None:
        body = {
            "cause": str(found.cause),
            "because": found.because,
            "assumptions": sorted(BREAKS[found.cause]),
            "lock": found.lock,
            "before": _shown(before),
            "after": _shown(after),
        }
        entry = await self._record(tx, "reopen", system_id, key, body, "system:keys", at)
        await tx.execute(
            _SQL["add_broken"], new_id(), system_id, key.id if key else None, found.lock, str(found.cause),
            found.because, found.found_at, before.kind, before.until, after.kind, after.until, entry,
        )  # fmt: skip

    async def _close(
        self, tx: Connection, found: StoredBroken, by: str, body: dict[str, Any], actor: str, at: datetime
    ) -> None:
        key = await self._key(tx, found.key_id) if found.key_id is not None else None
        said = {"cause": str(found.cause), "lock": found.lock, "by": by, **body}
        entry = await self._record(tx, "settle", found.system_id, key, said, actor, at)
        await tx.execute(_SQL["close_broken"], found.id, at, by, entry)
        if key is not None:
            await self._openers.refresh(tx, key, at)
            return
        for row in await tx.fetch(_SQL["read_keys_at"], found.system_id, found.lock):
            await self._openers.refresh(tx, await self._key(tx, row["key_id"]), at)

    async def _record(
        self,
        tx: Connection,
        action: str,
        system_id: KeySystemId,
        key: StoredKey | None,
        body: dict[str, Any],
        actor: str,
        at: datetime,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:exposure:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(*((key.subject,) if key else ()), f"key_system:{system_id}"),
                body=body,
                lane=Lane.CONTROL,
            ),
        )

    async def _key(self, tx: Connection, key_id: KeyId) -> StoredKey:
        return key_of((await tx.fetch(_KEYS["find_key"], key_id, None))[0])


def _worst(answer: KeyExposure) -> Left:
    return _worst_of((pair.exposure.kind, pair.exposure.at) for pair in answer.pairs)


def _worst_of(ends: Iterable[tuple[ExposureKind, datetime | None]]) -> Left:
    ended = [(kind, until) for kind, until in ends if kind in _ENDED]
    if not ended:
        return Left()
    kind = max((kind for kind, _ in ended), key=_ENDED.index)
    if kind is ExposureKind.NO_BOUND:
        return Left(str(kind))
    return Left(str(kind), max((until for _, until in ended if until is not None), default=None))


def _shown(left: Left) -> dict[str, str | None]:
    return {"kind": left.kind, "until": left.until.isoformat() if left.until is not None else None}
