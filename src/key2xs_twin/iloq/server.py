"""The simulated iLOQ server: one locking system, its planned state, and the doors for API and devices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from key2xs_twin.devices.things import AuditRow
from key2xs_twin.edge import Answer
from key2xs_twin.faults import FaultPlan
from key2xs_twin.gateway import Gateway
from key2xs_twin.iloq import keys as key_life, logs, render
from key2xs_twin.iloq.errors import ApiError
from key2xs_twin.iloq.inventory import IloqSite, KeySpec, LockSpec, PersonSpec, SecurityAccessSpec, ZoneSpec
from key2xs_twin.iloq.sessions import Session, Sessions
from key2xs_twin.iloq.settings import IloqSettings
from key2xs_twin.iloq.state import (
    KeyRecord,
    KeyState,
    LockRecord,
    Packet,
    Plan,
    ProgrammingState,
    TimeSlot,
    VendorState,
)
from key2xs_twin.iloq.webhooks import Webhooks
from key2xs_twin.rng import Randomness
from key2xs_twin.time import TwinTime

API_PREFIX = "/api/v2/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One HTTP request; ``base`` is what stands before ``/api/v2/``, ``path`` what stands after it."""

    method: str
    base: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    session_id: str | None = None
    body: bytes = b""

    @property
    def operation(self) -> str:
        """Method and path, the form that faults match: ``PUT Keys/<id>/SecurityAccesses``."""
        return f"{self.method} {self.path}"


ApiAnswer = Answer


class DeviceSide(Protocol):
    """What the server can set in motion: it pushes, devices come when they can."""

    def add_key(self, spec: KeySpec, record: KeyRecord) -> None:
        """A key exists; its device starts blank or programmed."""

    def add_lock(self, spec: LockSpec) -> None:
        """A lock is installed."""

    def packet_waits(self, key_id: UUID) -> None:
        """There is a packet for this key."""

    def blocklist_waits(self) -> None:
        """There is a newer block list."""


