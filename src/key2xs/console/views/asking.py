"""Asking for access on a form: whom, which locks, until when, and why."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from key2xs.access import Principal
from key2xs.api.web import Web
from key2xs.console.times import read_local
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotAllowed
from key2xs.core.ids import PersonId, RequestId
from key2xs.grants.requests import MOST_CYLINDERS
from key2xs.plant import get_cylinder

# As the API asks for them.
_SHORTEST_REASON: Final = 3
_LONGEST_REASON: Final = 500
_LONGEST_NAME: Final = 200
_BETWEEN: Final = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form says, as it was typed; shown again where something stands against it."""

    emergency: bool = False
    key: str = ""
    who: str = ""
    locks: str = ""
    until: str = ""
    reason: str = ""


def read_wanted(form: Mapping[str, str]) -> Wanted:
    """Read the form; what is too long is cut."""
    return Wanted(
        emergency=form.get("kind") == "emergency",
        key=form.get("key", "")[:_LONGEST_NAME],
        who=form.get("who", "")[:_LONGEST_NAME],
        locks=form.get("locks", "")[: (_LONGEST_NAME + 1) * MOST_CYLINDERS],
        until=form.get("until", "")[:40],
        reason=form.get("reason", "")[:_LONGEST_REASON],
    )


async def ask_for(tx: Connection, web: Web, caller: Principal, wanted: Wanted) -> RequestId:
    """Store the request; it begins now.

    Raises:
        InvalidInput: says what is missing or wrong.
        NotAllowed: the account is no person.
        NotFound: no such key or lock.
        Conflict: a stamp belongs to several locks.
    """
    if caller.person_id is None:
        raise NotAllowed("your account is not linked to a person")
    if len(wanted.reason) < _SHORTEST_REASON:
        raise InvalidInput("reason", "say in a few words why")
    names = [name for name in _BETWEEN.split(wanted.locks) if name]
    if not 0 < len(names) <= MOST_CYLINDERS:
        raise InvalidInput("locks", f"name 1 to {MOST_CYLINDERS} locks by their stamps")
    ends_at = read_local(wanted.until, web.services.settings.zone)
    if ends_at is None:
        raise InvalidInput("until", "give the day and the time at which it ends")
    if ends_at <= web.now:
        raise InvalidInput("until", "the end has passed already")
    person_id = await _person(tx, web, wanted)
    places = [await get_cylinder(tx, name) for name in names]
    return await web.services.requests.ask(
        tx,
        kind="emergency" if wanted.emergency else "approved_request",
        person_id=person_id,
        requester_id=caller.person_id,
        cylinders=[place.id for place in places],
        access_points=len({place.access_point_id for place in places}),
        starts_at=web.now,
        ends_at=ends_at,
        reason=wanted.reason,
        actor=caller.actor,
        at=web.now,
    )


async def _person(tx: Connection, web: Web, wanted: Wanted) -> PersonId:
    if bool(wanted.key) == bool(wanted.who):
        raise InvalidInput("who", "say who: the stamp of their key, or their number, and only one of the two")
    if wanted.key:
        key = await web.services.registry.get_key(tx, wanted.key)
        holder = await web.services.custody.holder_at(tx, key.id, web.now)
        if holder is None:
            raise InvalidInput("key", f"key {key.stamp} is handed to nobody")
        return holder
    return await find_person(tx, web, wanted.who)


async def find_person(tx: Connection, web: Web, who: str) -> PersonId:
    """Return the person of a personnel number or an IAM's id; people are never found by name.

    Raises:
        InvalidInput: nobody, or several.
    """
    for scheme in ("personnel_no", "iam", "person"):
        found = await web.identity.find_person(tx, scheme, who)
        if found is not None:
            return found
    raise InvalidInput("who", "nobody, or more than one person, goes by this number")
