"""The key desk: what was scanned, what became of it, and what a person should look at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.access import Principal
from key2xs.api.releasing import propose_take_back
from key2xs.api.web import Web
from key2xs.console.people import Alias, People, look_up
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import KeyId, PersonId, parse_id
from key2xs.keys.adoption.adopting import adopt_one
from key2xs.keys.desk import handing
from key2xs.keys.desk.cabinets.files import CabinetState, cabinets
from key2xs.keys.desk.crews import make_crew
from key2xs.keys.desk.findings import Finding, open_findings
from key2xs.keys.desk.history import handling_of, last_handling
from key2xs.keys.desk.lists import OutLine, keys_by_stamp, overdue
from key2xs.keys.desk.mishaps import Report, open_reports
from key2xs.keys.desk.outlook import Outlook, outlook
from key2xs.keys.types import StoredKey

_BETWEEN: Final = re.compile(r"[\s,;]+")
_MOST_KEYS: Final = 20
_MOST_ACTS: Final = 20
_ADOPTED_FOR: Final = "handed out at the key desk"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the keys that carry the same stamp."""

    key: StoredKey
    system: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What came from the scanner. `to` is the person from the step before."""

    who: str = ""
    to: str = ""
    keys: str = ""
    key_ids: tuple[str, ...] = ()
    crew: str = ""
    members: str = ""
    adopt: tuple[str, ...] = ()
    """Keys that somebody agreed to adopt, with what they open already, before they are handed out."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The desk has to ask: which of the keys with one stamp; or the person is known and the key is not."""

    person: PersonId | None
    choices: tuple[Choice, ...] = ()
    both: str = ""
    """A number that a person and a key have."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: words about keys, and whether anything waits for a second person."""

    acts: tuple[UUID, ...]
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One key after the act."""

    act: UUID
    key: StoredKey
    out: bool
    person: Alias | None
    crew: str | None
    outlook: Outlook | None
    due_at: datetime | None
    undo_until: datetime | None


@dataclass(frozen=True, slots=True)
class DeskView:
    """Everything on the page beside the form."""

    results: tuple[Result, ...]
    person: Alias | None
    overdue: tuple[OutLine, ...]
    findings: tuple[Finding, ...]
    reports: tuple[tuple[str, Report], ...]
    cabinets: tuple[CabinetState, ...]
    people: People


async def find_who(tx: Connection, web: Web, who: str) -> PersonId | None:
    """Return the person of a personnel number or an id; people are never found by name."""
    for scheme in ("personnel_no", "iam", "person"):
        found = await web.identity.find_person(tx, scheme, who)
        if found is not None:
            return found
    return None


async def carry_out(tx: Connection, web: Web, caller: Principal, scan: Scan) -> Ask | Done:
    """Do what a scan means: hand out, take back, or ask.

    Raises:
        InvalidInput: nobody and nothing goes by what was scanned.
        Conflict: says what stands against it.
        NotFound: the person is gone.
    """
    person, words = await _first_field(tx, web, scan)
    if isinstance(person, Ask):
        return person
    if not words and not scan.key_ids:
        if person is None:
            raise InvalidInput("who", "scan a person, or a key that comes back")
        return Ask(person)
    keys = await _second_field(tx, web, scan, person, words)
    if isinstance(keys, Ask):
        return keys
    if person is None:
        return await _take_back(tx, web, caller, keys)
    return await _hand_out(tx, web, caller, person, keys, scan)


async def _first_field(tx: Connection, web: Web, scan: Scan) -> tuple[PersonId | Ask | None, list[str]]:
    """Return who is meant, and the stamps; a key scanned into the first field comes back."""
    words = [word for word in _BETWEEN.split(scan.keys) if word]
    made = parse_id(scan.to)
    if made is not None or not scan.who:
        return PersonId(made) if made else None, words
    person, as_key = await find_who(tx, web, scan.who), await _keys(tx, scan.who)
    alone = not words and not scan.key_ids
    if person is not None and as_key and alone:
        return Ask(person, tuple(as_key), both=scan.who), words
    if person is None and not (as_key and alone):
        raise InvalidInput("who", f"nobody, or more than one person, goes by {_short(scan.who)}")
    return person, words if person is not None else [scan.who]


async def _second_field(
    tx: Connection, web: Web, scan: Scan, person: PersonId | None, words: Sequence[str]
) -> list[StoredKey] | Ask:
    """Return the keys; a person scanned into the second field is the one who gets the next key."""
    if len(words) + len(scan.key_ids) > _MOST_KEYS:
        raise InvalidInput("keys", f"at most {_MOST_KEYS} at once")
    keys = [await web.services.registry.get_key(tx, each) for each in scan.key_ids]
    for word in words:
        found = await _keys(tx, word)
        switched = await find_who(tx, web, word) if not found and len(words) == 1 else None
        if switched is not None:
            return Ask(switched)
        if not found:
            raise InvalidInput("keys", f"no key carries the stamp {_short(word)}")
        if len(found) > 1:
            return Ask(person, tuple(found))
        keys.append(found[0].key)
    return keys


async def read_desk(tx: Connection, web: Web, caller: Principal, acts: Sequence[str], to: str) -> DeskView:
    """Read the page. Only one's own acts are shown by their id."""
    at, services = web.now, web.services
    wanted = [parse_id(each) for each in acts[:_MOST_ACTS]]
    raw = [await _result(tx, web, caller, act, at) for act in wanted if act is not None]
    late = await overdue(tx, at)
    found = await open_findings(tx)
    person = PersonId(made) if (made := parse_id(to)) else None
    results = [each for each in raw if each is not None]
    people = await look_up(
        tx,
        [
            person, *(each.person_id for each in late), *(each.person_id for each in found),
            *(each.holder_id for each in found), *(who for _, who in results),
        ],
        at,
    )  # fmt: skip
    return DeskView(
        results=tuple(_named(result, people.of(who)) for result, who in results),
        person=people.of(person),
        overdue=tuple(late),
        findings=tuple(found),
        reports=tuple(await open_reports(tx, web.services.ledger)),
        cabinets=tuple(await cabinets(tx)) if services.key_desk.cabinets else (),
        people=people,
    )


