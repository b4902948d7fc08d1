"""Ending a key: blocking it and taking it back, without taking from safety what a rule keeps (S1, S3, S4)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId, PersonId
from key2xs.grants.holding import Kept
from key2xs.grants.mass import Affected, MassActions, is_emergency
from key2xs.keys.adoption.standing import Standing
from key2xs.keys.custody import Custody
from key2xs.keys.kill import Kill as Narrow
from key2xs.keys.registry import Registry
from key2xs.keys.types import StoredKey
from key2xs.safety import Rule, may_be_blocked


class HeldBack(Conflict):
    """A safety rule keeps a key where it is; `rule` names it, `kept` what it keeps."""

    def __init__(self, rule: Rule, why: str, kept: tuple[Kept, ...]) -> None:
        """Say which rule, and why."""
        self.rule, self.kept = rule, kept
        super().__init__(f"{why} ({rule}); two people can release it")


class KeyEnds:
    """Blocks keys, and says whether one may be taken back."""

    def __init__(
        self, mass: MassActions, narrow: Narrow, custody: Custody, registry: Registry, standing: Standing
    ) -> None:
        """Wire the rooms it works with."""
        self._mass, self._narrow, self._custody, self._registry = mass, narrow, custody, registry
        self._standing = standing

    async def affected(
        self, tx: Connection, key_id: KeyId, at: datetime
    ) -> tuple[StoredKey, Affected, list[PersonId]]:
        """Return what ends when a key is blocked, and whose it is; nothing ends for somebody with another key.

        Raises:
            NotFound: there is no such key.
            Conflict: an emergency key (S1), or one that is blocked already.
        """
        key = await self._registry.get_key(tx, key_id)
        ruling = may_be_blocked(emergency_key=key.emergency)
        if not ruling.goes:
            raise Conflict(f"key {key.stamp}: {ruling.why} ({ruling.rule})")
        if key.blocked_at is not None and key.unblock_asked_at is None:
            raise Conflict(f"key {key.stamp} is blocked already")
        holder = await self._custody.holder_at(tx, key_id, at)
        if holder is None:
            return key, Affected((), ()), []
        return key, await self._only_here(tx, key, holder, at), [holder]

    async def end(
        self,
        tx: Connection,
        key_id: KeyId,
        affected: Affected,
        *,
        reason: str,
        actor: str,
        at: datetime,
        two_people: bool,
    ) -> list[Kept]:
        """Block a key. Where a rule keeps a part of what only this key carries, all else ends and the block waits.

        Returns:
            What a rule keeps; the key is blocked when nothing is.
        """
        would = await self._mass.would_keep(tx, affected, at, two_people=two_people)
        if not would.kept:
            await self._custody.block(tx, key_id, reason=reason, actor=actor, at=at)
            await self._narrow.narrow_key(tx, key_id, at)
            return []
        kept = await self._mass.end_all(
            tx,
            affected,
            subject=f"key:{key_id}",
            reason=reason,
            actor=actor,
            at=at,
            two_people=two_people,
        )
        await self._narrow.narrow_persons(tx, affected.persons, at)
        return kept

    async def end_standing(
        self, tx: Connection, persons: Sequence[PersonId], *, reason: str, actor: str, at: datetime
    ) -> None:
        """End what the keys of these people keep from before Key2XS; an emergency key keeps it (S1)."""
        for person in sorted(set(persons)):
            for key in await self._custody.keys_of(tx, person, at):
                if not key.emergency:
                    await self._standing.end(tx, key, reason=reason, actor=actor, at=at)

    async def block_when_free(
        self, tx: Connection, key_id: KeyId, *, reason: str, actor: str, at: datetime
    ) -> bool:
        """Block a key once no rule keeps anything that only it carries; tells whether the matter is closed.

        Until then nothing new goes onto it: what its holder was given since ends as the rest did.
        """
        key = await self._registry.get_key(tx, key_id)
        holder = await self._custody.holder_at(tx, key_id, at)
        if holder is not None:
            here = await self._only_here(tx, key, holder, at)
            if any(lease.hold is not None for lease in here.leases):
                await self._end_newer(tx, key_id, here, reason=reason, actor=actor, at=at)
                return False
        if key.blocked_at is None and not key.emergency:
            await self._custody.block(tx, key_id, reason=reason, actor=actor, at=at)
            await self._narrow.narrow_key(tx, key_id, at)
        return True

    async def _end_newer(
        self, tx: Connection, key_id: KeyId, here: Affected, *, reason: str, actor: str, at: datetime
    ) -> None:
        newer = Affected(
            tuple(lease for lease in here.leases if lease.hold is None and not is_emergency(lease)), ()
        )
        if newer.leases:
            await self._mass.end_all(tx, newer, subject=f"key:{key_id}", reason=reason, actor=actor, at=at)
            await self._narrow.narrow_persons(tx, newer.persons, at)

    async def require_free(self, tx: Connection, key: StoredKey, at: datetime) -> None:
        """Refuse to take a key back, or to pass it on, while a rule keeps something that only this key carries.

        The key is in somebody's hand: taken back, it would be in nobody's.

        Raises:
            HeldBack: personal locks are still on (S3), or this is the last holder on shift (S4).
        """
        kept = await self.kept(tx, key, at)
        if kept:
            raise HeldBack(kept[0].rule, f"key {key.stamp} stays where it is: {kept[0].why}", kept)

    async def kept(self, tx: Connection, key: StoredKey, at: datetime) -> tuple[Kept, ...]:
        """Return what a rule would keep if the key were taken back now."""
        holder = await self._custody.holder_at(tx, key.id, at)
        if holder is None or key.blocked_at is not None:
            return ()
        affected = await self._only_here(tx, key, holder, at)
        return (await self._mass.would_keep(tx, affected, at)).kept

    async def _only_here(self, tx: Connection, key: StoredKey, holder: PersonId, at: datetime) -> Affected:
        others = {
            each.system_id
            for each in await self._custody.keys_of(tx, holder, at)
            if each.id != key.id and _carries(each)
        }
        if key.system_id in others:
            return Affected((), ())  # what the holder may do goes on with the other key
        affected = await self._mass.look(tx, [holder])
        leases = (*affected.leases, *affected.spared)
        if others:
            # A key of another system opens none of this one's locks; what that one opens goes on with it.
            ours = await self._registry.locked_by(tx, key.system_id, {c for x in leases for c in x.cylinders})
            parts = [(lease, lease.cylinders & ours) for lease in leases]
            leases = tuple(replace(lease, cylinders=part) for lease, part in parts if part)
        return Affected(leases, ())


def _carries(key: StoredKey) -> bool:
    """Tell whether a key can carry what its holder may do: in use, written by us, and not for emergencies only."""
    return key.adopted_at is not None and key.blocked_at is None and not key.deleted and not key.emergency
