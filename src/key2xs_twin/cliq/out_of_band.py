"""Another administrator at work in the vendor's own CLIQ program, behind the product's back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from key2xs_twin.cliq import keys as key_life, lists
from key2xs_twin.cliq.plan import KeyPlan, Validity, ValidityKind, WeeklyRow
from key2xs_twin.cliq.things import EventKind

if TYPE_CHECKING:
    from key2xs_twin.cliq.inventory import CliqKeySpec
    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.state import CliqKeyRecord


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
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        revalidation_minutes: int | None = None,
        schedule: Iterable[WeeklyRow] | None = None,
    ) -> None:
        """Edit the plan of a key; what is ``None`` stays as it is."""
        record = self._server.state.keys[key_id]
        plan = record.plan if record.plan is not None else KeyPlan()
        if cylinder_ids is not None:
            plan = replace(plan, cylinder_ids=frozenset(cylinder_ids))
        if group_ids is not None:
            plan = replace(plan, group_ids=frozenset(group_ids))
        if ends_at is not None:
            starts_at = starts_at if starts_at is not None else plan.validity.starts_at
            validity = Validity(kind=ValidityKind.BETWEEN, starts_at=starts_at, ends_at=ends_at)
            plan = replace(plan, validity=validity)
        if schedule is not None:
            plan = replace(plan, schedule=tuple(schedule))
        if revalidation_minutes is not None:
            plan = replace(plan, revalidation_minutes=revalidation_minutes)
        self._plan(record, plan)

    def tie_profiles(self, key_id: UUID, profile_ids: Iterable[UUID]) -> None:
        """Tie access profiles to a key, and no others; what it has besides stays."""
        record = self._server.state.keys[key_id]
        plan = record.plan if record.plan is not None else KeyPlan()
        self._plan(record, replace(plan, profile_ids=frozenset(profile_ids)))

    def change_profile(
        self, profile_id: UUID, cylinder_ids: Iterable[UUID], group_ids: Iterable[UUID] = ()
    ) -> None:
        """Change an access profile: every key that holds it changes at its next update."""
        state = self._server.state
        state.profiles[profile_id].cylinder_ids = frozenset(cylinder_ids)
        state.profiles[profile_id].group_ids = frozenset(group_ids)
        for record in state.keys.values():
            held = record.plan is not None and profile_id in record.plan.profile_ids
            if record.plan is not None and held and not record.retired and record.reported is None:
                was = record.revision
                self._plan(record, record.plan)
                if record.revision != was and record.sent_revision is not None:
                    key_life.send(record, self._server.time.now)

    def _plan(self, record: CliqKeyRecord, plan: KeyPlan) -> None:
        whole = self._server.state.with_profiles(plan)
        key_life.change_plan(self._server.state, record, whole, lambda _: True)

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

    def change_list(
        self, cylinder_id: UUID, key_ids: Iterable[UUID], key_group_ids: Iterable[UUID] = ()
    ) -> None:
        """Plan other normal keys and key groups for a cylinder; it learns of them at the next programming visit."""
        record = self._server.state.cylinders[cylinder_id]
        lists.change(self._server, record, lists.CylinderList(frozenset(key_ids), frozenset(key_group_ids)))

    def add_key(self, spec: CliqKeySpec) -> None:
        """Take a new key into the books."""
        self._server.load(keys=[spec])

    def move_to_domain(self, cylinder_id: UUID, domain: str) -> None:
        """Move a cylinder to another domain."""
        record = self._server.state.cylinders[cylinder_id]
        record.spec = replace(record.spec, domain=domain)

    def report_lost(self, key_id: UUID) -> None:
        """Report a key lost."""
        record = self._server.state.keys[key_id]
        key_life.report(self._server.state, record, "lost", self._server.time.now)
        self._server.note(EventKind.REPORTED_LOST, key_id)

    def retire(self, key_id: UUID) -> None:
        """Take a key out of use in the books. Its device does not hear of it, and no updater serves it again."""
        self._server.state.keys[key_id].retired = True
