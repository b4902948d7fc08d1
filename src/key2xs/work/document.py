"""A permit's full state without personal data, and what the order of events needs of it."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from .payload import Envelope, GasTest, Member, PermitData, sequence_of
from .states import State, judge
from .timeline import Place, Told
from .types import is_approval

Reference = tuple[str, str]
"""Scheme and reference of somebody, as the sender writes them."""

PartyOf = Callable[[Reference], UUID]

DEFAULT_SCHEME = "iam"  # facts 3.5: a reference is an IAM id unless the people list says otherwise
WATCHING_ROLES = frozenset({"confined_space_attendant", "fire_watch"})
"""Roles without which the work they watch has to stop."""


def references_of(data: PermitData) -> list[Reference]:
    """Return everybody a permit names, without repeats, in the order they occur."""
    schemes = _schemes(data)
    members = ((member.scheme, member.ref) for member in data.people)
    others = ((schemes.get(ref, DEFAULT_SCHEME), ref) for ref in _other_refs(data))
    return list(dict.fromkeys([*members, *others]))


def to_document(data: PermitData, party_of: PartyOf) -> dict[str, Any]:
    """Return the state as JSON values, with parties in place of references.

    Only fields that are known here get in: an unknown one might hold a name.
    """
    schemes = _schemes(data)

    def party(ref: str) -> str:
        return str(party_of((schemes.get(ref, DEFAULT_SCHEME), ref)))

    document: dict[str, Any] = msgspec.to_builtins(data)
    for member in document["people"]:
        member["party"] = str(party_of((member.pop("scheme"), member.pop("ref"))))
    for field, name in (("approvals", "ref"), ("checkins", "ref"), ("gas_tests", "tester_ref")):
        for item in document[field]:
            _replace(item, name, party)
    for isolation in document["isolations"]:
        for point in isolation["points"]:
            _replace(point, "verified_by", party)
    for box in document["lock_boxes"]:
        for lock in box["personal_locks"]:
            _replace(lock, "ref", party)
    return document


def tell(
    event: Envelope, data: PermitData, document: Mapping[str, Any], native_states: Mapping[str, State]
) -> Told:
    """Return what an event says, as far as the order of events matters."""
    permit = data.permit
    state, findings = judge(
        verb=event.verb,
        declared=permit.state,
        native=permit.native_state,
        native_states=native_states,
    )
    return Told(
        sequence=sequence_of(event),
        event_id=event.id,
        verb=event.verb,
        told_at=event.time,
        state=state,
        valid_from=permit.valid_from,
        valid_to=permit.valid_to,
        revision=permit.revision,
        places=places_of(data),
        approved_at=max((each.at for each in data.approvals if is_approval(each.decision)), default=None),
        suspends=_gas_stops(data.gas_tests) or _watch_lost(data.people),
        findings=findings,
        content=sha256(msgspec.json.encode([event.verb, document], order="sorted")).hexdigest(),
    )


def places_of(data: PermitData) -> frozenset[Place]:
    """Return the assets and points of the scope."""
    return frozenset({
        *((asset.scheme, asset.id) for asset in data.scope.assets),
        *((point_scheme(point.kind), point.id) for point in data.scope.points),
    })  # fmt: skip


def point_scheme(kind: str) -> str:
    """Return the scheme under which a point of the scope is kept."""
    return f"point:{kind}"


def _other_refs(data: PermitData) -> Iterator[str]:
    for approval in data.approvals:
        yield approval.ref
    for test in data.gas_tests:
        if test.tester_ref:
            yield test.tester_ref
    for isolation in data.isolations:
        for point in isolation.points:
            if point.verified_by:
                yield point.verified_by
    for box in data.lock_boxes:
        for lock in box.personal_locks:
            yield lock.ref
    for checkin in data.checkins:
        yield checkin.ref


def _schemes(data: PermitData) -> dict[str, str]:
    """Only the people list says which scheme a reference belongs to; the first one counts for the other lists."""
    found: dict[str, str] = {}
    for member in data.people:
        found.setdefault(member.ref, member.scheme)
    return found


def _replace(item: dict[str, Any], name: str, party: Callable[[str], str]) -> None:
    ref = item.pop(name)
    item["party"] = party(ref) if ref else None


def _gas_stops(tests: tuple[GasTest, ...]) -> str | None:
    if not tests:
        return None
    newest_at = max(test.at for test in tests)
    # Two tests of one instant: the worse one counts.
    results = {test.result for test in tests if test.at == newest_at}
    if results == {"safe"}:
        return None
    return "gas_unsafe" if "unsafe" in results else "gas_unknown"


def _watch_lost(people: tuple[Member, ...]) -> str | None:
    """Tell whether somebody works on although the one who watched has gone."""
    here = [member for member in people if member.signed_on and not member.signed_off]
    gone = {member.role for member in people if member.signed_off} & WATCHING_ROLES
    lost = gone - {member.role for member in here}
    return "attendant_lost" if lost and here else None
