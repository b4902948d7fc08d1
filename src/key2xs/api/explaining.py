"""Why somebody may, or may not, open a cylinder: the grants room's answer, and how far the person's keys are."""

from datetime import datetime
from typing import Any
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, PersonId, parse_id
from key2xs.grants.explaining import Attempt, PersonExplanation, explain_person
from key2xs.keys.reads import keys_of_people
from key2xs.plant import get_cylinder
from key2xs.policy import Missing
from key2xs.work import PermitFacts, permit_facts, permits_of_person

from .shapes import BasisAnswer, Delivery, Explained, MissingOut
from .web import Web


async def explain_pair(tx: Connection, web: Web, person: str, cylinder: str, at: datetime) -> Explained:
    """Explain one person at one cylinder at an instant.

    Raises:
        NotFound: no such person or cylinder.
        Conflict: the name belongs to several cylinders.
    """
    person_id = await find_person(tx, web, person)
    place = await get_cylinder(tx, cylinder)
    services = web.services
    found = await explain_person(
        tx,
        services.bases,
        services.custody,
        services.settings.leases,
        person_id=person_id,
        cylinder_id=place.id,
        at=at,
        zone=services.settings.zone,
    )
    return Explained(
        person=person_id,
        cylinder=place.marking,
        at=at,
        verdict=_verdict(found),
        zone_mode=place.zone_mode,
        missing=_missing(found.missing),
        bases=[_basis(attempt) for attempt in found.attempts],
        near=await _near(tx, web, person_id, place.id, at),
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


def _verdict(found: PersonExplanation) -> str:
    if found.allowed:
        return "allow"
    return "unknown" if all(lack.code.is_unknown for lack in found.missing) else "deny"


def _basis(attempt: Attempt) -> BasisAnswer:
    return BasisAnswer(
        basis=attempt.key.ref,
        kind=attempt.kind,
        step=attempt.key.step,
        reference=attempt.reference,
        allows=attempt.allows,
        until=attempt.until,
        missing=_missing(attempt.missing),
    )


def _missing(missing: tuple[Missing, ...]) -> list[MissingOut]:
    return [MissingOut(str(each.code), each.text, each.smallest_change) for each in missing]


async def _near(
    tx: Connection, web: Web, person_id: PersonId, cylinder: CylinderId, at: datetime
) -> list[str]:
    """Say which permits name the person and the cylinder and do not count now, and why."""
    told = []
    for permit in await permits_of_person(tx, person_id):
        try:
            facts = await permit_facts(tx, permit, at)
        except NotFound:
            continue  # nothing was known of it at that instant
        covers = cylinder in facts.cylinders or any(cylinder in step.cylinders for step in facts.steps)
        why = _why_not(web, facts, person_id, at) if covers else None
        if why:
            told.append(why)
    return told


def _why_not(web: Web, facts: PermitFacts, person_id: PersonId, at: datetime) -> str | None:
    if facts.state != "live":
        return f"permit {facts.number} is {facts.state.replace('_', ' ')}"
    if not any(member.person_id == person_id and member.is_signed_on(at) for member in facts.crew):
        return f"not signed on to permit {facts.number}"
    if not facts.window[0] <= at < facts.window[1]:
        zone = web.services.settings.zone
        begins, ends = (each.astimezone(zone).strftime("%Y-%m-%d %H:%M") for each in facts.window)
        return f"permit {facts.number} runs from {begins} to {ends}"
    return None


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
