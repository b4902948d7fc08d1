"""People and companies. People appear by id; a name is shown for a stated purpose, and that leaves a trace."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import At, Id, Name
from key2xs.api.routes.answers import company_of
from key2xs.api.shapes import GrantOut, KeyOut, grant_out, key_out
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import PersonId
from key2xs.grants.reads import leases_of_person
from key2xs.identity import Company, list_companies, persons_of_company
from key2xs.keys.reads import keys_of_people


class DutyOut(msgspec.Struct, frozen=True):
    """A duty somebody is on."""

    role: str
    unit: UUID
    until: datetime | None


class PersonOut(msgspec.Struct, frozen=True):
    """What is known of a person, without a name."""

    id: UUID
    at: datetime
    active: str
    contract: str
    contract_until: datetime | None
    company: UUID | None
    qualifications: dict[str, datetime | None]
    roles: list[str]
    duties: list[DutyOut]
    keys: list[KeyOut]
    grants: list[GrantOut]


class Purpose(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a name is needed."""

    purpose: Annotated[str, msgspec.Meta(min_length=5, max_length=200)]


class NameOut(msgspec.Struct, frozen=True):
    """What a person is called; null when erased."""

    id: UUID
    name: str | None


class CompanyOut(msgspec.Struct, frozen=True):
    """A firm that sends people."""

    id: UUID
    code: str
    name: str


class CompanyDetail(msgspec.Struct, frozen=True):
    """A firm and its people, by id."""

    id: UUID
    code: str
    name: str
    people: list[UUID]


class CompanyList(msgspec.Struct, frozen=True):
    """All firms."""

    items: list[CompanyOut]


@get(
    "/api/v1/persons/{person:uuid}",
    permission=(Permission.IDENTITY_PERSON_READ, Permission.GRANTS_LEASE_READ, Permission.KEYS_KEY_READ),
    tags=["identity"],
    summary="One person, without the name",
)
async def person(web: WebPart, person: Id, at: At = None) -> PersonOut:
    """Status, qualifications, duties, keys and newest grants of one person."""
    instant, person_id = web.instant(at), PersonId(person)
    async with web.services.database.read() as tx:
        facts = await web.identity.person_facts(tx, person_id, instant)
        keys = (await keys_of_people(tx, [person_id], instant)).get(person_id, [])
        grants = await leases_of_person(tx, person_id)
    return PersonOut(
        id=person_id,
        at=instant,
        active=facts.active,
        contract=facts.contract,
        contract_until=facts.contract_until,
        company=facts.company_id,
        qualifications=dict(facts.qualifications),
        roles=sorted(facts.roles),
        duties=[DutyOut(duty.role, duty.unit_id, duty.until) for duty in facts.duties],
        keys=[key_out(key, holder=person_id, target=target) for key, target in keys],
        grants=[grant_out(lease) for lease in grants],
    )


@post(
    "/api/v1/persons/{person:uuid}/reveal",
    permission=Permission.IDENTITY_PERSON_REVEAL,
    status_code=200,
    tags=["identity"],
    summary="Show a person's name, for a stated purpose",
)
async def reveal(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, person: Id, data: JSONBody[Purpose]
) -> Response[NameOut]:
    """Show a name. It leaves an entry, and a trace that the person sees."""
    if not data.purpose.strip():
        raise InvalidInput("purpose", "say why")
    if "idempotency-key" in request.headers:
        # An answer that is kept for repeats would keep the name.
        raise InvalidInput("Idempotency-Key", "is not taken here; asking twice is told twice")
    at, person_id = web.now, PersonId(person)

    async def work(tx: Connection) -> NameOut:
        await web.identity.person_facts(tx, person_id, at)
        await web.access.looks.name(tx, person_id, caller, data.purpose, at=at)
        return NameOut(person_id, (await web.identity.names(tx, [person_id]))[person_id])

    return await perform(web, request, caller, work)


@get("/api/v1/companies", permission=Permission.IDENTITY_COMPANY_READ, tags=["identity"], summary="Companies")
async def companies(web: WebPart) -> CompanyList:
    """All companies by code."""
    async with web.services.database.read() as tx:
        return CompanyList([_company(each) for each in await list_companies(tx)])


@get(
    "/api/v1/companies/{company:str}",
    permission=(Permission.IDENTITY_COMPANY_READ, Permission.IDENTITY_PERSON_READ),
    tags=["identity"],
    summary="One company by id or code",
)
async def company(web: WebPart, company: Name) -> CompanyDetail:
    """One company and everybody with a contract now or later."""
    async with web.services.database.read() as tx:
        found = await company_of(tx, company)
        people = await persons_of_company(tx, found.id, web.now)
    return CompanyDetail(found.id, found.ref, found.name, sorted(people))


def _company(found: Company) -> CompanyOut:
    return CompanyOut(found.id, found.ref, found.name)


HANDLERS = (person, reveal, companies, company)
