"""The simulated CLIQ server: one locking system, its planned state, and the doors for clients and devices.

Names and shapes of the interface are ours: the vendor's integration interface is not public. The server never looks into
a device: it knows what was planned, what it sent, and what was acknowledged or brought back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from key2xs_twin.cliq import jobs, keys as key_life
from key2xs_twin.cliq.errors import CliqError
from key2xs_twin.cliq.lists import CylinderList, Told, content, tell
from key2xs_twin.cliq.plan import in_schedule
from key2xs_twin.cliq.sessions import CliqSessions
from key2xs_twin.cliq.settings import CliqSettings
from key2xs_twin.cliq.shapes import problem
from key2xs_twin.cliq.state import (
    CliqKeyRecord,
    CliqState,
    CylinderRecord,
    EventRecord,
    GroupRecord,
    KeyGroupRecord,
    ProfileRecord,
    ProgrammingKeyRecord,
    UpdaterRecord,
    UpdateState,
)
from key2xs_twin.cliq.things import EventKind, MemoryRow
from key2xs_twin.edge import Answer
from key2xs_twin.gateway import Gateway

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from key2xs_twin.cliq.inventory import (
        AccessProfileSpec,
        CliqKeySpec,
        CliqSite,
        CylinderGroupSpec,
        CylinderSpec,
        KeyGroupSpec,
        ProgrammingKeySpec,
        UpdaterSpec,
    )
    from key2xs_twin.cliq.plan import KeyPlan
    from key2xs_twin.cliq.state import SentPlan
    from key2xs_twin.cliq.things import LoadedTask, ReadRow
    from key2xs_twin.faults import FaultPlan
    from key2xs_twin.rng import Randomness
    from key2xs_twin.time import TwinTime

PREFIX = "/cliq-sim/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class CliqRequest:
    """One HTTP request; ``path`` is what stands after ``/cliq-sim/v1/``."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    session_id: str | None = None
    if_match: str | None = None
    body: bytes = b""

    @property
    def operation(self) -> str:
        """Method and path, the form that faults match: ``PUT cliq/keys/<id>/plan``."""
        return f"{self.method} cliq/{self.path}"


class CliqDevices(Protocol):
    """Where devices appear when the server is filled."""

    def add_cylinder(self, spec: CylinderSpec) -> None:
        """A cylinder is installed."""

    def add_key(self, spec: CliqKeySpec, record: CliqKeyRecord) -> None:
        """A key exists; its device starts blank or programmed."""

    def add_updater(self, spec: UpdaterSpec) -> None:
        """An updater hangs somewhere."""

    def add_programming_key(self, spec: ProgrammingKeySpec) -> None:
        """A programming key exists."""


