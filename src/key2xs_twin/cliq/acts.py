"""What people do with CLIQ keys at updaters and with programming keys: the acts that only this maker has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from key2xs_twin.cliq.things import CliqReason
from key2xs_twin.devices.things import Reason

if TYPE_CHECKING:
    from uuid import UUID

    from key2xs_twin.cliq.field import CliqField
    from key2xs_twin.devices.things import KeyDevice, LockDevice, Opening


class CliqActs:
    """Acts of a world; each happens at its present instant."""

    cliq_field: CliqField
    keys: dict[UUID, KeyDevice]
    locks: dict[UUID, LockDevice]

    def _remember(
        self, reason: Reason | CliqReason, lock_id: UUID, key_id: UUID | None, log_id: UUID | None
    ) -> Opening:
        raise NotImplementedError

    def _present_cliq(self, key_id: UUID, lock_id: UUID) -> Opening:
        field = self.cliq_field
        if key_id not in field.keys or lock_id not in field.cylinders:
            if key_id not in {*self.keys, *field.keys} or lock_id not in {*self.locks, *field.cylinders}:
                raise KeyError(f"no key {key_id} or no lock {lock_id}")
            return self._remember(Reason.OTHER_SYSTEM, lock_id, key_id, None)
        reason, row = field.present(key_id, lock_id)
        return self._remember(reason, lock_id, key_id, row.event_id)

    def present_at_updater(
        self, key_id: UUID, updater_id: UUID, *, pulled_early: bool = False, ack_lost: bool = False
    ) -> bool:
        """Hold a CLIQ key to an updater; whether it is revalidated.

        Pulled early, nothing was written; with a lost acknowledgement the plan is in the key and the server does not know.
        """
        return self.cliq_field.update(key_id, updater_id, pulled_early=pulled_early, ack_lost=ack_lost)

    def load_programming_key(self, programming_key_id: UUID, updater_id: UUID) -> int:
        """A programming key takes its tasks along; how many."""
        return self.cliq_field.load(programming_key_id, updater_id)

    def insert_programming_key(
        self, programming_key_id: UUID, cylinder_id: UUID, *, pulled_early: bool = False
    ) -> bool:
        """A programming key does its tasks in a cylinder and reads its memory; pulled early they have failed."""
        return self.cliq_field.insert(programming_key_id, cylinder_id, pulled_early=pulled_early)

    def return_programming_key(self, programming_key_id: UUID, updater_id: UUID) -> bool:
        """A programming key tells an updater what it did: only now does the vendor's server know."""
        return self.cliq_field.give_back(programming_key_id, updater_id)

    def present_foreign_key(self, cylinder_id: UUID, serial: str = "900000001") -> Opening:
        """Somebody tries a CLIQ key of another locking system."""
        row = self.cliq_field.present_foreign(serial, cylinder_id)
        return self._remember(CliqReason.FOREIGN, cylinder_id, None, row.event_id)
