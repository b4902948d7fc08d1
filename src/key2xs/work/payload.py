"""The payload `key2xs.ptw.v1`: one CloudEvent per change, each with the full state of its permit.

Fields that are not known here are ignored, so that a sender may be newer than we are. Fields that are known must
have their type; words that are not known (a state, a verdict) are kept as they are and count as "unknown" later.
`docs/reference/ptw-v1.md` is the reference for senders.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from key2xs.core.errors import Key2XSError

SPEC_VERSION: Final = "1.0"
TYPE_PREFIX: Final = "com.key2xs.ptw."
AREA_STOP: Final = "com.key2xs.ptw.area.stop.v1"
HEARTBEAT: Final = "com.key2xs.ptw.heartbeat.v1"
ISOLATION_CHANGED: Final = "com.key2xs.ptw.isolation.changed.v1"
GAS_TEST_RECORDED: Final = "com.key2xs.ptw.gastest.recorded.v1"
PERMIT_VERBS: Final = frozenset({
    "requested", "approved", "isolated", "live", "suspended", "revalidated", "handed_back", "deisolated", "closed",
    "cancelled", "expired", "changed",
})  # fmt: skip
MOST_PROBLEMS: Final = 20  # told about one message

# Limits of a full state. The largest permit of a stop has some 60 people and 40 isolation points.
Text = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=120)]
Ref = Annotated[str, Meta(min_length=1, max_length=200)]
Instant = Annotated[datetime, Meta(tz=True)]
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)]

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Meta(max_length=500)]


class Envelope(Struct, frozen=True):
    """A CloudEvent in structured mode."""

    specversion: str
    id: Ref
    source: Ref
    type: Name
    time: Instant
    subject: Name | None = None
    sequence: Whole | str | None = None
    """A whole number; CloudEvents' own sequence extension writes it as text, so both are taken."""
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    correlationid: Text | None = None
    data: Raw = Raw(b"{}")

    @property
    def verb(self) -> str:
        """What a permit event says happened; `changed` where it only carries news about a part of the permit."""
        name = self.type.removeprefix(TYPE_PREFIX).removesuffix(".v1")
        domain, _, verb = name.partition(".")
        return verb if domain == "permit" else "changed"

    @property
    def is_permit(self) -> bool:
        """Tell whether the event carries a permit's full state."""
        if self.type in {ISOLATION_CHANGED, GAS_TEST_RECORDED}:
            return True
        known = self.type.startswith(f"{TYPE_PREFIX}permit.") and self.type.endswith(".v1")
        return known and self.verb in PERMIT_VERBS


class Permit(Struct, frozen=True):
    """The permit itself. `valid_to` is the end of the present validation, not of the job."""

    id: Name
    number: Name
    revision: Whole
    type: Name
    state: Name
    native_state: Text
    valid_from: Instant
    valid_to: Instant
    native_type: Text | None = None
    shift: Text | None = None
    revalidation_due: Instant | None = None
    parent: Name | None = None
    cross_refs: Many[Name] = ()


class Work(Struct, frozen=True):
    """What the work order system calls it."""

    system: Name
    order: Name | None = None
    operation: Name | None = None
    package: Name | None = None
    revision: Name | None = None


class AssetRef(Struct, frozen=True):
    """A plant item under the code of some scheme (sap_floc, sap_equi, maximo_loc, maximo_asset, cfihos_tag, kks)."""

    scheme: Name
    id: Name
    name: Text | None = None


class PointRef(Struct, frozen=True):
    """A place: access_point, isolation_point, lock_box or manway."""

    kind: Name
    id: Name


class Scope(Struct, frozen=True):
    """Where the work is."""

    site: Name
    area: Name
    assets: Annotated[tuple[AssetRef, ...], Meta(min_length=1, max_length=500)]
    unit: Name | None = None
    points: Many[PointRef] = ()


class Step(Struct, frozen=True):
    """One step of the job. `assets` names assets of the scope, by id or in full."""

    id: Name
    state: Name
    seq: Whole | None = None
    title: Text = ""
    assets: Many[AssetRef | Name] = ()
    roles: Many[Name] = ()
    needs_isolation: bool | None = None
    planned_from: Instant | None = None
    planned_to: Instant | None = None


class Member(Struct, frozen=True):
    """Somebody on the permit. `ref` is an id at the IAM or a personnel number, never a name."""

    ref: Ref
    scheme: Name
    role: Name
    company: Name | None = None
    crew: Text | None = None
    signed_on: Instant | None = None
    signed_off: Instant | None = None


class IsolationPoint(Struct, frozen=True):
    """One point of an isolation certificate."""

    id: Name
    state: Name
    asset: Name | None = None
    lock_no: Text | None = None
    verified_by: Ref | None = None
    verified_at: Instant | None = None


