"""Another operator at work in the vendor's own program, behind the product's back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.iloq import blocklist, keys as key_life
from key2xs_twin.iloq.state import KeyState, ProgrammingState, TimeSlot

if TYPE_CHECKING:
    from key2xs_twin.iloq.inventory import KeySpec
    from key2xs_twin.world import World


class OutOfBand:
    """Acts of the vendor's administrator. He has Manager and a programming key: rights of any type go."""

    def __init__(self, world: World) -> None:
        self._world = world

    def change_rights(
        self,
        key_id: UUID,
        right_ids: Iterable[UUID] | None = None,
        *,
        offline_expiration_seconds: int | None = None,
        starts_lg: datetime | None = None,
        ends_lg: datetime | None = None,
        clear_dates: bool = False,
    ) -> None:
        """Edit the plan of a key; what is ``None`` stays as it is."""
        iloq = self._world.iloq
        record = iloq.state.keys[key_id]
        plan = record.plan
        if right_ids is not None:
            plan = replace(plan, right_ids=frozenset(right_ids))
        if offline_expiration_seconds is not None:
            plan = replace(plan, offline_expiration_seconds=offline_expiration_seconds)
        given = {0: starts_lg, 1: ends_lg}
        dates = {} if clear_dates else {0: plan.starts_lg, 1: plan.ends_lg}
        dates |= {number: limit for number, limit in given.items() if limit is not None}
        slots = tuple(
            TimeSlot(slot_no=number, limit_date_lg=limit)
            for number, limit in sorted(dates.items())
            if limit is not None
        )
        plan = replace(plan, slots=slots + tuple(slot for slot in plan.slots if slot.slot_no == 2))
        key_life.change_plan(iloq.state, iloq.settings, record, plan)

    def order(self, key_id: UUID) -> None:
        """Order the key's plan, with the programming key at hand."""
        iloq = self._world.iloq
        key_life.put_packet(iloq.state, iloq.state.keys[key_id], empties=False)
        iloq.tell_packet(key_id)

    def change_lock_rights(self, lock_id: UUID, right_ids: Iterable[UUID]) -> None:
        """Edit the planned rights of a lock; they reach it at the next programmer visit."""
        self._world.iloq.state.locks[lock_id].right_ids = frozenset(right_ids)

    def hand_to(self, key_id: UUID, person_id: UUID | None) -> None:
        """Book a key to another person without return."""
        record = self._world.iloq.state.keys[key_id]
        record.person_id = person_id
        record.holders.append((self._world.now, person_id))

    def block(self, key_id: UUID) -> None:
        """Put a key on the block list and order the list."""
        iloq = self._world.iloq
        blocklist.add(iloq.state, iloq.state.keys[key_id], self._world.now)
        blocklist.order(iloq.state, iloq.settings)
        iloq.tell_blocklist()

    def unblock(self, key_id: UUID) -> None:
        """Take a key off the block list and order the list."""
        iloq = self._world.iloq
        blocklist.remove(iloq.state, iloq.state.keys[key_id], self._world.now)
        blocklist.order(iloq.state, iloq.settings)
        iloq.tell_blocklist()

    def renew(self, key_id: UUID, until: datetime | None) -> None:
        """Have the server's scheduler move the key's end forward each day, for ever or until an instant."""
        iloq = self._world.iloq
        record = iloq.state.keys[key_id]
        plan = replace(record.plan, scheduler=(1, 1, 120, until))
        key_life.change_plan(iloq.state, iloq.settings, record, plan)

    def give_schedule(self, key_id: UUID, title_id: UUID, weekly: tuple[tuple[int, int, int], ...]) -> None:
        """Let the key work only in some hours of the week: week day mask, first and last millisecond of the day."""
        iloq = self._world.iloq
        record = iloq.state.keys[key_id]
        iloq.state.titles.setdefault(title_id, "Hours")
        slots = tuple(slot for slot in record.plan.slots if slot.slot_no != 2)
        slots += (TimeSlot(slot_no=2, title_id=title_id, weekly=weekly),)
        key_life.change_plan(iloq.state, iloq.settings, record, replace(record.plan, slots=slots))

    def add_key(self, spec: KeySpec) -> None:
        """Take a new key into the books."""
        self._world.iloq.load(keys=[spec])

    def move_out_of_sight(self, key_id: UUID, *, back: bool = False) -> None:
        """Move a key to a zone that the interface's user does not see; or back."""
        hidden = self._world.iloq.state.out_of_sight
        (hidden.discard if back else hidden.add)(key_id)

    def delete(self, key_id: UUID) -> None:
        """Delete a key from the books. Its device does not hear of it."""
        self._world.iloq.state.keys[key_id].state = KeyState.DELETED

    def fail_programming(self, key_id: UUID) -> None:
        """A programming attempt ends in an error (state -1) until the plan is changed."""
        self._world.iloq.state.keys[key_id].programming_state = ProgrammingState.ERROR