class IloqServer:
    """Planned state, sessions and log of one locking system."""

    def __init__(
        self,
        time: TwinTime,
        rng: Randomness,
        account: IloqSite,
        *,
        settings: IloqSettings | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.time = time
        self.account = account
        self.zone = ZoneInfo(account.time_zone)
        self.settings = settings if settings is not None else IloqSettings()
        self.faults = faults if faults is not None else FaultPlan(rng)
        self.gateway = Gateway("iloq", rng)
        self.sessions = Sessions(account, self.settings, rng)
        self.state = VendorState()
        self.webhooks = Webhooks(time, rng, self.settings)
        self.calls: Counter[str] = Counter()
        self.devices: DeviceSide | None = None

    # --- filling -------------------------------------------------------------------------------------

    def load_site(self, site: IloqSite) -> None:
        """Take over a whole site."""
        self.load(
            persons=site.persons,
            keys=site.keys,
            locks=site.locks,
            security_accesses=site.security_accesses,
            zones=site.zones,
        )

    def load(
        self,
        *,
        persons: Iterable[PersonSpec] = (),
        keys: Iterable[KeySpec] = (),
        locks: Iterable[LockSpec] = (),
        security_accesses: Iterable[SecurityAccessSpec] = (),
        zones: Iterable[ZoneSpec] = (),
    ) -> None:
        """Add to what the locking system holds; devices appear for keys and locks.

        Raises:
            ValueError: a key names a right or a person, or a lock a right, that is not loaded.

        """
        state = self.state
        state.zones.update((zone.zone_id, zone.name) for zone in zones)
        state.rights.update((right.id, right) for right in security_accesses)
        state.persons.update((person.person_id, person) for person in persons)
        by_external = {person.external_person_id: person.person_id for person in state.persons.values()}
        for lock in locks:
            self._require_rights(lock.security_access_ids, lock.stamp)
            rights = frozenset(lock.security_access_ids)
            state.locks[lock.flock_id] = LockRecord(spec=lock, right_ids=rights, programmed_right_ids=rights)
            if self.devices is not None:
                self.devices.add_lock(lock)
        for spec in keys:
            self._require_rights(spec.security_access_ids, spec.stamp)
            person_id = spec.person_id
            if person_id is None and spec.person_external_id is not None:
                if spec.person_external_id not in by_external:
                    raise ValueError(f"key {spec.stamp}: unknown person {spec.person_external_id}")
                person_id = by_external[spec.person_external_id]
            self.add_key(spec, person_id)

    def _require_rights(self, right_ids: Iterable[UUID], stamp: str) -> None:
        unknown = [right_id for right_id in right_ids if right_id not in self.state.rights]
        if unknown:
            raise ValueError(f"{stamp}: unknown security access {unknown[0]}")

    def add_key(self, spec: KeySpec, person_id: UUID | None) -> KeyRecord:
        """Put a key into the books; ``spec.programmed`` means that its device carries the plan already."""
        slots = [
            TimeSlot(slot_no=number, limit_date_lg=limit)
            for number, limit in ((0, spec.starts_lg), (1, spec.ends_lg))
            if limit is not None
        ]
        plan = Plan(
            right_ids=frozenset(spec.security_access_ids),
            slots=tuple(slots),
            offline_expiration_seconds=spec.offline_expiration_seconds,
        )
        record = KeyRecord(
            key_id=spec.fnkey_id,
            stamp=spec.stamp,
            kind=spec.kind,
            number=len(self.state.keys) + 1,
            person_id=person_id,
            plan=plan,
            phone_no=spec.phone_no,
            email=spec.email,
            description=spec.description,
            zone_id=spec.zone_id,
            holders=[(self.time.now, person_id)],
        )
        if spec.programmed:
            record.programmed = plan
            record.was_programmed = True
            record.state = KeyState.HANDED_OVER
            record.programming_state = ProgrammingState.PROGRAMMED
        self.state.keys[spec.fnkey_id] = record
        if self.devices is not None:
            self.devices.add_key(spec, record)
        return record

    # --- the API's door ------------------------------------------------------------------------------

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """Carry out one API request, without faults; every error is an answer."""
        from key2xs_twin.iloq.routes import dispatch

        try:
            result = dispatch(self, request)
        except ApiError as error:
            return ApiAnswer(
                error.status, msgspec.json.encode({"Code": error.code, "Message": error.message})
            )
        return result

    def open_session(self, request: ApiRequest, *, lock_group: bool = True) -> Session:
        """The session of a request, bound to the locking system unless ``lock_group`` is false."""
        session = self.sessions.require(request.session_id, self.time.now)
        if lock_group:
            self.sessions.require_lock_group(session)
        return session

    # --- the devices' door ---------------------------------------------------------------------------

    def order_key(self, record: KeyRecord) -> None:
        """Order a key and tell its device that a packet waits."""
        key_life.order(self.state, self.settings, record)
        self.tell_packet(record.key_id)

    def tell_packet(self, key_id: UUID) -> None:
        """Push: a packet waits for this key."""
        if self.devices is not None:
            self.devices.packet_waits(key_id)

    def tell_blocklist(self) -> None:
        """Push: the block list has a new version."""
        if self.devices is not None:
            self.devices.blocklist_waits()

    def fetch(self, key_id: UUID) -> Packet | None:
        """A device asks for its packet."""
        record = self.state.keys.get(key_id)
        return key_life.fetch(record) if record is not None else None

    def acknowledge(self, key_id: UUID, number: int) -> None:
        """A device reports a packet as programmed."""
        record = self.state.keys.get(key_id)
        if record is not None:
            key_life.acknowledge(record, number)

    def receive_row(self, row: AuditRow, *, read_at: datetime) -> bool:
        """A log row arrives now; ``False`` if it was here already."""
        is_new = logs.receive(self.state, row, read_at=read_at, arrived_at=self.time.now)
        if is_new and self.webhooks.subscriptions:
            self.webhooks.tell("device_log_arrived", render.arrived_row(self.state, self.state.log[-1]))
        return is_new

    def permits(self, key_id: UUID, lock_id: UUID, at: datetime) -> bool:
        """The answer to a lock that asks at every opening: by the plan, on the server's clock."""
        record, lock = self.state.keys.get(key_id), self.state.locks.get(lock_id)
        if record is None or lock is None or not self.may_ever_open(record, lock):
            return False
        local = at.astimezone(self.zone).replace(tzinfo=None)
        starts, ends = record.plan.starts_lg, record.plan.ends_lg
        return (starts is None or local >= starts) and (ends is None or local < ends)

    def may_ever_open(self, record: KeyRecord, lock: LockRecord) -> bool:
        """Whether the plan lets this key open this lock at any time at all."""
        if record.state in key_life.GONE or self.state.blocks.is_blocked(record.key_id):
            return False
        return not record.plan.right_ids.isdisjoint(lock.right_ids)
