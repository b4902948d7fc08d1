"""What has to be right about a permit on paper before anybody may stand for it. Every refusal names its field."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CylinderId, PersonId
from key2xs.core.sql import load_queries
from key2xs.identity import Identity
from key2xs.plant import cylinder_facts, cylinders_of_assets, find_area

from .checks import PERMIT_TYPES
from .feed import feed_ok
from .paper_form import ATTENDANT, PaperForm, number_key

_SQL = load_queries("key2xs.work", "queries_paper.sql")
_NEEDS_GAS: Final = frozenset({"hot_work", "confined_space"})


async def check_form(
    tx: Connection,
    identity: Identity,
    form: PaperForm,
    *,
    sources: Collection[str],
    longest: timedelta,
    at: datetime,
) -> None:
    """Refuse a sheet that may not open anything.

    Raises:
        InvalidInput: names the field and what is wrong with it.
    """
    await check_silent(tx, form.stands_for, sources, at)
    await _check_number(tx, form)
    _check_window(form, longest, at)
    await _check_people(tx, identity, form, at)
    _check_type(form)
    await _check_scope(tx, form, at)


def check_source(source: str, sources: Collection[str], *, field: str = "stands_for") -> None:
    """Refuse a name that no permit system of the site has.

    Raises:
        InvalidInput: there is none.
    """
    if source not in sources:
        raise InvalidInput(field, "names no permit system of this site")


async def check_silent(tx: Connection, source: str, sources: Collection[str], at: datetime) -> None:
    """Refuse paper while the permit system it would stand in for is there.

    Raises:
        InvalidInput: no such permit system, or it is not down.
    """
    check_source(source, sources)
    fresh, heard_at = await feed_ok(tx, source, at)
    if fresh == "no":
        return
    if heard_at is None:
        raise InvalidInput("stands_for", f"{source} was never heard; two people may declare it down")
    raise InvalidInput(
        "stands_for",
        f"{source} is there (heard {heard_at:%H:%M:%S} UTC): write the permit in it, or have two people declare it down",
    )


def check_two(form: PaperForm, written_by: PersonId, confirmed_by: PersonId | None) -> None:
    """Refuse two people who may not stand for this sheet together.

    Raises:
        InvalidInput: says who stands in the way.
    """
    two = {written_by, confirmed_by} - {None}
    for field, person in form.people():
        if person in two and field != "issuing" and not field.startswith(("gas", "isolation")):
            raise InvalidInput(field, "writes or confirms this permit; nobody does that for his own work")
    if confirmed_by is not None and form.issuing not in two:
        raise InvalidInput(
            "issuing", "must write or confirm it in person: nobody signs for the issuing authority"
        )


async def _check_number(tx: Connection, form: PaperForm) -> None:
    if not number_key(form.number):
        raise InvalidInput("number", "give the number printed on the sheet")
    used_at = await tx.fetchval(_SQL["paper_number"], number_key(form.number))
    if used_at is not None:
        raise InvalidInput(
            "number",
            f"{form.number} was used on {used_at:%Y-%m-%d %H:%M} UTC; every sheet has its own number",
        )


def _check_window(form: PaperForm, longest: timedelta, at: datetime) -> None:
    if form.valid_to <= form.valid_from:
        raise InvalidInput("valid_to", "is not after the start")
    if form.valid_to <= at:
        raise InvalidInput("valid_to", "has passed already")
    if form.valid_to - form.valid_from > longest:
        hours = longest.total_seconds() / 3600
        raise InvalidInput("valid_to", f"is more than one shift ({hours:g} hours) after the start")
    if form.valid_from > at + longest:
        raise InvalidInput("valid_from", "lies beyond the next shift; by then the permit system may be back")


async def _check_people(tx: Connection, identity: Identity, form: PaperForm, at: datetime) -> None:
    if form.issuing == form.performing:
        raise InvalidInput("performing", "is the same person as the issuing authority; a permit needs two")
    seen = {(form.performing, "performing_authority")}
    for place, member in enumerate(form.crew):
        if member.person == form.issuing:
            raise InvalidInput(
                f"crew[{place}].person", "is the issuing authority, who does not work under it"
            )
        if (member.person, member.role) in seen:
            raise InvalidInput(f"crew[{place}].person", "stands on the sheet twice")
        seen.add((member.person, member.role))
    for field, person_id in form.people():
        if await identity.find_person(tx, "person", str(person_id)) is None:
            raise InvalidInput(field, "is nobody the identity system knows")
        facts = await identity.person_facts(tx, person_id, at)
        if facts.active != "yes":
            raise InvalidInput(field, "is not an active person, as far as the identity system last said")
    if form.gas and form.gas.tested_by == form.performing:
        raise InvalidInput("gas.tested_by", "is the performing authority; somebody else tests")
    if form.isolation and form.isolation.proven_by in {form.performing, *(m.person for m in form.crew)}:
        raise InvalidInput(
            "isolation.proven_by", "works under this permit; somebody else proves the isolation"
        )


def _check_type(form: PaperForm) -> None:
    if form.type not in PERMIT_TYPES:
        raise InvalidInput("type", "is no type of permit known here")
    if form.type in _NEEDS_GAS and form.gas is None:
        raise InvalidInput("gas", "is missing: this type of work needs a gas test on the sheet")
    if form.gas and form.gas.valid_to <= form.gas.at:
        raise InvalidInput("gas.valid_to", "is not after the test")
    if form.type == "confined_space":
        watching = {member.person for member in form.crew if member.role == ATTENDANT}
        entering = {member.person for member in form.workers if member.role != ATTENDANT}
        if not watching:
            raise InvalidInput("crew", "has no attendant; a confined space needs one outside")
        if watching & entering:
            raise InvalidInput("crew", "the attendant also stands as somebody who goes inside")


async def _check_scope(tx: Connection, form: PaperForm, at: datetime) -> None:
    if not form.assets and not form.cylinders:
        raise InvalidInput("locks", "name the locks or the plant items the work is on")
    if await find_area(tx, form.area) is None:
        raise InvalidInput("area", f"{form.area} is not in the plant model")
    mapping = await cylinders_of_assets(tx, [(each.scheme, each.id) for each in form.assets], at=at)
    for each in mapping.unmapped:
        raise InvalidInput("assets", f"{each.code} leads to no lock ({each.reason.replace('_', ' ')})")
    known = await cylinder_facts(tx, [CylinderId(each) for each in form.cylinders], at=at)
    for place, cylinder in enumerate(form.cylinders):
        if CylinderId(cylinder) not in known:
            raise InvalidInput(f"locks[{place}]", "is no lock of this plant")
