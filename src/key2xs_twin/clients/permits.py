"""A permit as an e-PTW system keeps it, and its full state in the words of `key2xs.ptw.v1`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

JsonObject = dict[str, Any]

# What this permit system calls its states; the canonical names are those of the payload.
NATIVE_STATES = {
    "requested": "REQUESTED",
    "approved": "APPROVED",
    "isolating": "ISOLATING",
    "isolated": "ISOLATION COMP",
    "live": "ISSUED",
    "suspended": "SUSPENDED",
    "handed_back": "HANDBACK",
    "deisolating": "DEISOLATING",
    "deisolated": "ISOLATION REMOVED",
    "closed": "CLOSED",
    "cancelled": "CANCELLED",
    "rejected": "REJECTED",
    "expired": "EXPIRED",
}


@dataclass(slots=True, kw_only=True)
class Member:
    """One turn of a person on a permit; a new sign-on after a sign-off is a new turn."""

    ref: str
    role: str
    scheme: str = "iam"
    company: str = ""
    crew: str = ""
    signed_on: datetime | None = None
    signed_off: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Step:
    """A step of the job; state: waiting, authorised, started, paused, done, cancelled."""

    id: str
    seq: int = 1
    title: str = ""
    state: str = "waiting"
    assets: list[str] = field(default_factory=list)  # ids of assets of the scope
    roles: list[str] = field(default_factory=list)
    needs_isolation: bool = False
    planned_from: datetime | None = None
    planned_to: datetime | None = None


@dataclass(slots=True, kw_only=True)
class IsolationPoint:
    """A point of an isolation certificate; state: planned, isolated, proven, test_removed, deisolated."""

    id: str
    asset: str = ""
    state: str = "planned"
    lock_no: str = ""
    verified_by: str = ""
    verified_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Isolation:
    """An isolation certificate; its state is that of the point that is furthest behind."""

    certificate: str
    points: list[IsolationPoint] = field(default_factory=list)

    @property
    def state(self) -> str:
        """`proven` only when every point is."""
        order = ("deisolated", "test_removed", "planned", "isolated", "proven")
        return min((point.state for point in self.points), key=order.index, default="planned")


@dataclass(slots=True, kw_only=True)
class GasTest:
    """One gas test; result: safe, unsafe."""

    at: datetime
    result: str
    valid_to: datetime | None = None
    tester_ref: str = ""
    values: list[JsonObject] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Approval:
    """One signature; decision: approve, reject."""

    role: str
    ref: str
    at: datetime
    decision: str = "approve"


@dataclass(slots=True, kw_only=True)
class PersonalLock:
    """A worker's own lock on a group lock box."""

    ref: str
    on_at: datetime
    off_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class CheckIn:
    """An agreed sign of life of somebody who works alone or stands watch."""

    ref: str
    due_at: datetime
    at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Permit:
    """The full state of one permit. `valid_to` is the end of the present validation, not of the job."""

    id: str
    number: str
    type: str
    site: str
    area: str
    unit: str
    valid_from: datetime
    valid_to: datetime
    assets: list[JsonObject]  # {scheme, id, name}
    points: list[JsonObject] = field(default_factory=list)  # {kind, id}
    work: JsonObject = field(default_factory=dict)
    revision: int = 1
    state: str = "requested"
    native_state: str = NATIVE_STATES["requested"]
    shift: str = ""
    revalidation_due: datetime | None = None
    parent: str = ""
    cross_refs: list[str] = field(default_factory=list)
    people: list[Member] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    isolations: list[Isolation] = field(default_factory=list)
    gas_tests: list[GasTest] = field(default_factory=list)
    simops: list[JsonObject] = field(default_factory=list)  # {permit, verdict, condition}
    approvals: list[Approval] = field(default_factory=list)
    lock_boxes: dict[str, list[PersonalLock]] = field(default_factory=dict)
    checkins: list[CheckIn] = field(default_factory=list)
    reason: JsonObject | None = None

    def data(self, zone: tzinfo) -> JsonObject:
        """The `data` member of an event: everything, never a difference; instants with the site's offset."""

        def plain(value: Any) -> Any:
            return _plain(value, zone)

        state: JsonObject = {
            "permit": plain(
                {
                    "id": self.id,
                    "number": self.number,
                    "revision": self.revision,
                    "type": self.type,
                    "native_type": self.type.upper(),
                    "state": self.state,
                    "native_state": self.native_state,
                    "valid_from": self.valid_from,
                    "valid_to": self.valid_to,
                    "shift": self.shift,
                    "revalidation_due": self.revalidation_due,
                    "parent": self.parent,
                    "cross_refs": self.cross_refs,
                }
            ),
            "work": self.work,
            "scope": plain(
                {
                    "site": self.site,
                    "area": self.area,
                    "unit": self.unit,
                    "assets": self.assets,
                    "points": self.points,
                }
            ),
            "isolations": [
                {"certificate": each.certificate, "state": each.state, "points": plain(each.points)}
                for each in self.isolations
            ],
            "lock_boxes": [
                {"id": box, "personal_locks": plain(locks)} for box, locks in self.lock_boxes.items()
            ],
        }
        for name in ("steps", "people", "gas_tests", "simops", "approvals", "checkins"):
            state[name] = plain(getattr(self, name))
        if self.reason is not None:
            state["reason"] = self.reason
        return state

    def working(self) -> list[Member]:
        """The turns that are open: signed on and not yet off."""
        return [member for member in self.people if member.signed_on and not member.signed_off]


def _plain(value: Any, zone: tzinfo) -> Any:
    """JSON values; what is not set is left out, as the payload has it."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, dict):
        present = {name: each for name, each in value.items() if each is not None and each != ""}
        return {name: _plain(each, zone) for name, each in present.items()}
    if isinstance(value, list):
        return [_plain(each, zone) for each in value]
    if hasattr(type(value), "__slots__"):
        return _plain({name: getattr(value, name) for name in type(value).__slots__}, zone)
    return value