class Isolation(Struct, frozen=True):
    """One isolation certificate."""

    certificate: Name
    state: Name
    points: Many[IsolationPoint] = ()


class GasValue(Struct, frozen=True):
    """One measured value."""

    gas: Name
    value: float
    unit: Name


class GasTest(Struct, frozen=True):
    """One gas test; `result` is safe or unsafe."""

    at: Instant
    result: Name
    valid_to: Instant | None = None
    tester_ref: Ref | None = None
    values: Many[GasValue] = ()


class Simops(Struct, frozen=True):
    """Another permit nearby, and whether the two go together (green, amber, red)."""

    permit: Name
    verdict: Name
    condition: Text | None = None


class Approval(Struct, frozen=True):
    """One signature."""

    role: Name
    ref: Ref
    at: Instant
    decision: Name


class PersonalLock(Struct, frozen=True):
    """A worker's own lock on a lock box."""

    ref: Ref
    on_at: Instant
    off_at: Instant | None = None


class LockBox(Struct, frozen=True):
    """A group lock box; its keys stay inside until the last personal lock is off."""

    id: Name
    personal_locks: Many[PersonalLock] = ()


class CheckIn(Struct, frozen=True):
    """When somebody had to report, and when they did."""

    ref: Ref
    due_at: Instant
    at: Instant | None = None


class Why(Struct, frozen=True):
    """Why something was lost."""

    code: Name
    text: Annotated[str, Meta(max_length=2000)] | None = None


class PermitData(Struct, frozen=True):
    """The full state of one permit."""

    permit: Permit
    work: Work
    scope: Scope
    steps: Many[Step] = ()
    people: Many[Member] = ()
    isolations: Many[Isolation] = ()
    gas_tests: Many[GasTest] = ()
    simops: Many[Simops] = ()
    approvals: Many[Approval] = ()
    lock_boxes: Many[LockBox] = ()
    checkins: Many[CheckIn] = ()
    reason: Why | None = None


class AreaStopData(Struct, frozen=True):
    """Everything in an area stops. `scope` and `reason` are taken in any form: a stop is never refused over them."""

    scope: Any = None
    reason: Any = None


class HeartbeatData(Struct, frozen=True):
    """A sign of life: how many permits are live over there, and the highest sequence among them."""

    live: Whole | None = None
    highest_sequence: Whole | None = None


class Problem(Struct, frozen=True):
    """One thing that is wrong with a message: where, and what. Never repeats a value."""

    field: str
    problem: str


class BadPayload(Key2XSError):
    """The message is not a `key2xs.ptw.v1` event."""

    def __init__(self, *problems: Problem, record: str | None = None) -> None:
        self.problems, self.record = problems[:MOST_PROBLEMS], record
        super().__init__("; ".join(f"{each.field}: {each.problem}" for each in self.problems))


class Decoder(Generic[T]):
    """Reads one type, and turns the library's errors into ours."""

    def __init__(self, kind: type[T], inside: str = "") -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._inside = inside

    def read(self, body: bytes | Raw, record: str | None = None) -> T:
        """Decode, or say which field is wrong.

        Raises:
            BadPayload: malformed JSON, a missing field or one of the wrong type.
        """
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise BadPayload(_problem(str(error), self._inside), record=record) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadPayload(Problem(self._inside or "body", "is not JSON"), record=record) from error
        except RecursionError as error:
            raise BadPayload(
                Problem(self._inside or "body", "is nested too deeply"), record=record
            ) from error


ENVELOPE: Final = Decoder(Envelope)
PERMIT_DATA: Final = Decoder(PermitData, "data")
AREA_STOP_DATA: Final = Decoder(AreaStopData, "data")
HEARTBEAT_DATA: Final = Decoder(HeartbeatData, "data")


def sequence_of(event: Envelope) -> int:
    """Return the event's number within its subject.

    Raises:
        BadPayload: it is missing or not a whole number.
    """
    given = event.sequence
    if isinstance(given, str):
        if not (given.isascii() and given.isdecimal() and len(given) <= 15):
            raise BadPayload(Problem("sequence", "is not a whole number"), record=event.id)
        return int(given)
    if given is None:
        raise BadPayload(Problem("sequence", "is missing"), record=event.id)
    return given


def _problem(message: str, inside: str) -> Problem:
    """Turn `Expected ... - at `$.permit.id`` into a field and a sentence without the value."""
    problem, _, where = message.partition(" - at `$")
    path = where.rstrip("`").lstrip(".")
    if problem.startswith("Object missing required field"):
        missing = problem.split("`")[1]
        path, problem = f"{path}.{missing}".lstrip("."), "is missing"
    field = ".".join(part for part in (inside, path) if part) or "body"
    return Problem(field.replace(".[", "["), problem[:1].lower() + problem[1:])
