"""Legal situations to start from, and generators of any situation at all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, get_args

from hypothesis import strategies as st

from key2xs.policy import (
    Basis,
    BasisKind,
    Bundle,
    Cylinder,
    Facts,
    FactWindow,
    Key,
    PermitState,
    Person,
    Qualification,
    SafetyRole,
    Situation,
    StepState,
    make_bundle,
    shipped_policies,
    shipped_site_data,
    situation_at,
)
from tests.conftest import START

AT = START + timedelta(hours=4)  # 21:00, in the middle of the night shift of the facts below
SHIFT = FactWindow(START + timedelta(hours=1), START + timedelta(hours=13))
YEAR = FactWindow(START - timedelta(days=100), START + timedelta(days=265))
NO_WINDOW = FactWindow(standing="none")
UNKNOWN_WINDOW = FactWindow(standing="unknown")
UNSAFE = FactWindow(standing="failed")
ENDED = FactWindow(AT - timedelta(hours=8), AT - timedelta(hours=1))
AHEAD = FactWindow(AT + timedelta(hours=1), AT + timedelta(hours=8))


def worker(**changes: Any) -> Facts:
    """A contractor signed on to a live cold work permit, at a cabinet of criticality 3."""
    facts = Facts(
        person=Person(
            id="person-1",
            active="yes",
            contract=YEAR,
            qualifications=(Qualification("SITE_INDUCTION", YEAR), Qualification("VCA_BASIC", YEAR)),
            roles=frozenset({"maintenance"}),
        ),
        cylinder=Cylinder(
            class_key="class-1", criticality=3, zone="CDU-3", egress_free="yes", safety_role="none"
        ),
        basis=Basis(
            kind="permit_step",
            window=SHIFT,
            gas=NO_WINDOW,
            permit_state="live",
            permit_type="cold_work",
            step_state="started",
            signed_on="yes",
            needs_isolation="no",
            isolation_ok="no",
            needs_gas="no",
            approvers=frozenset({"person-8"}),
            holder_role="performing_authority",
            reference="permit 0473",
        ),
        key=Key(id="key-1", kind="phone", blocked="no"),
        sod_conflicts=frozenset(),
    )
    return change(facts, **changes)


def authority(role: str, state: PermitState, **changes: Any) -> Facts:
    """An authority of a permit in a state, at an isolation point; nobody signs it on."""
    legal = {"holder_role": role, "permit_state": state, "step_state": "waiting", "signed_on": "no"}
    return change(worker(needs_isolation="yes", safety_role="isolation", **legal), **changes)


def on_duty(**changes: Any) -> Facts:
    """A field operator on shift for the unit."""
    return change(_without_permit("duty_role", holder_role="field_operator", unit_match="yes"), **changes)


def request(**changes: Any) -> Facts:
    """A request approved by somebody else, for a door of criticality 2."""
    legal = {"requester": "person-1", "approvers": frozenset({"person-8"}), "criticality": 2}
    return change(_without_permit("approved_request", **legal), **changes)


def emergency(**changes: Any) -> Facts:
    """Two people declared it, for one point and one hour, for a third person without any qualification."""
    legal = {
        "requester": "person-1",
        "approvers": frozenset({"person-8", "person-9"}),
        "access_points": 1,
        "window": FactWindow(AT - timedelta(minutes=10), AT + timedelta(minutes=50)),
        "qualifications": (),
        "criticality": 4,
    }
    return change(_without_permit("emergency", **legal), **changes)


def standing(**changes: Any) -> Facts:
    """An adopted legacy right at a harmless door."""
    return change(_without_permit("standing", criticality=1, window=YEAR), **changes)


LEGAL: dict[str, Callable[..., Facts]] = {
    "worker": worker,
    "duty": on_duty,
    "request": request,
    "emergency": emergency,
    "isolating": partial(authority, "isolating_authority", "isolating"),
    "verifier": partial(authority, "isolation_verifier", "isolated"),
    "area": partial(authority, "area_authority", "suspended"),
    "tester": partial(authority, "test_team", "test", signed_on="yes"),
}


def _without_permit(kind: BasisKind, **changes: Any) -> Facts:
    facts = worker()
    basis = Basis(kind=kind, window=SHIFT, gas=NO_WINDOW, reference="")
    return change(replace(facts, basis=basis), **changes)


def change(facts: Facts, **changes: Any) -> Facts:
    """Change facts by field name, wherever the field stands; `gone=` names a qualification to take away."""
    gone = changes.pop("gone", None)
    if gone is not None:
        kept = tuple(q for q in facts.person.qualifications if q.code != gone)
        facts = replace(facts, person=replace(facts.person, qualifications=kept))
    for name, value in changes.items():
        if name in ("sod_conflicts", "next_change_at"):
            facts = replace(facts, **{name: value})
            continue
        part_name = next(
            p for p in ("person", "cylinder", "key", "basis") if name in _fields(getattr(facts, p))
        )
        part = replace(getattr(facts, part_name), **{name: value})
        facts = replace(facts, **{part_name: part})
    return facts


def _fields(part: object) -> tuple[str, ...]:
    # A key's id and kind are never what a row is about.
    names = tuple(part.__dataclass_fields__)  # type: ignore[attr-defined]
    return ("blocked",) if "blocked" in names else names


def seen(facts: Facts, at: datetime = AT) -> Situation:
    return situation_at(facts, at)


def site_bundle(extra: str, *, version: str = "test") -> Bundle:
    """The default site policies and one more."""
    return make_bundle(version, policies=shipped_policies() + extra, site_data=shipped_site_data())


# --- any situation at all -----------------------------------------------------------------------------------

tris = st.sampled_from(("yes", "no", "unknown"))
offsets = st.sampled_from(
    [timedelta(minutes=m) for m in (-600, -61, -60, -30, -1, 0, 1, 30, 59, 60, 61, 600)]
)
spans = st.one_of(
    st.builds(
        lambda a, b: FactWindow(AT + min(a, b), AT + max(a, b) + timedelta(minutes=1)), offsets, offsets
    ),
    st.builds(lambda b: FactWindow(None, AT + b), offsets),
    st.builds(lambda a: FactWindow(AT + a, None), offsets),
    st.sampled_from((FactWindow(), NO_WINDOW, UNKNOWN_WINDOW, UNSAFE)),
)
people = st.sampled_from(("person-1", "person-7", "person-8", "person-9"))
ROLES = (
    "performing_authority", "isolating_authority", "isolation_verifier", "area_authority", "test_team", "fire_watch",
    "shift_leader", "field_operator",
)  # fmt: skip
QUALIFICATIONS = ("SITE_INDUCTION", "VCA_BASIC", "HV_SWITCHING", "RESCUE")

any_person = st.builds(
    Person,
    id=st.just("person-1"),
    active=tris,
    contract=spans,
    qualifications=st.dictionaries(st.sampled_from(QUALIFICATIONS), spans).map(
        lambda held: tuple(Qualification(code, span) for code, span in sorted(held.items()))
    ),
    roles=st.one_of(st.none(), st.frozensets(st.sampled_from(("maintenance", "visitor")))),
)
any_cylinder = st.builds(
    Cylinder,
    class_key=st.just("class-1"),
    criticality=st.sampled_from((None, 1, 2, 3, 4)),
    zone=st.sampled_from(("CDU-3", "JETTY")),
    egress_free=tris,
    safety_role=st.sampled_from(get_args(SafetyRole)),
    required_qualifications=st.frozensets(st.sampled_from(QUALIFICATIONS), max_size=1),
)
any_basis = st.builds(
    Basis,
    kind=st.sampled_from(get_args(BasisKind)),
    window=spans,
    gas=spans,
    permit_state=st.sampled_from(get_args(PermitState)),
    permit_type=st.sampled_from(
        ("cold_work", "hot_work", "confined_space", "electrical", "none", "juggling")
    ),
    step_state=st.sampled_from(get_args(StepState)),
    signed_on=tris,
    needs_isolation=tris,
    isolation_ok=tris,
    needs_gas=tris,
    approvers=st.frozensets(people, max_size=3),
    requester=st.one_of(st.none(), people),
    holder_role=st.sampled_from(ROLES),
    unit_match=tris,
    access_points=st.integers(0, 3),
    reference=st.sampled_from(("", "permit 0473")),
)
any_facts = st.builds(
    Facts,
    person=any_person,
    cylinder=any_cylinder,
    basis=any_basis,
    key=st.builds(Key, id=st.just("key-1"), kind=st.sampled_from(("phone", "fob")), blocked=tris),
    sod_conflicts=st.one_of(
        st.none(), st.frozensets(st.sampled_from(("isolating_performing", "applicant_approver")), max_size=2)
    ),
)

_CHANGES: dict[str, Any] = {
    "active": tris,
    "contract": spans,
    "roles": st.sampled_from((None, frozenset({"visitor"}))),
    "criticality": st.sampled_from((None, 1, 2, 3, 4)),
    "egress_free": tris,
    "safety_role": st.sampled_from(get_args(SafetyRole)),
    "window": spans,
    "gas": spans,
    "permit_state": st.sampled_from(get_args(PermitState)),
    "permit_type": st.sampled_from(("cold_work", "hot_work", "confined_space", "juggling")),
    "step_state": st.sampled_from(get_args(StepState)),
    "signed_on": tris,
    "needs_isolation": tris,
    "isolation_ok": tris,
    "needs_gas": tris,
    "approvers": st.frozensets(people, max_size=3),
    "requester": st.one_of(st.none(), people),
    "unit_match": tris,
    "access_points": st.integers(0, 3),
    "blocked": tris,
    "sod_conflicts": st.sampled_from((None, frozenset({"isolating_performing"}))),
    "gone": st.sampled_from(QUALIFICATIONS),
}


@st.composite
def near_legal(draw: st.DrawFn) -> Facts:
    """A legal situation with up to three facts changed: where the interesting decisions are."""
    facts = LEGAL[draw(st.sampled_from(sorted(LEGAL)))]()
    for name in draw(st.lists(st.sampled_from(sorted(_CHANGES)), max_size=3, unique=True)):
        facts = change(facts, **{name: draw(_CHANGES[name])})
    return facts


some_facts = st.one_of(near_legal(), any_facts)
