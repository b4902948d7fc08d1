"""*Search*: what carries a text that somebody typed, and whom an exact number belongs to."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from key2xs.access import Permission, Principal
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.console.words import POINT_KINDS, VENDORS, named, plain
from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.identity.affiliations import search_companies
from key2xs.keys.search import FoundKey, search_keys
from key2xs.keys.types import StoredKey
from key2xs.plant.search import search_locks, search_points
from key2xs.work.facts import live_permits_of_person
from key2xs.work.search import search_permits
from key2xs.work.types import PermitSummary

from .sources import is_simulated

MOST_EACH: Final = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found. `exact`: it carries exactly what was typed. `vendor` for keys and locks."""

    noun: str
    icon: str
    label: str
    text: str
    href: str
    exact: bool
    system: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Whom an exact number belongs to: a pseudonym, the keys they have, the permits in force that name them."""

    alias: Alias
    keys: tuple[StoredKey, ...]
    permits: tuple[PermitSummary, ...]


async def find(tx: Connection, reader: Principal, text: str) -> list[Hit]:
    """Return everything the reader may see that fits a text: what carries exactly this first."""
    found: list[Hit] = []
    if reader.may(Permission.KEYS_KEY_READ):
        keys = await search_keys(tx, text, limit=MOST_EACH)
        twice = sum(each.exact for each in keys) > 1
        found += [_key(each, twice=twice and each.exact) for each in keys]
    if reader.may(Permission.WORK_PERMIT_READ):
        found += await _permits(tx, text)
    if reader.may(Permission.PLANT_CYLINDER_READ):
        found += await _places(tx, text)
    if reader.may(Permission.IDENTITY_COMPANY_READ):
        found += [
            Hit("company", "company", company.name, company.ref, f"/companies/{company.id}", exact)
            for company, exact in await search_companies(tx, text, limit=MOST_EACH)
        ]
    return sorted(found, key=lambda hit: not hit.exact)


def only_exact(hits: Iterable[Hit]) -> str | None:
    """Return where to go at once: the one thing that carries exactly what was typed. Two are both shown."""
    exact = {hit.href for hit in hits if hit.exact}
    return exact.pop() if len(exact) == 1 else None


async def find_by_number(tx: Connection, web: Web, number: str) -> FoundPerson | None:
    """Return the person who goes by an exact personnel number or id in the IAM; never by name."""
    person_id: PersonId | None = None
    for scheme in ("personnel_no", "iam"):
        person_id = person_id or await web.identity.find_person(tx, scheme, number.strip())
    alias = (await look_up(tx, [person_id], web.now)).of(person_id)
    if person_id is None or alias is None:
        return None
    return FoundPerson(
        alias,
        tuple(await web.services.custody.keys_of(tx, person_id, web.now)),
        tuple(await live_permits_of_person(tx, person_id, web.now)),
    )


def _key(found: FoundKey, *, twice: bool) -> Hit:
    key = found.key
    state = "blocked" if key.blocked_at else "no longer listed" if key.deleted else ""
    # A stamp that exists in two key systems leads nowhere; each key's id leads to its own page.
    name = str(key.id) if twice else key.stamp
    return Hit(
        "key", "key", key.stamp, state, f"/keys/{quote(name, safe='')}", found.exact,
        system=_system(found.system, found.vendor), simulated=is_simulated(found),
    )  # fmt: skip


async def _permits(tx: Connection, text: str) -> list[Hit]:
    return [
        Hit(
            "permit",
            "permit",
            each.number,
            f"{plain(each.type)}, area {each.area}" + (f", unit {each.unit}" if each.unit else ""),
            f"/permits/{each.id}",
            each.exact,
            system=each.source,
        )
        for each in await search_permits(tx, text, limit=MOST_EACH)
    ]


async def _places(tx: Connection, text: str) -> list[Hit]:
    locks = await search_locks(tx, text, limit=MOST_EACH)
    points = await search_points(tx, text, limit=MOST_EACH)
    return [
        Hit(
            "lock", "lock", each.cylinder.marking, f"{each.name} ({each.code})", _point(each.code), each.exact,
            system=_system("", each.cylinder.vendor), simulated=is_simulated(each.cylinder),
        )
        for each in locks if each.cylinder
    ] + [
        Hit(named(POINT_KINDS, "access point"), "door", each.code, each.name, _point(each.code), each.exact)
        for each in points
    ]  # fmt: skip


def _point(code: str) -> str:
    return f"/access-points/{quote(code, safe='')}"


def _system(name: str, vendor: str) -> str:
    make = named(VENDORS, vendor)
    return make if not name or name.casefold() == make.casefold() else f"{make}, {name}"
