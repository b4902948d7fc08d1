"""Asking policy about a wish: once per class of cylinders, then cut to the basis's own cylinders."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from key2xs.core.ids import CylinderId
from key2xs.identity.types import PersonFacts
from key2xs.plant.types import CylinderFacts
from key2xs.policy.bundle import Bundle
from key2xs.policy.engine import decide_many
from key2xs.policy.reasons import ReasonCode
from key2xs.policy.types import (
    Cylinder,
    Facts,
    FactWindow,
    Key,
    Person,
    Qualification,
    Reason,
)
from key2xs.policy.windows import situation_at

from .types import Keys, Verdict, Wish


def policy_person(facts: PersonFacts) -> Person[FactWindow]:
    """Say what policy needs to know about a person."""
    return Person(
        id=str(facts.person_id),
        active=facts.active,
        contract=_contract(facts),
        qualifications=tuple(
            Qualification(code, FactWindow(ends_at=until))
            for code, until in sorted(facts.qualifications.items())
        ),
        roles=facts.roles,
    )


def policy_cylinder(facts: CylinderFacts) -> Cylinder:
    """Say what policy needs to know about a class of cylinders."""
    return Cylinder(
        class_key=facts.class_key,
        criticality=facts.criticality,
        zone=facts.zone,
        egress_free=facts.egress_free,
        safety_role=facts.safety_role,
    )


def facts_of(wish: Wish, person: PersonFacts, cylinder: CylinderFacts, key: Key) -> Facts:
    """Put one question together."""
    return Facts(
        person=policy_person(person),
        cylinder=policy_cylinder(cylinder),
        basis=wish.basis,
        key=key,
        sod_conflicts=wish.sod_conflicts,
        # A qualification or role that begins later is in no window here, and still asks for a new decision.
        next_change_at=person.next_change_at,
    )


def judge(
    wish: Wish,
    person: PersonFacts,
    cylinders: Mapping[CylinderId, CylinderFacts],
    keys: Keys,
    bundle: Bundle,
    at: datetime,
) -> Verdict:
    """Decide a wish at an instant.

    A cylinder that the plant does not know is denied; so is everything that could not be decided.
    """
    classes: dict[tuple[str, Key], list[CylinderFacts]] = defaultdict(list)
    for cylinder_id in wish.cylinders:
        if cylinder_id in cylinders:
            facts = cylinders[cylinder_id]
            classes[facts.class_key, keys.key_at(cylinder_id)].append(facts)
    allowed: set[CylinderId] = set()
    allow_reasons: list[Reason] = []
    deny_reasons: list[Reason] = []
    untils: list[datetime] = []
    situations = [
        situation_at(facts_of(wish, person, members[0], key), at) for (_, key), members in classes.items()
    ]
    for members, decision in zip(classes.values(), decide_many(situations, bundle), strict=True):
        if decision.is_allowed:
            allowed.update(member.cylinder_id for member in members)
            allow_reasons += decision.reasons
        else:
            deny_reasons += decision.reasons
        if decision.until is not None:
            untils.append(decision.until)
    reasons = _once(allow_reasons if allowed else deny_reasons)
    if not classes:
        reasons = (Reason(ReasonCode.CYLINDER_UNKNOWN, "no cylinder of this basis is known to the plant"),)
    return Verdict(
        allowed=frozenset(allowed),
        denied=wish.cylinders - allowed,
        reasons=reasons,
        until=min(untils, default=None),
        bundle=bundle.hash,
    )


def _contract(facts: PersonFacts) -> FactWindow:
    if facts.contract == "unknown":
        return FactWindow(standing="unknown")
    if facts.contract == "no" and facts.contract_until is None and facts.contract_from is None:
        return FactWindow(standing="none")
    if facts.contract == "no":
        # The room that owns contracts says no; whatever the instants say, policy must not read them as open.
        return FactWindow(standing="failed")
    return FactWindow(facts.contract_from, facts.contract_until)


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple({(reason.code, reason.text): reason for reason in reasons}.values())
