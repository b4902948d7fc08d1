"""From a permit to what the safety rules ask of it: its lockout, and who attends. Pure."""

from collections.abc import Mapping
from datetime import datetime

from key2xs.core.ids import PersonId
from key2xs.core.tri import UNKNOWN, Tri
from key2xs.policy.view import PARTS
from key2xs.safety import Box, Crew, Lockout
from key2xs.work.types import CrewMember, PermitFacts

# Certificates whose points are all in these states isolate nothing yet, or no longer.
_NOT_ISOLATED = frozenset({"planned", "deisolated"})


def lockout_of(facts: PermitFacts, at: datetime) -> Lockout:
    """Return the lock boxes of a permit, whose locks hang on them, and who is at work behind them."""
    names = dict.fromkeys((*facts.lock_boxes, *(lock.box for lock in facts.personal_locks)))
    boxes = tuple(
        Box(
            name,
            ever=frozenset(str(lock.party_id) for lock in facts.personal_locks if lock.box == name),
            on=frozenset(
                str(lock.party_id)
                for lock in facts.personal_locks
                if lock.box == name and (lock.off_at is None or lock.off_at > at)
            ),
        )
        for name in names
    )
    return Lockout(
        boxes=boxes,
        workers=frozenset(str(each.party_id) for each in facts.crew if _works(each, at)),
        isolated=any(
            point.state not in _NOT_ISOLATED for each in facts.isolations for point in each.points or (each,)
        ),
    )


def is_isolating(facts: PermitFacts, person_id: PersonId, at: datetime) -> bool:
    """Tell whether somebody is the isolating authority of a permit now."""
    return any(
        each.person_id == person_id and each.is_signed_on(at) and PARTS.get(each.role) == "isolating"
        for each in facts.crew
    )


def crew_of(facts: PermitFacts, active: Mapping[PersonId, Tri], at: datetime) -> list[Crew]:
    """Return the people of a permit; whoever is not known as an identity is not known to be active."""
    return [
        Crew(
            each.role,
            each.is_signed_on(at),
            active.get(each.person_id, UNKNOWN) if each.person_id is not None else UNKNOWN,
        )
        for each in facts.crew
    ]


def _works(member: CrewMember, at: datetime) -> bool:
    return member.is_signed_on(at) and member.role not in PARTS
