"""Another administrator at work in the vendor's own CLIQ program, behind the product's back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq import keys as key_life
from key2xs_twin.cliq.plan import KeyPlan, Validity, ValidityKind
from key2xs_twin.cliq.things import EventKind

if TYPE_CHECKING:
    from key2xs_twin.cliq.server import CliqServer


class CliqOutOfBand:
    """Acts of the vendor's administrator, who sees every domain. Each raises the revision as the interface does."""

    def __init__(self, server: CliqServer) -> None:
        self._server = server

    def change_plan(
        self,
        key_id: UUID,
        cylinder_ids: Iterable[UUID] | None = None,
        *,
        group_ids: Iterable[UUID] | None = None,
        ends_at: datetime | None = None,
        revalidation_minutes: int | None = None,
    ) -> None:
        """Edit the plan of a key; what is ``None`` stays as it is."""
        record = self._server.state.keys[key_id]
        plan = record.plan if record.plan is not None else KeyPlan()
        if cylinder_ids is not None:
            plan = replace(plan, cylinder_ids=frozenset(cylinder_ids))
        if group_ids is not None:
            plan = replace(plan, group_ids=frozenset(group_ids))
        if ends_at is not None:
            plan = replace(plan, validity=Validity(kind=ValidityKind.BETWEEN, ends_at=ends_at))
        if revalidation_minutes is not None:
            plan = replace(plan, revalidation_minutes=revalidation_minutes)
        key_life.change_plan(self._server.state, record, plan, lambda _: True)

    def send(self, key_id: UUID) -> None:
        """Make the key's plan wait at the updaters."""
        key_life.send(self._server.state.keys[key_id], self._server.time.now)

    def hand_to(self, key_id: UUID, holder: str | None) -> None:
        """Book a key to another person."""
        record = self._server.state.keys[key_id]
        record.holder, record.handed_out = holder, holder is not None
        self._server.note(EventKind.HANDED_OUT if holder else EventKind.HANDED_IN, key_id)

    def change_group(self, group_id: UUID, cylinder_ids: Iterable[UUID]) -> None:
        """Plan other members for a group; a cylinder learns of it at the next programming visit."""
        self._server.state.groups[group_id].member_ids = frozenset(cylinder_ids)
        self._server.state.regroup()

    def report_lost(self, key_id: UUID) -> None:
        """Report a key lost."""
        record = self._server.state.keys[key_id]
        key_life.report(self._server.state, record, "lost", self._server.time.now)
        self._server.note(EventKind.REPORTED_LOST, key_id)

    def retire(self, key_id: UUID) -> None:
        """Take a key out of use in the books. Its device does not hear of it, and no updater serves it again."""
        self._server.state.keys[key_id].retired = True
