"""Answers that take several rooms: why, until when, and how fast."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.explaining import explain_pair, find_person
from key2xs.api.exposing import (
    ExposureOut,
    expose_keys,
    key_exposure,
    keys_of_persons,
    latest,
    markings_of,
    worst,
)
from key2xs.api.exposure_totals import (
    ExposureTotals,
    TotalOut,
    cylinders_of_zone,
    totals_by,
)
from key2xs.api.paging import LARGEST_PAGE, USUAL_PAGE, At, Cursor, Limit, Name, OptionalName
from key2xs.api.shapes import Explained
from key2xs.api.web import Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import CompanyId, PersonId, parse_id
from key2xs.identity import Company, find_company, get_company, persons_of_company
from key2xs.keys.exposure_lists import keys_at
from key2xs.keys.live import keys_with_ids


class NoBound(msgspec.Struct, frozen=True):
    """A key that nothing known ends by itself, and where."""

    key: str
    holder: UUID | None
    cylinders: list[str]


class HowFast(msgspec.Struct, frozen=True):
    """How fast all access of a company can be revoked, if it were revoked now.

    `bound` is the latest instant at which any of its keys could still open anything; null where there is none.
    `begins_at`: while somebody is at work the shift leader is told first (S5), and the keys are told then at the latest.
    """

    company: UUID
    name: str
    at: datetime
    as_of: datetime | None
    people: int
    grants: int
    spared: int
    keys: int
    proven: int
    bounded: int
    bound: datetime | None
    no_bound: list[NoBound]
    begins_at: datetime


class ExplainAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom and what it is about; `person` is an id or `scheme:reference`."""

    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    cylinder: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    at: datetime | None = None


class ExposureAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom it is about: an id or `scheme:reference`."""

    person: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


@get(
    "/api/v1/explain",
    permission=Permission.POLICY_DECISION_EXPLAIN,
    tags=["answers"],
    summary="Why may this person open this, or what is missing",
)
async def explain(
    web: WebPart,
    person: Annotated[str, QueryParameter(max_length=200, description="Id, or `scheme:reference`.")],
    cylinder: Annotated[str, QueryParameter(max_length=200, description="Id, stamp or vendor id.")],
    at: At = None,
) -> Explained:
    """Every basis a person has at a cylinder, decided at an instant, with what is missing and how far the key is."""
    refuse_reference(person)
    async with web.services.database.read() as tx:
        return await explain_pair(tx, web, person, cylinder, web.instant(at))


@post(
    "/api/v1/explain",
    permission=Permission.POLICY_DECISION_EXPLAIN,
    status_code=200,
    tags=["answers"],
    summary="The same, for a person named by a reference",
)
async def explain_reference(web: WebPart, data: JSONBody[ExplainAsked]) -> Explained:
    """A personnel number is personal: it goes in the body, where no log of addresses keeps it."""
    async with web.services.database.read() as tx:
        return await explain_pair(tx, web, data.person, data.cylinder, web.instant(data.at))


@get(
    "/api/v1/exposure",
    permission=Permission.KEYS_EXPOSURE_READ,
    tags=["answers"],
    summary="Until when could keys still open",
)
async def exposure(
    web: WebPart,
    key: OptionalName = None,
    person: OptionalName = None,
    company: OptionalName = None,
    zone: OptionalName = None,
    limit: Limit = USUAL_PAGE,
    cursor: Cursor = None,
) -> ExposureOut:
    """Exposure of one key, of all keys of a person or a company, or at a security zone: name exactly one of them.

    The worst keys come first, a page of them; `total` says how many there are.
    """
    if person:
        refuse_reference(person)
    named = {"key": key, "person": person, "company": company, "zone": zone}
    return await _exposure(web, named, limit, cursor)


@post(
    "/api/v1/exposure",
    permission=Permission.KEYS_EXPOSURE_READ,
    status_code=200,
    tags=["answers"],
    summary="The same, for a person named by a reference",
)
async def exposure_reference(web: WebPart, data: JSONBody[ExposureAsked]) -> ExposureOut:
    """A personnel number is personal: it goes in the body, where no log of addresses keeps it."""
    return await _exposure(web, {"person": data.person}, LARGEST_PAGE, None)


def refuse_reference(person: str) -> None:
    """Refuse a reference of a person in an address.

    Raises:
        InvalidInput: it is no id.
    """
    if parse_id(person) is None:
        raise InvalidInput(
            "person", "only an id stands in an address; send a reference in the body, with POST"
        )


async def _exposure(web: Web, asked: dict[str, str | None], limit: int, cursor: str | None) -> ExposureOut:
    named = {name: value for name, value in asked.items() if value}
    if len(named) != 1:
        raise InvalidInput("key", "name exactly one of key, person, company and zone")
    ((kind, value),) = named.items()
    at = web.now
    async with web.services.database.read() as tx:
        if kind == "zone":
            cylinders = await cylinders_of_zone(tx, value)
            held = await keys_with_ids(tx, await keys_at(tx, cylinders, at))
            return await expose_keys(
                tx, web, held.values(), at, asked=named, only=cylinders, limit=limit, cursor=cursor
            )
        if kind == "key":
            keys = [await web.services.registry.get_key(tx, value)]
        elif kind == "person":
            keys = await keys_of_persons(tx, web, [await find_person(tx, web, value)], at)
        else:
            persons = await persons_of_company(tx, (await company_of(tx, value)).id, at)
            keys = await keys_of_persons(tx, web, persons, at)
        return await expose_keys(tx, web, keys, at, asked=named, limit=limit, cursor=cursor)


@get(
    "/api/v1/exposure/totals",
    permission=Permission.KEYS_EXPOSURE_READ,
    tags=["answers"],
    summary="What is left of rights that were ended, added up",
)
async def totals(
    web: WebPart,
    by: Annotated[
        Literal["zone", "company", "person", "key"], QueryParameter(description="What to add up by.")
    ],
) -> ExposureTotals:
    """The worst first: no bound, then the latest bound, then what is over. A key that acknowledged is not listed."""
    at = web.now
    async with web.services.database.read() as tx:
        groups = await totals_by(tx, by, at)
    return ExposureTotals(
        by=by,
        at=at,
        groups=[
            TotalOut(
                each.name, str(each.kind), each.until, each.no_bound, each.bound, each.proven, each.cylinders
            )
            for each in groups
        ],
    )


@get(
    "/api/v1/companies/{company:str}/how-fast",
    permission=Permission.KEYS_EXPOSURE_READ,
    tags=["answers"],
    summary="How fast could all access of this company be revoked",
)
async def how_fast(web: WebPart, company: Name) -> HowFast:
    """Answer as if every grant of the company ended now and nothing further reached its keys."""
    at = web.now
    async with web.services.database.read() as tx:
        return await how_fast_of(tx, web, await company_of(tx, company), at)


async def how_fast_of(tx: Connection, web: Web, company: Company, at: datetime) -> HowFast:
    """Answer for one company."""
    persons = await persons_of_company(tx, company.id, at)
    affected = await web.services.mass.look(tx, persons)
    keys = await keys_of_persons(tx, web, persons, at)
    openers = web.services.openers
    begins_at = await _begins_at(tx, web, company, persons, at)
    exposures = [await openers.exposure_of(tx, key, begins_at, as_if_revoked=True) for key in keys]
    markings = await markings_of(tx, exposures)
    answers = [key_exposure(each, markings) for each in exposures]
    endless = [each for each in answers if each.kind == "no_bound"]
    return HowFast(
        company=company.id,
        name=company.name,
        at=at,
        as_of=min((each.as_of for each in answers if each.as_of is not None), default=None),
        people=len(persons),
        grants=len(affected.leases),
        spared=len(affected.spared),
        keys=len(keys),
        proven=sum(1 for each in answers if each.kind == "proven_end"),
        bounded=sum(1 for each in answers if each.kind == "bound"),
        bound=latest(answers) if worst(each.kind for each in answers) != "no_bound" else None,
        no_bound=[
            NoBound(
                each.key, each.holder, [pair.cylinder for pair in each.cylinders if pair.kind == "no_bound"]
            )
            for each in endless
        ],
        begins_at=begins_at,
    )


async def _begins_at(
    tx: Connection, web: Web, company: Company, persons: Sequence[PersonId], at: datetime
) -> datetime:
    """Return when the last of a company's keys is told at the latest, if it were revoked now."""
    looked = await web.services.kills.look(tx, f"company:{company.id}", at, people=persons, two_people=True)
    return at + web.services.settings.safety.kill_wait if looked.at_work else at


async def company_of(tx: Connection, name: str) -> Company:
    """Return the company of an id or a code.

    Raises:
        NotFound: there is none.
    """
    made = parse_id(name)
    found = await get_company(tx, CompanyId(made)) if made else await find_company(tx, name)
    if found is None:
        raise NotFound("no company is known by this id or code")
    return found


HANDLERS = (explain, explain_reference, exposure, exposure_reference, totals, how_fast)