async def _keys(tx: Connection, stamp: str) -> list[Choice]:
    return [Choice(key, system) for key, system in await keys_by_stamp(tx, stamp)]


async def _take_back(tx: Connection, web: Web, caller: Principal, keys: Sequence[StoredKey]) -> Done:
    acts, proposed = [], False
    for key in keys:
        if await web.services.custody.holder_at(tx, key.id, web.now) is None:
            message = f"key {key.stamp} is not out. To hand it out, scan the person first"
            raise Conflict(message)
        kept = await web.services.key_ends.kept(tx, key, web.now)
        if kept:
            await propose_take_back(tx, web, caller, key, kept, reason=f"take key {key.stamp} back")
            proposed = True
            continue
        await handing.take_back(tx, web.services.key_desk, key.id, actor=caller.actor, at=web.now)
        acts.append(await _act_of(tx, key.id))
    return Done(tuple(acts), proposed)


async def _hand_out(
    tx: Connection, web: Web, caller: Principal, person: PersonId, keys: Sequence[StoredKey], scan: Scan
) -> Done:
    crew = None
    if scan.crew or scan.members:
        members = []
        for number in (each for each in _BETWEEN.split(scan.members) if each):
            found = await find_who(tx, web, number)
            if found is None:
                raise InvalidInput("members", f"nobody, or more than one person, goes by {_short(number)}")
            members.append(found)
        crew = make_crew(scan.crew, person, members)
    acts = []
    for key in keys:
        if str(key.id) in scan.adopt:
            await adopt_one(tx, web.services.ledger, key, actor=caller.actor, at=web.now, reason=_ADOPTED_FOR)
        await handing.hand_out(
            tx, web.services.key_desk, key.id, person, actor=caller.actor, at=web.now, crew=crew
        )
        acts.append(await _act_of(tx, key.id))
    return Done(tuple(acts))


async def _act_of(tx: Connection, key_id: KeyId) -> UUID:
    last = await last_handling(tx, key_id)
    if last is None:
        raise AssertionError  # pragma: no cover - the act was written a moment ago
    return last[0].id


async def _result(
    tx: Connection, web: Web, caller: Principal, act: UUID, at: datetime
) -> tuple[Result, PersonId | None] | None:
    found = await handling_of(tx, act)
    if found is None or found[2] != caller.actor:
        return None
    handling, key_id, _ = found
    services = web.services
    try:
        key = await services.registry.get_key(tx, key_id)
    except NotFound:
        return None
    last = await last_handling(tx, key_id)
    if last is None or last[0].id != act:
        return None  # something happened to the key since: the result is old
    out = handling.kind == "out"
    will = undo = None
    if out and handling.person_id is not None:
        desk = services.key_desk
        will = await outlook(tx, desk, key, handling.person_id, at, services.settings.zone)
        undo = await handing.undo_until(tx, desk, key_id, actor=caller.actor, at=at)
    crew = "a crew" if handling.crew_id else None
    return Result(act, key, out, None, crew, will, handling.due_at, undo), handling.person_id


def _named(result: Result, person: Alias | None) -> Result:
    return Result(
        result.act,
        result.key,
        result.out,
        person,
        result.crew,
        result.outlook,
        result.due_at,
        result.undo_until,
    )


def _short(text: str) -> str:
    """Return what was scanned, for a message on the same screen; never for a log."""
    return text[:40]
