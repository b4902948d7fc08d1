"""Who was handed which key, with certainty and in both times: when it was so, and when we knew."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import CylinderId, KeyId, KeySystemId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.types import Keys
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.policy.types import Key

from .adoption.adopting import adopt_at_desk
from .desk.certainty import BETWEEN, NOBODY_KNOWN, Custodian, how_sure
from .desk.evidence import DISPUTES, Handling
from .desk.history import Change, look, write
from .registry import Registry, key_of
from .types import StoredKey

_SQL = load_queries("key2xs.keys")
_SEALED = load_queries("key2xs.keys", "queries_sealed.sql")
_RETURNS = load_queries("key2xs.keys", "queries_returns.sql")
_DESK = load_queries("key2xs.keys", "queries_desk.sql")

_OUT_OF_USE = {
    "lost": "is reported lost; say that it was found first",
    "broken": "is reported broken; say that it was repaired first",
}


@dataclass(frozen=True, slots=True)
class CrewOf:
    """A crew that a key is handed to. `members` may leave out the leader, who answers for the key."""

    name: str
    members: frozenset[PersonId]


class Custody:
    """Handing out and taking back."""

    def __init__(self, ledger: Ledger, registry: Registry, *, between: timedelta = BETWEEN) -> None:
        """Record every act with `ledger`; so near to a change of hands as `between`, nobody is sure."""
        self._ledger, self._registry, self._between = ledger, registry, between

    async def hand_out(
        self,
        tx: Connection,
        key_id: KeyId,
        person_id: PersonId,
        *,
        actor: str,
        at: datetime,
        crew: CrewOf | None = None,
        due_at: datetime | None = None,
    ) -> StoredKey:
        """Hand a key to a person, or to the leader of a crew; the first hand-out adopts a key that holds nothing.

        Raises:
            NotFound: there is no such key.
            Conflict: it carries rights from before, somebody has it already, or it is blocked, lost, broken, replaced or deleted.
        """
        key = await self.usable(tx, key_id)
        if await self.holder_at(tx, key_id, at) is not None:
            message = f"key {key.stamp} was handed out and has not come back; take it back first"
            raise Conflict(message)
        crew_id = new_id() if crew else None
        handling = Handling(new_id(), at, "desk", "out", person_id, None, crew_id, due_at)
        entry = await self.told(
            tx, "keys:custody:hand_out", key, handling, actor=actor, at=at, crew=crew, due=_iso(due_at)
        )
        if key.adopted_at is None:
            await adopt_at_desk(tx, key, at, entry)
        return await self._registry.get_key(tx, key_id)

    async def pass_on(
        self,
        tx: Connection,
        key_id: KeyId,
        receiver: PersonId,
        *,
        actor: str,
        at: datetime,
        due_at: datetime | None = None,
        reason: str = "",
    ) -> PersonId:
        """Pass a key from whoever has it to somebody else, without the desk in between; returns who had it.

        Nothing that its giver may open goes along: what it opens next follows from what the receiver may.

        Raises:
            NotFound: there is no such key.
            Conflict: nobody has it, the receiver has it, or it is not fit for use.
        """
        key = await self.usable(tx, key_id)
        giver = await self.holder_at(tx, key_id, at)
        if giver is None:
            message = f"key {key.stamp} was not handed out; hand it out at the desk"
            raise Conflict(message)
        if giver == receiver:
            message = f"key {key.stamp} is with that person already"
            raise Conflict(message)
        handling = Handling(new_id(), at, "desk", "out", receiver, giver, None, due_at)
        said: dict[str, Any] = {"reason": reason} if reason else {}
        await self.told(
            tx, "keys:custody:transfer", key, handling, actor=actor, at=at, due=_iso(due_at), **said
        )
        return giver

    async def take_back(
        self, tx: Connection, key_id: KeyId, *, actor: str, at: datetime, reason: str = ""
    ) -> PersonId:
        """Take a key back; returns who had it.

        Raises:
            NotFound: there is no such key.
            Conflict: nobody has it.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        holder = await self.holder_at(tx, key_id, at)
        if holder is None:
            message = f"key {key.stamp} was not handed out"
            raise Conflict(message)
        handling = Handling(new_id(), at, "desk", "back", holder)
        said: dict[str, Any] = {"reason": reason} if reason else {}
        await self.told(tx, "keys:custody:take_back", key, handling, actor=actor, at=at, **said)
        return holder

    async def told(
        self,
        tx: Connection,
        kind: str,
        key: StoredKey,
        handling: Handling,
        *,
        actor: str,
        at: datetime,
        crew: CrewOf | None = None,
        mark: str | None = None,
        known_before: bool = False,
        also: Iterable[str] = (),
        **body: Any,
    ) -> int:
        """Take in one word about a key: its entry, the word itself, and the custodies that follow from it."""
        await self._ledger.lock_heads(tx, [key.subject])
        change = await look(tx, key.id, handling, known_before=known_before)
        said = {name: value for name, value in body.items() if value is not None}
        if crew is not None:
            said["crew"] = crew.name
        if change.clashes:
            said["does_not_fit"] = [clash.kind for clash in change.clashes]
        entry = await self._tell(
            tx, kind, key, change.persons, actor, at, occurred_at=handling.at, also=also, **said
        )
        if crew is not None and handling.crew_id is not None:
            await self._write_crew(tx, key.id, handling.crew_id, handling.person_id, crew, entry)
        await write(tx, change, entry, told_at=at, actor=actor, mark=mark)
        return entry

    async def look(self, tx: Connection, key: StoredKey, handling: Handling) -> Change:
        """Return what a word would change; changes nothing."""
        return await look(tx, key.id, handling)

    async def usable(self, tx: Connection, key_id: KeyId) -> StoredKey:
        """Lock a key and return it if it is fit to be handed to somebody.

        Raises:
            NotFound: there is no such key.
            Conflict: it is blocked, lost, broken, replaced, kept under seal or deleted.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        row = await tx.fetchrow(_DESK["out_of_use"], key_id)
        if row is not None:
            why = _OUT_OF_USE[row["kind"]] if row["ended_at"] is None else "was replaced by another one"
            message = f"key {key.stamp} {why}"
            raise Conflict(message)
        if key.blocked_at is not None or key.deleted:
            message = f"key {key.stamp} is blocked or no longer in use; hand out another one"
            raise Conflict(message)
        if await tx.fetchval(_RETURNS["is_returning"], key_id):
            message = f"key {key.stamp} is being handed back at its maker; hand out another one"
            raise Conflict(message)
        if await tx.fetchval(_SEALED["under_seal"], key_id):
            message = f"key {key.stamp} is kept under seal for emergencies; it is taken by breaking the seal"
            raise Conflict(message)
        return key

    async def holder_at(self, tx: Connection, key_id: KeyId, at: datetime) -> PersonId | None:
        """Return who had a key at an instant, as known now."""
        holder: PersonId | None = await tx.fetchval(_SQL["holder_at"], key_id, at)
        return holder

    async def custodian_at(self, tx: Connection, key_id: KeyId, at: datetime | None) -> Custodian:
        """Return who had a key at an instant, as known now, and how sure that is."""
        if at is None:
            return NOBODY_KNOWN
        return (await self.custodians_at(tx, [(key_id, at)]))[0]

    async def custodians_at(self, tx: Connection, asked: Sequence[tuple[KeyId, datetime]]) -> list[Custodian]:
        """Return who had each of many keys at an instant, in the order asked."""
        if not asked:
            return []
        keys, instants = zip(*asked, strict=True)
        return [
            how_sure(
                row["person_id"],
                crew_size=row["crew_size"],
                lost=row["lost"],
                changing=row["changing"],
                disputed=row["disputed"],
                in_cabinet=(row["last_kind"], row["last_source"]) == ("back", "cabinet"),
            )
            for row in await tx.fetch(_DESK["custodies_at"], keys, instants, self._between, DISPUTES)
        ]

    async def keys_of(self, tx: Connection, person_id: PersonId, at: datetime) -> list[StoredKey]:
        """Return the keys a person had at an instant, as known now."""
        return [key_of(row) for row in await tx.fetch(_SQL["keys_of_person"], person_id, at)]

    async def key_of(
        self, tx: Connection, person_id: PersonId, cylinders: Collection[CylinderId], at: datetime
    ) -> Keys:
        """Tell policy about the keys that would carry a grant; the best of each system, one without fault first.

        A person without a key may hold a grant: it waits for the key desk.
        """
        keys = await self.keys_of(tx, person_id, at)
        if not keys:
            return Keys(Key(id="", kind="none", blocked="no"))
        rows = await tx.fetch(_DESK["reported_at"], [key.id for key in keys], at)
        reported = {KeyId(row["key_id"]): f"key {row['stamp']} is reported {row['kind']}" for row in rows}
        ranks = {key.id: (_is_blocked(key, at), key.id in reported) for key in keys}
        keys.sort(key=lambda key: (ranks[key.id], key.id))
        elsewhere = await self._worse_keys(tx, keys, ranks, cylinders)
        chosen = {key.id for key in (keys[0], *elsewhere.values())}
        return Keys(
            _policy_key(keys[0], at),
            {cylinder: _policy_key(key, at) for cylinder, key in elsewhere.items()},
            {str(key): why for key, why in reported.items() if key in chosen},
        )

    async def _worse_keys(
        self,
        tx: Connection,
        keys: Sequence[StoredKey],
        ranks: Mapping[KeyId, tuple[bool, bool]],
        cylinders: Collection[CylinderId],
    ) -> dict[CylinderId, StoredKey]:
        """Return the cylinders whose own system's best key is worse than the best of all, each with that key."""
        best: dict[KeySystemId, StoredKey] = {}
        for key in keys:  # the best first
            best.setdefault(key.system_id, key)
        found: dict[CylinderId, StoredKey] = {}
        for system, key in sorted(best.items()):
            if ranks[key.id] > ranks[keys[0].id]:
                found |= dict.fromkeys(await self._registry.locked_by(tx, system, cylinders), key)
        return found

    async def can_carry(
        self, tx: Connection, person_id: PersonId, cylinders: Collection[CylinderId], at: datetime
    ) -> frozenset[CylinderId]:
        """Tell the safety rules which cylinders a person's keys that are not blocked could open: their makers' own."""
        systems = {key.system_id for key in await self.keys_of(tx, person_id, at) if not _is_blocked(key, at)}
        parts = [await self._registry.locked_by(tx, system, cylinders) for system in sorted(systems)]
        return frozenset[CylinderId]().union(*parts)

    async def block(
        self, tx: Connection, key_id: KeyId, *, reason: str, actor: str, at: datetime
    ) -> StoredKey:
        """Put a key on the wish list for blocking (lost, stolen, killed); the reconciler carries it out.

        Raises:
            NotFound: there is no such key.
            Conflict: an emergency key (S1) or one that is blocked already. One that is coming off the list stays on it.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        if key.emergency:
            message = f"key {key.stamp} is an emergency key; those never enter a block list (S1)"
            raise Conflict(message)
        if key.blocked_at is not None and key.unblock_asked_at is None:
            message = f"key {key.stamp} is blocked already"
            raise Conflict(message)
        holder = await self.holder_at(tx, key_id, at)
        entry = await self._tell(
            tx, "keys:key:block", key, (holder,) if holder else (), actor, at, reason=reason
        )
        await tx.execute(_SQL["block_key"], key_id, at, reason, entry)
        return await self._registry.get_key(tx, key_id)

    async def ask_unblock(
        self, tx: Connection, key_id: KeyId, *, reason: str, actor: str, at: datetime
    ) -> StoredKey:
        """Ask for a key to come off the block list; the reconciler carries it out, and until then it counts as blocked.

        It gives nothing back (P7): what the key kept from before Key2XS ends here, and what it opened ended with the block.

        Raises:
            NotFound: there is no such key.
            Conflict: it is not blocked, is coming off already, is reported lost or broken, was replaced, is no longer in
                use, or is in somebody's hands.
            NarrowOnly: nothing may widen at the moment.
        """
        await self._ledger.lock_heads(tx, [f"key:{key_id}"])
        key = await self._registry.get_key(tx, key_id)
        why = await self._why_no_unblock(tx, key, at)
        if why is not None:
            message = f"key {key.stamp} {why}"
            raise Conflict(message)
        await self._ledger.require_widening(tx)
        entry = await self.tell(tx, "keys:key:ask_unblock", key, actor=actor, at=at, reason=reason)
        await tx.execute(_SQL["ask_unblock"], key_id, at, entry)
        return await self._registry.get_key(tx, key_id)

    async def unblocked(self, tx: Connection, key: StoredKey, at: datetime) -> bool:
        """Note that a key is off the block list; False where it is meant to be on it after all."""
        await self._ledger.lock_heads(tx, [key.subject])
        now = await self._registry.get_key(tx, key.id)
        if now.unblock_asked_at is None:
            return False
        entry = await self.tell(tx, "keys:key:unblock", now, actor="system:keys", at=at)
        await tx.execute(_SQL["unblock_key"], key.id, entry)
        return True

    async def _why_no_unblock(self, tx: Connection, key: StoredKey, at: datetime) -> str | None:
        report = await tx.fetchrow(_DESK["out_of_use"], key.id)
        if key.blocked_at is None:
            return "is not blocked"
        if key.unblock_asked_at is not None:
            return "is coming off the block list already"
        if report is not None:
            return (
                _OUT_OF_USE[report["kind"]] if report["ended_at"] is None else "was replaced by another one"
            )
        if key.deleted:
            return "is no longer in use"
        if await self.holder_at(tx, key.id, at) is not None:
            return "is in somebody's hands; take it back first"
        return None

    async def tell(
        self,
        tx: Connection,
        kind: str,
        key: StoredKey,
        *,
        actor: str,
        at: datetime,
        also: Iterable[str] = (),
        **body: Any,
    ) -> int:
        """Record something about a key that moves it into no other hands."""
        holder = await self.holder_at(tx, key.id, at)
        return await self._tell(tx, kind, key, (holder,) if holder else (), actor, at, also=also, **body)

    async def _tell(
        self,
        tx: Connection,
        kind: str,
        key: StoredKey,
        persons: Iterable[PersonId],
        actor: str,
        at: datetime,
        *,
        occurred_at: datetime | None = None,
        also: Iterable[str] = (),
        **body: Any,
    ) -> int:
        people = tuple(f"person:{person}" for person in persons)
        return await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=occurred_at or at,
                recorded_at=at,
                actor=actor,
                subjects=(key.subject, *people, *also),
                # The holder's grants have to be decided again too: another key may now carry them.
                heads=(key.subject, *people),
                body={"stamp": key.stamp, **body},
                lane=Lane.CONTROL,
            ),
        )

    async def _write_crew(
        self,
        tx: Connection,
        key_id: KeyId,
        crew_id: UUID,
        leader: PersonId | None,
        crew: CrewOf,
        entry: int,
    ) -> None:
        if leader is None:
            raise AssertionError  # pragma: no cover - a crew's key goes to its leader
        members = sorted(crew.members | {leader})
        await tx.execute(_DESK["insert_crew"], crew_id, key_id, leader, crew.name, members, entry)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _policy_key(key: StoredKey, at: datetime) -> Key:
    return Key(id=str(key.id), kind=str(key.kind), blocked="yes" if _is_blocked(key, at) else "no")


def _is_blocked(key: StoredKey, at: datetime) -> bool:
    return key.blocked_at is not None and key.blocked_at <= at
