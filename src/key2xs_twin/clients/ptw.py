"""An e-PTW system: permits, what people do to them, and the events it tells about.

Acts change the system's own state at once and queue one CloudEvent with the full state; `flush` sends what is queued. The
system does what its people tell it, also foolish things: judging a move is the product's part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from .permits import (
    NATIVE_STATES,
    Approval,
    CheckIn,
    GasTest,
    Isolation,
    IsolationPoint,
    Member,
    Permit,
    PersonalLock,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .webhook import Delivery, WebhookSender

EVENT_PREFIX = "com.key2xs.ptw"
DATA_SCHEMA = "urn:key2xs:ptw:v1"
EVENT_IDS = UUID(
    "5b0a7c1e-6a0e-4b0e-9a44-0d6f6a3f8f10"
)  # any fixed namespace: ids depend on the source and a count
SCHEME = "sap_floc"

JsonObject = dict[str, Any]


@dataclass(slots=True)
class PermitSystem:
    """One permit system of one site.

    Args:
        sender: where its events go.
        source: the CloudEvents source, a URI.
        site: the code that permits carry as scope.site.
        time_zone: instants are sent with this zone's offset.
    """

    sender: WebhookSender
    source: str = "urn:ptw:RTX"
    site: str = "RTX"
    time_zone: str = "Europe/Amsterdam"
    permits: dict[str, Permit] = field(default_factory=dict, init=False)
    events: list[JsonObject] = field(default_factory=list, init=False)
    sequences: dict[str, int] = field(default_factory=dict, init=False)

    async def flush(self, *, at: datetime) -> list[Delivery]:
        """Send everything that is due at `at`."""
        return await self.sender.flush(at=at)

    # --- the life of a permit ---

    def create(
        self,
        *,
        type_: str,
        area: str,
        unit: str,
        assets: Sequence[str],
        valid_from: datetime,
        valid_to: datetime,
        at: datetime,
        people: Sequence[Member] = (),
        steps: Sequence[Step] = (),
        points: Sequence[JsonObject] = (),
        work: JsonObject | None = None,
        parent: str = "",
    ) -> Permit:
        """Request a permit; asset ids are functional locations of the site."""
        number = len(self.permits) + 1
        permit = Permit(
            id=f"PTW-{at.year}-{number:04d}",
            number=f"{number:04d}",
            type=type_,
            site=self.site,
            area=area,
            unit=unit,
            valid_from=valid_from,
            valid_to=valid_to,
            assets=[{"scheme": SCHEME, "id": asset} for asset in assets],
            points=list(points),
            work=work or {"system": "sap", "order": f"{4_000_000 + number}", "operation": "0010"},
            people=list(people),
            steps=list(steps),
            parent=parent,
            cross_refs=[parent] if parent else [],
        )
        self.permits[permit.id] = permit
        self._tell(permit, "permit.requested", at)
        return permit

    def approve(self, permit_id: str, *, by: str, at: datetime, role: str = "area_authority") -> JsonObject:
        """Sign before issue."""
        permit = self.permits[permit_id]
        permit.approvals.append(Approval(role=role, ref=by, at=at))
        return self._move(permit, "approved", "permit.approved", at)

    def go_live(self, permit_id: str, *, by: str, at: datetime) -> JsonObject:
        """Issue: the issuing authority signs and work may begin."""
        permit = self.permits[permit_id]
        permit.approvals.append(Approval(role="issuing_authority", ref=by, at=at))
        return self._move(permit, "live", "permit.live", at)

    def suspend(self, permit_id: str, *, code: str, at: datetime, text: str = "") -> JsonObject:
        """Stop the work for now; code: shift_end, gas_alarm, weather, conflict, ..."""
        return self._lose(self.permits[permit_id], "suspended", "permit.suspended", code, text, at)

    def revalidate(self, permit_id: str, *, by: str, valid_to: datetime, at: datetime) -> JsonObject:
        """Make live again until `valid_to`: a new signature, and everybody still there signs on anew."""
        permit = self.permits[permit_id]
        permit.approvals.append(Approval(role="issuing_authority", ref=by, at=at))
        permit.valid_to, permit.reason = valid_to, None
        for member in permit.working():
            self._next_turn(permit, member, at)
        return self._move(permit, "live", "permit.revalidated", at)

    def hand_back(self, permit_id: str, *, at: datetime) -> JsonObject:
        """The performing authority is done: everybody signs off."""
        permit = self.permits[permit_id]
        for member in permit.working():
            member.signed_off = at
        return self._lose(permit, "handed_back", "permit.handed_back", "job_done", "", at)

    def close(self, permit_id: str, *, at: datetime) -> JsonObject:
        """Close for good."""
        return self._lose(self.permits[permit_id], "closed", "permit.closed", "job_done", "", at)

    def cancel(self, permit_id: str, *, code: str, at: datetime, text: str = "") -> JsonObject:
        """Cancel for good."""
        return self._lose(self.permits[permit_id], "cancelled", "permit.cancelled", code, text, at)

    def expire(self, permit_id: str, *, at: datetime) -> JsonObject:
        """Say that the validation ran out (this system tells; others only let the clock pass)."""
        return self._move(self.permits[permit_id], "expired", "permit.expired", at)

    def reissue(self, permit_id: str, *, valid_from: datetime, valid_to: datetime, at: datetime) -> Permit:
        """A new permit for the job of a cancelled one; nothing signed is taken over."""
        old = self.permits[permit_id]
        people = {(m.scheme, m.ref, m.role): m for m in old.people}.values()
        return self.create(
            type_=old.type,
            area=old.area,
            unit=old.unit,
            assets=[asset["id"] for asset in old.assets],
            valid_from=valid_from,
            valid_to=valid_to,
            at=at,
            people=[
                Member(ref=m.ref, role=m.role, scheme=m.scheme, company=m.company, crew=m.crew)
                for m in people
            ],
            steps=[_afresh(step) for step in old.steps],
            points=old.points,
            work=old.work,
            parent=old.id,
        )

    def change_scope(self, permit_id: str, *, assets: Sequence[str], at: datetime) -> JsonObject:
        """Change what the permit is for: the revision rises."""
        permit = self.permits[permit_id]
        permit.assets = [{"scheme": SCHEME, "id": asset} for asset in assets]
        permit.revision += 1
        permit.reason = {"code": "scope_change"}
        return self._tell(permit, "permit.changed", at)

    def set_state(self, permit_id: str, *, state: str, native_state: str, at: datetime) -> JsonObject:
        """Say any state in any words: for illegal moves and for words that nobody mapped."""
        permit = self.permits[permit_id]
        permit.state, permit.native_state = state, native_state
        return self._tell(permit, "permit.changed", at)

    # --- people and steps ---

    def sign_on(
        self,
        permit_id: str,
        ref: str,
        *,
        at: datetime,
        role: str = "",
        scheme: str = "iam",
        company: str = "",
    ) -> JsonObject:
        """A person starts on the permit; somebody who is not on it yet is added with `role`."""
        permit = self.permits[permit_id]
        turns = [m for m in permit.people if (m.scheme, m.ref) == (scheme, ref) and role in {"", m.role}]
        if turns and turns[-1].signed_on is None:
            turns[-1].signed_on = at
        elif turns:
            self._next_turn(permit, turns[-1], at)
        else:
            permit.people.append(Member(ref=ref, role=role, scheme=scheme, company=company, signed_on=at))
        return self._tell(permit, "permit.changed", at)

    def sign_off(self, permit_id: str, ref: str, *, at: datetime) -> JsonObject:
        """A person stops on the permit, in every role."""
        permit = self.permits[permit_id]
        for member in permit.working():
            if member.ref == ref:
                member.signed_off = at
        return self._tell(permit, "permit.changed", at)

    def set_step(self, permit_id: str, step_id: str, *, state: str, at: datetime) -> JsonObject:
        """A step moves: authorised, started, paused, done, cancelled."""
        permit = self.permits[permit_id]
        next(step for step in permit.steps if step.id == step_id).state = state
        return self._tell(permit, "permit.changed", at)

    # --- isolation, gas, locks, check-ins ---

    def isolate(self, permit_id: str, *, certificate: str, points: Sequence[str], at: datetime) -> JsonObject:
        """The isolating authority begins; points are asset ids of valves and switches."""
        permit = self.permits[permit_id]
        permit.isolations.append(
            Isolation(
                certificate=certificate, points=[IsolationPoint(id=each, asset=each) for each in points]
            )
        )
        return self._move(permit, "isolating", "isolation.changed", at)

    def prove_isolation(self, permit_id: str, *, by: str, at: datetime) -> JsonObject:
        """Every point is locked and proven."""
        permit = self.permits[permit_id]
        number = 0
        for isolation in permit.isolations:
            for point in isolation.points:
                number += 1
                point.state, point.verified_by, point.verified_at = "proven", by, at
                point.lock_no = f"L-{number:03d}"
        return self._move(permit, "isolated", "permit.isolated", at)

    def remove_isolation(self, permit_id: str, *, at: datetime) -> JsonObject:
        """Every point is back in service."""
        permit = self.permits[permit_id]
        for isolation in permit.isolations:
            for point in isolation.points:
                point.state = "deisolated"
        return self._move(permit, "deisolated", "permit.deisolated", at)

    def gas_test(
        self, permit_id: str, *, safe: bool, by: str, at: datetime, valid_for: timedelta = timedelta(hours=2)
    ) -> JsonObject:
        """A test result arrives; what an unsafe one does to the permit is for the receiver to decide."""
        permit = self.permits[permit_id]
        test = GasTest(at=at, result="safe" if safe else "unsafe", valid_to=at + valid_for, tester_ref=by)
        test.values = [{"gas": "LEL", "value": 0.0 if safe else 14.0, "unit": "%"}]
        permit.gas_tests.append(test)
        return self._tell(permit, "gastest.recorded", at)

    def lock_on(self, permit_id: str, box: str, ref: str, *, at: datetime) -> JsonObject:
        """A worker hangs a personal lock on the box."""
        permit = self.permits[permit_id]
        permit.lock_boxes.setdefault(box, []).append(PersonalLock(ref=ref, on_at=at))
        return self._tell(permit, "permit.changed", at)

    def lock_off(self, permit_id: str, box: str, ref: str, *, at: datetime) -> JsonObject:
        """A worker takes the personal lock off."""
        permit = self.permits[permit_id]
        for lock in permit.lock_boxes[box]:
            if lock.ref == ref and lock.off_at is None:
                lock.off_at = at
        return self._tell(permit, "permit.changed", at)

    def expect_checkin(self, permit_id: str, ref: str, *, due_at: datetime, at: datetime) -> JsonObject:
        """Agree when somebody reports."""
        permit = self.permits[permit_id]
        permit.checkins.append(CheckIn(ref=ref, due_at=due_at))
        return self._tell(permit, "permit.changed", at)

    def check_in(self, permit_id: str, ref: str, *, at: datetime) -> JsonObject:
        """Somebody reports: the oldest open check-in is met."""
        permit = self.permits[permit_id]
        for checkin in permit.checkins:
            if checkin.ref == ref and checkin.at is None:
                checkin.at = at
                break
        return self._tell(permit, "permit.changed", at)

    # --- the site as a whole ---

    def area_stop(self, area: str, *, code: str, at: datetime, text: str = "") -> JsonObject:
        """Stop everything in an area: its permits are cancelled here, and each cancellation is told after the stop."""
        stop = self._event(
            f"area:{area}",
            "area.stop",
            {"scope": {"site": self.site, "area": area}, "reason": {"code": code, "text": text}},
            at,
        )
        over = {"closed", "cancelled", "rejected", "expired"}
        for permit in self.permits.values():
            if permit.area == area and permit.state not in over:
                self.cancel(permit.id, code=code, text=text, at=at)
        return stop

    def heartbeat(self, *, at: datetime) -> JsonObject:
        """Sign of life with the count of live permits and the highest of their sequence numbers."""
        live = [permit.id for permit in self.permits.values() if permit.state == "live"]
        highest = max((self.sequences[permit_id] for permit_id in live), default=0)
        return self._event("heartbeat", "heartbeat", {"live": len(live), "highest_sequence": highest}, at)

    # --- telling ---

    def _next_turn(self, permit: Permit, member: Member, at: datetime) -> None:
        if member.signed_off is None:
            member.signed_off = at
        permit.people.append(
            Member(
                ref=member.ref,
                role=member.role,
                scheme=member.scheme,
                company=member.company,
                crew=member.crew,
                signed_on=at,
            )
        )

    def _lose(self, permit: Permit, state: str, type_: str, code: str, text: str, at: datetime) -> JsonObject:
        permit.reason = {"code": code, "text": text} if text else {"code": code}
        return self._move(permit, state, type_, at)

    def _move(self, permit: Permit, state: str, type_: str, at: datetime) -> JsonObject:
        permit.state, permit.native_state = state, NATIVE_STATES[state]
        return self._tell(permit, type_, at)

    def _tell(self, permit: Permit, type_: str, at: datetime) -> JsonObject:
        return self._event(permit.id, type_, permit.data(ZoneInfo(self.time_zone)), at)

    def _event(self, subject: str, type_: str, data: JsonObject, at: datetime) -> JsonObject:
        sequence = self.sequences[subject] = self.sequences.get(subject, 0) + 1
        event = {
            "specversion": "1.0",
            "id": str(uuid5(EVENT_IDS, f"{self.source}/{len(self.events)}")),
            "source": self.source,
            "type": f"{EVENT_PREFIX}.{type_}.v1",
            "subject": subject,
            "time": at.astimezone(ZoneInfo(self.time_zone)).isoformat(),
            "sequence": sequence,
            "datacontenttype": "application/json",
            "dataschema": DATA_SCHEMA,
            "data": data,
        }
        self.events.append(event)
        self.sender.put(event, at=at)
        return event


def _afresh(step: Step) -> Step:
    return Step(
        id=step.id,
        seq=step.seq,
        title=step.title,
        assets=step.assets,
        roles=step.roles,
        needs_isolation=step.needs_isolation,
        planned_from=step.planned_from,
        planned_to=step.planned_to,
    )
