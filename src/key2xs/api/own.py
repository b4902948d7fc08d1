"""What somebody sees of himself: keys, what he may open now and why, his openings, who looked, and the sources."""

from datetime import datetime
from uuid import UUID

import msgspec

from key2xs.access import Look
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId, PersonId
from key2xs.grants.reads import leases_of_person
from key2xs.identity.sources import sources_of_person
from key2xs.keys.person_reads import HadKey, custody_of_person, openings_of_person
from key2xs.keys.reads import keys_of_people
from key2xs.keys.types import StoredEvent
from key2xs.plant import list_cylinders

from .web import Web

_ALL = 100_000  # more locks than any site has


class OwnKey(msgspec.Struct, frozen=True):
    """A key that one has, and how far what is meant to be on it is."""

    stamp: str
    since: datetime
    blocked: bool
    progress: str


class OwnRight(msgspec.Struct, frozen=True):
    """What one may open now, and why."""

    why: str
    kind: str
    state: str
    begins: datetime
    until: datetime
    locks: list[str]


class OwnOpening(msgspec.Struct, frozen=True):
    """One opening or refusal. `at` None: the lock knew no time."""

    at: datetime | None
    read_at: datetime
    lock: str
    place: str
    key: str
    outcome: str
    class_: str = msgspec.field(name="class")
    sure: str = "unknown"


class OwnLook(msgspec.Struct, frozen=True):
    """Who looked at one's data: the roles of the account and the person's short form, never a name."""

    at: datetime
    who: UUID | None
    roles: list[str]
    what: str
    purpose: str
    reason: str | None
    case: str | None
    begins: datetime | None
    ends: datetime | None


class OwnSource(msgspec.Struct, frozen=True):
    """A source of one's data."""

    source: str
    what: str
    since: datetime


class Own(msgspec.Struct, frozen=True):
    """Everything Key2XS shows somebody about himself."""

    person: UUID
    at: datetime
    kept_days: int
    """Openings older than this no longer name anybody."""
    held: bool
    """Whether a legal hold keeps them longer."""
    keys: list[OwnKey]
    may_open: list[OwnRight]
    openings: list[OwnOpening]
    looks: list[OwnLook]
    sources: list[OwnSource]


async def read_own(tx: Connection, web: Web, person_id: PersonId, at: datetime) -> Own:
    """Read one person's own page. Nobody else's data is on it."""
    since = at - web.services.settings.privacy.kept
    markings = {
        place.id: (place.marking, place.access_point) for place in await list_cylinders(tx, limit=_ALL)
    }
    everybody, held = await web.access.holds.running(tx, at)
    custody = await custody_of_person(tx, person_id, since, at)
    stamps = await _stamps(tx, web, await openings_of_person(tx, person_id, since, at))
    return Own(
        person=person_id,
        at=at,
        kept_days=web.services.settings.privacy.named_event_days,
        held=everybody or person_id in held,
        keys=await _keys(tx, person_id, at, custody),
        may_open=await _rights(tx, person_id, at, markings),
        openings=[_opening(event, markings, stamps) for event in stamps.events],
        looks=[await _look(tx, web, each) for each in await web.access.looks.of_person(tx, person_id)],
        sources=[OwnSource(s.source, s.what, s.since) for s in await sources_of_person(tx, person_id)],
    )


class _Stamps(msgspec.Struct, frozen=True):
    events: list[StoredEvent]
    by_key: dict[KeyId, str]


async def _stamps(tx: Connection, web: Web, events: list[StoredEvent]) -> _Stamps:
    found = {}
    for key_id in {event.key_id for event in events if event.key_id is not None}:
        found[key_id] = (await web.services.registry.get_key(tx, key_id)).stamp
    return _Stamps(events, found)


async def _keys(tx: Connection, person_id: PersonId, at: datetime, custody: list[HadKey]) -> list[OwnKey]:
    since = {had.stamp: had.since for had in custody if had.until is None}
    keys = (await keys_of_people(tx, [person_id], at)).get(person_id, [])
    return [
        OwnKey(
            stamp=key.stamp,
            since=since.get(key.stamp, at),
            blocked=key.blocked_at is not None,
            progress=target.progress if target else "requested",
        )
        for key, target in keys
    ]


async def _rights(
    tx: Connection, person_id: PersonId, at: datetime, markings: dict[CylinderId, tuple[str, str]]
) -> list[OwnRight]:
    return [
        OwnRight(
            why=lease.reference or lease.basis_ref,
            kind=lease.basis_kind,
            state=lease.state,
            begins=lease.starts_at,
            until=lease.ends_at,
            locks=sorted(markings[cylinder][0] for cylinder in lease.cylinders if cylinder in markings),
        )
        for lease in await leases_of_person(tx, person_id)
        if lease.state != "ended" and lease.ends_at > at
    ]


def _opening(event: StoredEvent, markings: dict[CylinderId, tuple[str, str]], stamps: _Stamps) -> OwnOpening:
    lock, place = markings.get(event.cylinder_id, ("", "")) if event.cylinder_id else ("", "")
    return OwnOpening(
        at=event.occurred_at,
        read_at=event.arrived_at,
        lock=lock or event.lock_external_id,
        place=place,
        key=stamps.by_key.get(event.key_id, "") if event.key_id else "",
        outcome=event.outcome,
        class_=event.event_class,
        sure=event.certainty,
    )


async def _look(tx: Connection, web: Web, look: Look) -> OwnLook:
    user = await web.access.users.get(tx, look.user_id)
    return OwnLook(
        at=look.at,
        who=user.person_id,
        roles=sorted(user.roles),
        what=look.what,
        purpose=look.purpose,
        reason=look.reason,
        case=look.case_no,
        begins=look.begins,
        ends=look.ends,
    )
