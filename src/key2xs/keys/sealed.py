"""Emergency keys under seal: what nobody may use unseen, and everybody may use in an emergency.

Breaking a seal waits for nobody: it is noted with two people's names, afterwards if need be. What follows is not
forgotten: the key is called back, sealed anew under another number, and somebody else reviews why it was used. A key
under seal never enters a block list or a mass action (S1), and Key2XS never writes it.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.core.settings import Continuity
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger

from .custody import Custody
from .registry import Registry
from .sealed_types import SealedKey, SealState, SealUse, review_due, sealed_of, use_of

_SQL = load_queries("key2xs.keys", "queries_sealed.sql")
MOST_USES = 200
_LONGEST = 60  # characters of a seal's number or a place


class SealedKeys:
    """Sealing, checking, breaking, calling back, sealing again, reviewing."""

    def __init__(
        self, ledger: Ledger, registry: Registry, custody: Custody, settings: Continuity, zone: ZoneInfo
    ) -> None:
        """`zone` is the site's: reviews are due on working days there."""
        self._ledger, self._registry, self._custody, self._zone = ledger, registry, custody, zone
        self._recall = timedelta(minutes=settings.sealed_recall_minutes)
        self._check = timedelta(days=settings.sealed_check_days)

    async def seal(
        self, tx: Connection, key_id: KeyId, *, seal: str, place: str, actor: str, at: datetime
    ) -> SealedKey:
        """Put a key under seal for the first time; from now on it is an emergency key.

        Raises:
            NotFound: no such key.
            InvalidInput: no seal number or place, or a number that was used before.
            Conflict: somebody has the key, it is blocked, or it is under seal already.
        """
        seal, place = _text("seal", seal), _text("place", place)
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        if key.blocked_at is not None or key.deleted:
            raise Conflict(f"key {key.stamp} is blocked or no longer in use")
        if await self._custody.holder_at(tx, key_id, at) is not None:
            raise Conflict(f"key {key.stamp} is handed out; take it back before it is sealed")
        if key.adopted_at is not None:
            raise Conflict(
                f"key {key.stamp} was handed out through Key2XS, which writes it: seal a key that it never writes"
            )
        if await tx.fetchrow(_SQL["lock_sealed"], key_id):
            raise Conflict(f"key {key.stamp} is kept under seal already")
        entry = await self._tell(tx, "seal", key_id, actor, at, seal=seal, place=place)
        await self._use_number(tx, seal, key_id, entry)
        await tx.execute(_SQL["set_emergency_sealed"], key_id, entry)
        await tx.execute(_SQL["put_sealed"], key_id, seal, place, at, at + self._check, entry)
        return await self.get(tx, key_id)

    async def check(
        self, tx: Connection, key_id: KeyId, *, seal: str, actor: str, at: datetime, reason: str = ""
    ) -> SealedKey:
        """Note that somebody looked and found the seal whole, by the number that stands on it.

        Raises:
            NotFound: the key is not kept under seal.
            InvalidInput: another number is on it: then the seal was broken, and that has to be noted.
            Conflict: the seal is broken.
        """
        found = await self._lock(tx, key_id, "sealed")
        if _folded(seal) != _folded(found.seal):
            raise InvalidInput(
                "seal",
                f"key {found.stamp} is sealed under {found.seal}; if another number is on it, its seal was broken",
            )
        entry = await self._tell(tx, "check", key_id, actor, at, seal=found.seal, **_why(reason))
        await tx.execute(_SQL["set_checked"], key_id, at, at + self._check, entry)
        return await self.get(tx, key_id)

    async def break_seal(
        self,
        tx: Connection,
        key_id: KeyId,
        *,
        taken_by: PersonId,
        second: PersonId,
        reason: str,
        broken_at: datetime,
        actor: str,
        at: datetime,
    ) -> SealUse:
        """Note that a seal was broken: who took the key, who stood beside, when and why.

        Raises:
            NotFound: the key is not kept under seal.
            Conflict: its seal is broken already.
            InvalidInput: one person twice, no reason, or a time that cannot be.
        """
        found = await self._lock(tx, key_id, "sealed")
        if taken_by == second:
            raise InvalidInput("second", "is the person who took the key; name the second one who was there")
        if not reason.strip():
            raise InvalidInput("reason", "say why the seal was broken")
        if broken_at > at:
            raise InvalidInput("broken_at", "lies ahead")
        if broken_at < found.since:
            raise InvalidInput("broken_at", "lies before this seal was put on")
        use_id = new_id()
        due, review = broken_at + self._recall, review_due(broken_at, self._zone)
        entry = await self._tell(
            tx, "break", key_id, actor, at, (taken_by, second), occurred_at=broken_at, seal=found.seal,
            place=found.place, reason=reason.strip(), recall_due_at=due.isoformat(),
            review_due_at=review.isoformat(), use=str(use_id),
        )  # fmt: skip
        await tx.execute(
            _SQL["add_seal_use"], use_id, key_id, found.seal, broken_at, taken_by, second,
            await self._ledger.seal_words(actor, reason.strip()), due, review,
            entry,
        )  # fmt: skip
        await self._set(tx, found, "broken", broken_at, entry)
        return await self.get_use(tx, use_id)

    async def recall(
        self, tx: Connection, key_id: KeyId, *, actor: str, at: datetime, reason: str = ""
    ) -> SealedKey:
        """Call the key back: the emergency is over.

        Raises:
            NotFound: the key is not kept under seal.
            Conflict: its seal is whole, or it was called back before.
        """
        found = await self._lock(tx, key_id, "broken")
        entry = await self._tell(tx, "recall", key_id, actor, at, **_why(reason))
        await tx.execute(_SQL["set_recalled"], key_id, at, entry)
        await self._set(tx, found, "recalled", at, entry)
        return await self.get(tx, key_id)

    async def seal_again(
        self, tx: Connection, key_id: KeyId, *, seal: str, place: str = "", actor: str, at: datetime
    ) -> SealedKey:
        """Put the key that came back under a new seal; a review still follows.

        Raises:
            NotFound: the key is not kept under seal.
            Conflict: its seal is whole.
            InvalidInput: no number, or one that was used before.
        """
        seal = _text("seal", seal)
        found = await self._lock(tx, key_id, "broken", "recalled")
        where = _text("place", place) if place.strip() else found.place
        entry = await self._tell(tx, "seal_again", key_id, actor, at, seal=seal, place=where)
        await self._use_number(tx, seal, key_id, entry)
        await tx.execute(_SQL["set_returned"], key_id, at, seal, entry)
        await tx.execute(_SQL["set_sealed"], key_id, "sealed", seal, where, at, entry)
        await tx.execute(_SQL["set_checked"], key_id, at, at + self._check, entry)
        return await self.get(tx, key_id)

    async def review(
        self, tx: Connection, use_id: UUID, *, reviewer: PersonId, outcome: str, actor: str, at: datetime
    ) -> SealUse:
        """Note what somebody else found when looking at a use.

        Raises:
            NotFound: no such use.
            NotAllowed: the reviewer took the key or stood beside.
            InvalidInput: nothing was found.
            Conflict: reviewed before, or the key is not back.
        """
        row = await tx.fetchrow(_SQL["get_seal_use"], use_id)
        if row is None:
            raise NotFound(f"there is no use {use_id} of a sealed key")
        use = await self._use(row)
        if use.reviewed_at is not None:
            raise Conflict("it was reviewed already")
        if use.returned_at is None:
            raise Conflict(f"key {use.stamp} is not back under seal; the review follows that")
        if reviewer in {use.taken_by, use.second_id}:
            raise NotAllowed("whoever broke the seal does not review it; ask somebody else")
        if not outcome.strip():
            raise InvalidInput("outcome", "say what was found")
        entry = await self._tell(
            tx, "review", use.key_id, actor, at, (reviewer,), note=outcome.strip(), use=str(use_id)
        )
        words = await self._ledger.seal_words(actor, outcome.strip())
        await tx.execute(_SQL["set_reviewed"], use_id, at, reviewer, words, entry)
        return await self.get_use(tx, use_id)

    async def withdraw(self, tx: Connection, key_id: KeyId, *, reason: str, actor: str, at: datetime) -> None:
        """Keep a key under seal no longer; it stays an emergency key.

        Raises:
            NotFound: the key is not kept under seal.
            Conflict: its seal is broken: it comes back first.
            InvalidInput: no reason.
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        found = await self._lock(tx, key_id, "sealed")
        entry = await self._tell(tx, "withdraw", key_id, actor, at, reason=reason.strip(), seal=found.seal)
        await self._set(tx, found, "withdrawn", at, entry)

    async def all(self, tx: Connection) -> list[SealedKey]:
        """Return all keys kept under seal, by stamp."""
        return [sealed_of(row) for row in await tx.fetch(_SQL["list_sealed"], None)]

    async def get(self, tx: Connection, key_id: KeyId) -> SealedKey:
        """Return one key kept under seal.

        Raises:
            NotFound: it is not kept under seal.
        """
        row = await tx.fetchrow(_SQL["list_sealed"], key_id)
        if row is None:
            raise NotFound("this key is not kept under seal")
        return sealed_of(row)

    async def uses(
        self, tx: Connection, *, key_id: KeyId | None = None, all_of_them: bool = False
    ) -> list[SealUse]:
        """Return how seals were broken, the newest first; what is not reviewed yet unless told otherwise."""
        return [
            await self._use(row) for row in await tx.fetch(_SQL["seal_uses"], key_id, all_of_them, MOST_USES)
        ]

    async def get_use(self, tx: Connection, use_id: UUID) -> SealUse:
        """Return one use.

        Raises:
            NotFound: no such use.
        """
        row = await tx.fetchrow(_SQL["get_seal_use"], use_id)
        if row is None:
            raise NotFound(f"there is no use {use_id} of a sealed key")
        return await self._use(row)

    async def _use(self, row: Any) -> SealUse:
        read = self._ledger.read_words
        outcome = await read(row["outcome"]) if row["outcome"] is not None else None
        return use_of(row, reason=await read(row["reason"]), outcome=outcome)

    async def _lock(self, tx: Connection, key_id: KeyId, *states: SealState) -> SealedKey:
        row = await tx.fetchrow(_SQL["lock_sealed"], key_id)
        if row is None:
            raise NotFound("this key is not kept under seal")
        found = sealed_of(row)
        if found.state not in states:
            told = {
                "sealed": "is under seal",
                "broken": "is out: its seal is broken",
                "recalled": "was called back",
            }
            raise Conflict(f"key {found.stamp} {told[found.state]}")
        return found

    async def _set(
        self, tx: Connection, found: SealedKey, state: SealState, since: datetime, entry: int
    ) -> None:
        await tx.execute(_SQL["set_sealed"], found.key_id, state, found.seal, found.place, since, entry)

    async def _use_number(self, tx: Connection, seal: str, key_id: KeyId, entry: int) -> None:
        if not await tx.fetchval(_SQL["use_seal"], _folded(seal), key_id, entry):
            raise InvalidInput("seal", f"{seal} was used before; every seal has its own number")

    async def _tell(
        self,
        tx: Connection,
        action: str,
        key_id: KeyId,
        actor: str,
        at: datetime,
        people: tuple[PersonId, ...] = (),
        *,
        occurred_at: datetime | None = None,
        **body: Any,
    ) -> int:
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"keys:sealed:{action}",
                occurred_at=occurred_at or at,
                recorded_at=at,
                actor=actor,
                subjects=(f"key:{key_id}", *(f"person:{person}" for person in people)),
                heads=(f"key:{key_id}",),
                body=body,
                lane=Lane.CONTROL,
            ),
        )


def _text(field: str, said: str) -> str:
    said = said.strip()
    if not said or len(said) > _LONGEST or not said.isprintable():
        raise InvalidInput(field, f"give 1 to {_LONGEST} printable characters")
    return said


def _why(reason: str) -> dict[str, Any]:
    return {"reason": reason} if reason else {}


def _folded(seal: str) -> str:
    return "".join(seal.split()).casefold()