class CliqServer:
    """Planned state, sessions, jobs and events of one locking system."""

    def __init__(
        self,
        time: TwinTime,
        rng: Randomness,
        account: CliqSite,
        *,
        settings: CliqSettings | None = None,
        faults: FaultPlan,
    ) -> None:
        self.time = time
        self.rng = rng
        self.account = account
        self.zone = ZoneInfo(account.time_zone)
        self.settings = settings if settings is not None else CliqSettings()
        self.faults = faults
        self.gateway = Gateway("cliq", rng)
        self.sessions = CliqSessions(account, self.settings, rng)
        self.state = CliqState()
        self.calls: Counter[str] = Counter()
        self.devices: CliqDevices | None = None

    # --- filling -------------------------------------------------------------------------------------

    def load_site(self, site: CliqSite) -> None:
        """Take over a whole site."""
        self.load(
            cylinders=site.cylinders,
            groups=site.groups,
            key_groups=site.key_groups,
            profiles=site.profiles,
            keys=site.keys,
            updaters=site.updaters,
            programming_keys=site.programming_keys,
        )

    def load(
        self,
        *,
        cylinders: Iterable[CylinderSpec] = (),
        groups: Iterable[CylinderGroupSpec] = (),
        key_groups: Iterable[KeyGroupSpec] = (),
        profiles: Iterable[AccessProfileSpec] = (),
        keys: Iterable[CliqKeySpec] = (),
        updaters: Iterable[UpdaterSpec] = (),
        programming_keys: Iterable[ProgrammingKeySpec] = (),
    ) -> None:
        """Add to what the locking system holds; devices appear.

        Raises:
            ValueError: a group or a key names a cylinder that is not loaded.

        """
        state, devices = self.state, self.devices
        new = list(cylinders)
        for each in key_groups:
            state.key_groups[each.group_id] = KeyGroupRecord(
                group_id=each.group_id, name=each.name, member_ids=each.member_ids
            )
        for spec in new:
            entries = CylinderList(spec.normal_key_ids, spec.key_group_ids)
            record = CylinderRecord(spec=spec, planned=entries, programmed=entries)
            state.cylinders[spec.cylinder_id] = record
            state.note_listed(record)
        for group in groups:
            self._require_cylinders(group.member_ids, group.name)
            state.groups[group.group_id] = GroupRecord(
                group_id=group.group_id, name=group.name, member_ids=group.member_ids, writable=group.writable
            )
        state.regroup()
        for profile in profiles:
            self._require_cylinders(profile.cylinder_ids, profile.name)
            state.profiles[profile.profile_id] = ProfileRecord(
                profile_id=profile.profile_id,
                name=profile.name,
                cylinder_ids=profile.cylinder_ids,
                group_ids=profile.group_ids,
            )
        for updater in updaters:
            state.updaters[updater.updater_id] = UpdaterRecord(
                spec=updater, online=updater.network_up, seen_at=self.time.now
            )
            if devices is not None:
                devices.add_updater(updater)
        for carrier in programming_keys:
            state.programming_keys[carrier.programming_key_id] = ProgrammingKeyRecord(spec=carrier)
            if devices is not None:
                devices.add_programming_key(carrier)
        if devices is not None:
            for spec in new:
                devices.add_cylinder(spec)
        for key in keys:
            self._add_key(key)

    def _require_cylinders(self, ids: Iterable[UUID], who: str) -> None:
        missing = next((each for each in ids if each not in self.state.cylinders), None)
        if missing is not None:
            raise ValueError(f"{who}: unknown cylinder {missing}")

    def _add_key(self, spec: CliqKeySpec) -> None:
        if spec.plan is not None:
            self._require_cylinders(spec.plan.cylinder_ids, spec.serial)
            spec = replace(spec, plan=self.state.with_profiles(spec.plan))
        record = CliqKeyRecord(
            key_id=spec.key_id,
            serial=spec.serial,
            marking=spec.marking or spec.serial,
            kind=spec.kind,
            number=len(self.state.keys) + 1,
            holder=spec.holder,
            handed_out=spec.holder is not None,
            plan=spec.plan,
        )
        if spec.programmed and spec.plan is not None:
            record.confirmed, record.confirmed_revision = spec.plan, record.revision
            record.confirmed_at = record.update_at = self.time.now
            record.sent_revision, record.update_state = record.revision, UpdateState.DONE
        self.state.keys[spec.key_id] = record
        if self.devices is not None:
            self.devices.add_key(spec, record)

    # --- the client's door ---------------------------------------------------------------------------

    def answer(self, request: CliqRequest) -> Answer:
        """Carry out one request, without faults; every error is an answer."""
        from key2xs_twin.cliq.routes import dispatch

        try:
            return dispatch(self, request)
        except CliqError as error:
            return Answer(error.status, problem(error.code, error.message, error.field))

    def sees(self, cylinder_id: UUID) -> bool:
        """Whether the client's domains hold this cylinder."""
        visible = self.settings.visible_domains
        return visible is None or self.state.cylinders[cylinder_id].spec.domain in visible

    # --- the devices' door ---------------------------------------------------------------------------

    def waiting_plan(self, key_id: UUID) -> SentPlan | None:
        """What an updater has for this key."""
        return self.state.keys[key_id].sent

    def plan_taken(self, key_id: UUID, updater_id: UUID) -> None:
        """An updater hands a plan over."""
        key_life.taken(self.state.keys[key_id], updater_id, self.time.now)

    def update_failed(self, key_id: UUID) -> None:
        """The key was pulled out early."""
        key_life.failed(self.state.keys[key_id], self.time.now)

    def key_contacted(self, key_id: UUID, updater_id: UUID) -> None:
        """A key met an updater with network: revalidated, whether a plan waited or not."""
        record = self.state.keys[key_id]
        record.last_update = (self.time.now, updater_id)
        record.offline_updates_since = 0

    def acknowledge(self, key_id: UUID, revision: int, plan: KeyPlan) -> None:
        """A key tells what is in its memory."""
        key_life.acknowledge(self.state.keys[key_id], revision, plan, self.time.now)

    def offline_update_told(self, key_id: UUID, at: datetime) -> None:
        """An updater, back on the network, tells that it prolonged a key."""
        record = self.state.keys[key_id]
        if record.last_update is None or at > record.last_update[0]:
            record.offline_updates_since += 1

    def updater_seen(self, updater_id: UUID, *, online: bool) -> None:
        """An updater comes or goes."""
        record = self.state.updaters[updater_id]
        record.online, record.seen_at = online, self.time.now

    def programming_key_loads(self, programming_key_id: UUID, updater_id: UUID) -> list[LoadedTask]:
        """A programming key asks for its tasks at an updater."""
        self._programming_key_seen(programming_key_id, updater_id)
        return jobs.load(self.state, programming_key_id)

    def programming_key_returns(
        self, programming_key_id: UUID, updater_id: UUID, tried: list[LoadedTask], rows: Iterable[ReadRow]
    ) -> None:
        """A programming key is back: outcomes of tasks, and what it read from cylinders."""
        self._programming_key_seen(programming_key_id, updater_id)
        jobs.settle(self, programming_key_id, tried)
        for read in rows:
            self.receive_row(read.row, read_at=read.read_at, source="cylinder")

    def _programming_key_seen(self, programming_key_id: UUID, updater_id: UUID) -> None:
        record = self.state.programming_keys[programming_key_id]
        record.last_seen_at = self.time.now
        record.last_seen_place = self.state.updaters[updater_id].spec.place

    def cylinder_programmed(self, cylinder_id: UUID) -> None:
        """The vendor's administrator brought everything planned to a cylinder with his own programming key."""
        record = self.state.cylinders[cylinder_id]
        tell(record, Told(self.time.now, "list", None, content(self.state, record, "list")))

    def receive_row(self, row: MemoryRow, *, read_at: datetime, source: str) -> bool:
        """An event arrives now; ``False`` if it was here already."""
        if row.event_id in self.state.event_ids:
            return False
        self.state.event_ids.add(row.event_id)
        events = self.state.events
        events.append(
            EventRecord(
                row=row, seq=len(events) + 1, read_at=read_at, arrived_at=self.time.now, source=source
            )
        )
        return True

    def note(self, kind: EventKind, key_id: UUID) -> None:
        """Write an event of the system itself."""
        now = self.time.now
        event_id = self.rng.uuid("cliq event", "system", len(self.state.events))
        row = MemoryRow(event_id=event_id, kind=kind, happened_at=now, recorded_at=now, key_id=key_id)
        self.receive_row(row, read_at=now, source="system")

    def permits(self, key_id: UUID, cylinder_id: UUID, at: datetime) -> bool:
        """The answer to a key that asks at an opening: by the plan, on the server's clock."""
        record = self.state.keys[key_id]
        plan = record.plan
        if plan is None or record.retired or record.reported is not None:
            return False
        if cylinder_id not in self.state.reach(plan):
            return False
        local = at.astimezone(self.zone).replace(tzinfo=None)
        return plan.validity.allows(at) and in_schedule(plan.schedule, local)
