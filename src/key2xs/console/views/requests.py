"""Requests that wait for a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.grants.requests import EMERGENCY_APPROVERS
from key2xs.grants.types import Request
from key2xs.plant.types import Cylinder

from .openings import cylinders_by_id


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request with everybody and everything it names."""

    request: Request
    holder: Alias | None
    requester: Alias | None
    approvers: tuple[Alias, ...]
    cylinders: tuple[Cylinder, ...]

    @property
    def is_emergency(self) -> bool:
        """Tell whether two people are needed."""
        return self.request.kind == "emergency"

    @property
    def approvals_missing(self) -> int:
        """How many people still have to approve."""
        needed = EMERGENCY_APPROVERS if self.is_emergency else 1
        return max(0, needed - len(self.request.approvers))

    def why_not(self, person_id: PersonId | None) -> str | None:
        """Say why somebody may not decide on it; None when they may. The room itself checks again."""
        if person_id is None:
            return "your account is not linked to a person, so you cannot approve"
        if person_id == self.request.person_id:
            return "you would hold the key, so somebody else decides"
        if person_id == self.request.requester_id and not self.is_emergency:
            return "you asked for it, so somebody else decides"
        if person_id in self.request.approvers:
            return "you approved already; a second person is needed"
        return None


async def request_lines(tx: Connection, requests: Sequence[Request], at: datetime) -> list[RequestLine]:
    """Look up everything some requests name."""
    named = [request.person_id for request in requests] + [request.requester_id for request in requests]
    people = await look_up(tx, [*named, *(a for request in requests for a in request.approvers)], at)
    cylinders = await cylinders_by_id(tx, [c for request in requests for c in request.cylinders])
    return [
        RequestLine(
            request,
            people.of(request.person_id),
            people.of(request.requester_id),
            tuple(alias for a in sorted(request.approvers) if (alias := people.of(a))),
            tuple(
                sorted((cylinders[c] for c in request.cylinders if c in cylinders), key=lambda c: c.marking)
            ),
        )
        for request in requests
    ]


def urgent_first(lines: Sequence[RequestLine]) -> list[RequestLine]:
    """Return emergencies first, then whoever waits longest."""
    return sorted(lines, key=lambda line: (not line.is_emergency, line.request.asked_at))
