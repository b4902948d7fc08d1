"""Why somebody may, or may not, open a cylinder: every basis they have or nearly have, and what is missing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PersonId, parse_id
from key2xs.grants.bases import BasisState
from key2xs.grants.decide import facts_of
from key2xs.grants.types import Wish
from key2xs.identity.types import PersonFacts
from key2xs.keys.reads import keys_of_people
from key2xs.plant import get_cylinder
from key2xs.plant.types import CylinderFacts
from key2xs.policy import Basis, Bundle, Explanation, Facts, FactWindow, Key, explain, situation_at
from key2xs.work import permits_of_person

from .shapes import BasisAnswer, Delivery, Explained, MissingOut, ReasonOut
from .web import Web

_NOTHING = FactWindow(standing="none")


async def explain_pair(tx: Connection, web: Web, person: str, cylinder: str, at: datetime) -> Explained:
    """Explain one person at one cylinder at an instant.

    Raises:
        NotFound: no such person or cylinder.
        Conflict: the name belongs to several cylinders.
    """
    person_id = await find_person(tx, web, person)
    place = await get_cylinder(tx, cylinder)
    bases = web.services.bases
    facts = (await bases.cylinders(tx, [place.id], at)).get(place.id)
    if facts is None:
        raise NotFound(f"nothing was known of cylinder {cylinder} at that instant")
    who = await bases.person(tx, person_id, at)
    key = await web.services.custody.key_of(tx, person_id, at)
    bundle = await bases.bundle(tx, at)
    look = _Look(who, facts, key, bundle, at, web)
    answers = [
        look.answer(wish, state)
        for _subject, state in await _states(tx, web, person_id, at)
        for wish in state.wishes.values()
        if wish.key.person_id == person_id and place.id in wish.cylinders
    ]
    near = await _near(tx, web, person_id, place.id, at)
    if not answers:
        answers = [look.without_basis(near)]
    verdict = _verdict(answers)
    return Explained(
        person=person_id,
        cylinder=place.marking,
        at=at,
        verdict=verdict,
        zone_mode=facts.zone_mode,
        bases=sorted(answers, key=lambda each: (each.verdict != "allow", each.reference)),
        near=near,
        delivery=await _deliveries(tx, person_id, at),
    )


async def find_person(tx: Connection, web: Web, name: str) -> PersonId:
    """Return the person of an id, or of a reference written `scheme:reference` (`personnel_no:00004344`).

    Raises:
        NotFound: there is none, or more than one.
    """
    made = parse_id(name)
    if made is None and ":" in name:
        scheme, _, ref = name.partition(":")
        made = await web.identity.find_person(tx, scheme, ref)
    if made is None:
        raise NotFound("no person is known by this id or reference")
    # Raises when nobody has this id: a typing error must not read as somebody without rights.
    await web.identity.person_facts(tx, PersonId(made), web.now)
    return PersonId(made)


class _Look:
    """One person at one cylinder, with everything the answers share."""

    def __init__(
        self, person: PersonFacts, cylinder: CylinderFacts, key: Key, bundle: Bundle, at: datetime, web: Web
    ) -> None:
        self._person, self._cylinder, self._key = person, cylinder, key
        self._bundle, self._at, self._zone = bundle, at, web.services.settings.zone

    def answer(self, wish: Wish, state: BasisState) -> BasisAnswer:
        """Answer for one basis."""
        found = self._explain(facts_of(wish, self._person, self._cylinder, self._key))
        missing = _missing(found)
        if state.silent and found.decision.is_allowed:
            # The grants room gives nothing new while a source is silent; say so instead of a plain yes.
            missing.append(
                MissingOut(
                    "source_silent",
                    "the permit system has not been heard; nothing new is given",
                    "wait until it is heard again",
                )
            )
        return BasisAnswer(
            basis=wish.key.ref,
            kind=wish.kind,
            step=wish.key.step,
            reference=wish.basis.reference,
            starts_at=wish.starts_at,
            ends_at=wish.ends_at,
            verdict=_word(found),
            until=found.decision.until,
            reasons=_reasons(found),
            missing=missing,
        )

    def without_basis(self, near: list[str]) -> BasisAnswer:
        """Answer for somebody who has no basis at all: what is missing besides the basis."""
        from dataclasses import replace

        from key2xs.grants.decide import policy_cylinder, policy_person

        basis: Basis[FactWindow] = Basis(
            kind="approved_request", window=_NOTHING, gas=_NOTHING, reference="no basis"
        )
        facts = Facts(
            person=policy_person(self._person),
            cylinder=policy_cylinder(self._cylinder),
            basis=replace(basis, unit_match="no"),
            key=self._key,
            sod_conflicts=frozenset(),
        )
        found = self._explain(facts)
        change = "sign on to a permit for it, go on duty in its unit, or ask and have it approved"
        text = (
            near[0]
            if near
            else "no permit step, duty or approved request of this person covers this cylinder"
        )
        return BasisAnswer(
            basis="",
            kind="none",
            step="",
            reference="no basis",
            starts_at=None,
            ends_at=None,
            verdict="deny",
            until=None,
            reasons=[],
            missing=[MissingOut("no_basis", text, change), *_missing(found)],
        )

    def _explain(self, facts: Facts) -> Explanation:
        return explain(situation_at(facts, self._at), self._bundle, zone=self._zone)


async def _states(
    tx: Connection, web: Web, person_id: PersonId, at: datetime
) -> list[tuple[str, BasisState]]:
    """Read everything that may ask for something for a person: duties, permits with their name on, requests."""
    bases = web.services.bases
    subjects = {f"person:{person_id}"} | await bases.bases_of_person(tx, f"person:{person_id}", at)
    subjects |= {f"permit:{permit}" for permit in await permits_of_person(tx, person_id)}
    found = []
    for subject in sorted(subjects):
        try:
            found.append((subject, await bases.read(tx, subject, at)))
        except NotFound:
            continue  # a permit of which nothing was known at that instant
    return found


async def _near(
    tx: Connection, web: Web, person_id: PersonId, cylinder: CylinderId, at: datetime
) -> list[str]:
    """Say what almost covers the pair: permits that name the person and the cylinder, and why they do not count."""
    from key2xs.work import permit_facts

    told = []
    for permit in await permits_of_person(tx, person_id):
        try:
            facts = await permit_facts(tx, permit, at)
        except NotFound:
            continue
        in_steps = any(cylinder in step.cylinders for step in facts.steps)
        if cylinder not in facts.cylinders and not in_steps:
            continue
        if facts.state != "live":
            told.append(f"permit {facts.number} is {facts.state.replace('_', ' ')}")
        elif not any(m.person_id == person_id and m.is_signed_on(at) for m in facts.crew):
            told.append(f"not signed on to permit {facts.number}")
        elif not facts.window[0] <= at < facts.window[1]:
            local = web.services.settings.zone
            begins, ends = (each.astimezone(local).strftime("%Y-%m-%d %H:%M") for each in facts.window)
            told.append(f"permit {facts.number} runs from {begins} to {ends}")
    return told


async def _deliveries(tx: Connection, person_id: PersonId, at: datetime) -> list[Delivery]:
    keys = await keys_of_people(tx, [person_id], at)
    return [
        Delivery(
            key=key.stamp,
            blocked=key.blocked_at is not None,
            progress=target.progress if target else "requested",
            problem=target.problem if target else None,
            grants=list(target.grants) if target else [],
            cannot=[_cannot(grant, why) for grant, why in target.cannot.items()] if target else [],
        )
        for key, target in keys.get(person_id, [])
    ]


def _cannot(grant: str, why: dict[str, Any]) -> dict[str, str]:
    return {"grant": str(UUID(grant)), "why": str(why.get("why", ""))}


def _verdict(answers: Iterable[BasisAnswer]) -> str:
    words = {answer.verdict for answer in answers}
    return next(word for word in ("allow", "unknown", "deny") if word in words)


def _word(found: Explanation) -> str:
    if found.decision.is_allowed:
        return "allow"
    return "unknown" if found.decision.is_unknown else "deny"


def _reasons(found: Explanation) -> list[ReasonOut]:
    return [ReasonOut(str(r.code), r.text, r.policy_id) for r in found.decision.reasons]


def _missing(found: Explanation) -> list[MissingOut]:
    return [MissingOut(str(m.code), m.text, m.smallest_change) for m in found.missing]
