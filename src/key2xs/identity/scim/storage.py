"""The SCIM library's storage, on the identity room.

One storage serves one request of one source. Users are sealed documents beside the facts they state; groups are
rows whose members are role facts. Every write has its entry in the same transaction.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from scim2_models import (
    InvalidValueException,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimProvider,
    SearchRequest,
    UniquenessException,
)
from scim2_server.conditions import Conditions
from scim2_server.storage import AsyncScimStorage, SearchPage

from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import CompanyId, PersonId, parse_id
from key2xs.core.vault import VaultError
from key2xs.identity import groups
from key2xs.identity.companies import find_company
from key2xs.identity.desk import SQL, Desk
from key2xs.identity.links import blind_email, blind_name, match, references_of
from key2xs.identity.statements import apply_statement, read_profile
from key2xs.identity.types import Act, Group, PersonStatement

from .convert import Document, company_ref, document_of, emails_of, statement_of
from .members import MemberPatch
from .records import Records, version_of
from .schemas import KEY2XS
from .search import best_condition, page, wants


class SourceStorage(AsyncScimStorage):
    """What one SCIM source may read and write, within one request."""

    def __init__(
        self, database: Database, desk: Desk, provider: ScimProvider, *, source: str, actor: str, at: datetime
    ) -> None:
        """Serve one request of `source`, made by `actor` at `at`."""
        self._database, self._desk = database, desk
        self._records = Records(desk, provider, source)
        self._source, self._act = source, Act(actor, at)
        self._open: Connection | None = None

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Hold one transaction for a whole SCIM operation."""
        async with self._database.transaction() as tx:
            self._open = tx
            try:
                yield
            finally:
                self._open = None

    @asynccontextmanager
    async def _tx(self) -> AsyncIterator[Connection]:
        if self._open is not None:
            yield self._open
            return
        async with self._database.transaction() as tx:
            yield tx

    # --- reading -------------------------------------------------------------------------------------------

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return one user or group."""
        known = _id_of(resource_id)
        async with self._tx() as tx:
            if _is_group(resource_type):
                group = await self._group(tx, known)
                return await self._records.group(
                    tx, known, group, members=wants(response_parameters, "members")
                )
            row = await tx.fetchrow(SQL["get_scim_user"], self._source, known)
            found = await self._records.users(tx, [row] if row else [])
            if not found:
                raise NotFoundException
            return found[0]

    async def search(
        self,
        resource_types: list[ResourceType],
        search_request: SearchRequest[Any],
        *,
        position: Any = None,  # noqa: ARG002 - cursors are not announced
    ) -> SearchPage:
        """Return one page of matching users and groups, oldest first unless sorted."""
        async with self._tx() as tx:
            if len(resource_types) == 1 and not _is_group(resource_types[0]):
                plain = search_request.filter is None and search_request.sort_by is None
                if plain:
                    return await self._user_page(tx, search_request)
            found: list[Resource[Any]] = []
            for resource_type in resource_types:
                if _is_group(resource_type):
                    found += await self._records.groups(tx, search_request)
                else:
                    found += await self._records.users(
                        tx, await self._records.user_rows(tx, best_condition(search_request.filter))
                    )
            return page(search_request, found)

    async def _user_page(self, tx: Connection, request: SearchRequest[Any]) -> SearchPage:
        total = await tx.fetchval(SQL["count_scim_users"], self._source)
        rows = await tx.fetch(SQL["list_scim_users"], self._source, request.start_index_0 or 0, request.count)
        return SearchPage(total, await self._records.users(tx, rows))

    async def _group(self, tx: Connection, group_id: UUID, *, lock: bool = False) -> Group:
        group = await groups.find_group(tx, self._source, group_id, lock=lock)
        if group is None:
            raise NotFoundException
        return group

    # --- writing -------------------------------------------------------------------------------------------

    async def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new user or group."""
        async with self._tx() as tx, _as_scim_errors():
            if _is_group(resource_type):
                return await self._create_group(tx, resource)
            document = document_of(resource)
            statement = await self._statement(tx, document)
            await self._check_name(tx, document, None)
            known = await match(tx, references_of(self._desk, statement))
            if known is not None:
                row = await tx.fetchrow(SQL["scim_record_of"], self._source, known)
                if row is not None and row["deleted_at"] is None:
                    raise UniquenessException(
                        detail="externalId or employeeNumber belongs to an existing user"
                    )
            result = await apply_statement(
                tx, self._desk, self._act, statement, person_id=known, force_entry=True
            )
            return await self._store(tx, result.person_id, document, result.entry)

    async def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Replace a user or group."""
        known = _id_of(str(resource.id))
        async with self._tx() as tx, _as_scim_errors():
            if _is_group(resource_type):
                return await self._update_group(tx, known, resource, expected_version)
            await self._lock_user(tx, known, expected_version)
            document = document_of(resource)
            statement = await self._statement(tx, document)
            await self._check_name(tx, document, known)
            result = await apply_statement(
                tx, self._desk, self._act, statement, person_id=PersonId(known), force_entry=True
            )
            return await self._store(tx, PersonId(known), document, result.entry)

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        """Make a tombstone of a user or group: SCIM answers 404, the person is ended and kept."""
        known = _id_of(resource_id)
        async with self._tx() as tx, _as_scim_errors():
            if _is_group(resource_type):
                group = await self._group(tx, known, lock=True)
                _check_version(group.entry, expected_version)
                await groups.delete_group(tx, self._desk, self._act, known, group)
                return
            await self._lock_user(tx, known, expected_version)
            person_id = PersonId(known)
            profile = await read_profile(tx, self._desk, person_id)
            statement = PersonStatement(source=self._source, profile=profile, active=False)
            result = await apply_statement(
                tx, self._desk, self._act, statement, person_id=person_id, force_entry=True, deleted=True
            )
            await tx.execute(SQL["delete_scim_user"], self._source, known, self._act.at, result.entry)

    async def patch_members(
        self, group_id: str, patch: MemberPatch, conditions: Conditions, *, etags: bool
    ) -> str:
        """Change a group's members without loading them into the library; returns the new version."""
        known = _id_of(group_id)
        async with self._tx() as tx, _as_scim_errors():
            group = await self._group(tx, known, lock=True)
            conditions.check(version_of(group.entry) if etags else None, "PATCH")
            now = frozenset(str(person) for person in await groups.members(tx, known))
            wanted = patch.apply(now)
            change = groups.GroupChange(
                display_name=patch.display_name,
                external_id=patch.external_id,
                add=await self._people(tx, wanted - now),
                remove=frozenset(PersonId(UUID(each)) for each in now - wanted),
            )
            return version_of(await groups.change_group(tx, self._desk, self._act, known, group, change))

    async def _lock_user(self, tx: Connection, person_id: UUID, expected_version: str | None) -> None:
        # The head first: every other writer takes it before any row, so nobody waits in a circle.
        await self._desk.lock_person(tx, PersonId(person_id))
        row = await tx.fetchrow(SQL["lock_scim_user"], self._source, person_id)
        if row is None:
            raise NotFoundException
        _check_version(row["entry"], expected_version)

    async def _statement(self, tx: Connection, document: Document) -> PersonStatement:
        ref = company_ref(document)
        company: CompanyId | None = None
        if ref is not None:
            found = await find_company(tx, ref)
            if found is None:
                raise InvalidValueException(detail=f"{KEY2XS}:company: is not a known company")
            company = found.id
        return statement_of(document, self._source, self._desk.zone, company)

    async def _check_name(self, tx: Connection, document: Document, mine: UUID | None) -> None:
        blind = blind_name(self._desk.vault, self._source, str(document["userName"]))
        rows = await tx.fetch(SQL["scim_users_by_name"], self._source, blind)
        if any(row["person"] != mine for row in rows):
            raise UniquenessException(detail="userName is taken")

    async def _store(
        self, tx: Connection, person_id: PersonId, document: Document, entry: int | None
    ) -> Resource[Any]:
        vault = self._desk.vault
        sealed = await vault.seal(person_id, msgspec.json.encode(document).decode())
        await tx.execute(
            SQL["put_scim_user"],
            self._source,
            person_id,
            blind_name(vault, self._source, str(document["userName"])),
            sorted({blind_email(vault, self._source, each) for each in emails_of(document)}),
            sealed,
            self._act.at,
            entry,
        )
        row = await tx.fetchrow(SQL["get_scim_user"], self._source, person_id)
        return (await self._records.users(tx, [row]))[0]

    async def _create_group(self, tx: Connection, resource: Any) -> Resource[Any]:
        people = await self._people(tx, _member_ids(resource))
        group_id = await groups.create_group(
            tx,
            self._desk,
            self._act,
            self._source,
            display_name=resource.display_name,
            external_id=resource.external_id,
            people=people,
        )
        return await self._records.group(tx, group_id, await self._group(tx, group_id))

    async def _update_group(
        self, tx: Connection, group_id: UUID, resource: Any, expected_version: str | None
    ) -> Resource[Any]:
        group = await self._group(tx, group_id, lock=True)
        _check_version(group.entry, expected_version)
        now = frozenset(str(person) for person in await groups.members(tx, group_id))
        wanted = _member_ids(resource)
        change = groups.GroupChange(
            display_name=resource.display_name,
            external_id=resource.external_id,
            clear_external_id=resource.external_id is None,
            add=await self._people(tx, wanted - now),
            remove=frozenset(PersonId(UUID(each)) for each in now - wanted),
        )
        await groups.change_group(tx, self._desk, self._act, group_id, group, change)
        return await self._records.group(tx, group_id, await self._group(tx, group_id))

    async def _people(self, tx: Connection, ids: Iterable[str]) -> frozenset[PersonId]:
        """Return ids as people of this source; one that is nobody's is refused, because a role would be missing."""
        wanted = {each: parse_id(each) for each in ids}
        if not wanted:
            return frozenset()
        asked = [known for known in wanted.values() if known]
        live = {row["person"] for row in await tx.fetch(SQL["live_people"], self._source, asked)}
        for given, known in wanted.items():
            if known not in live:
                raise InvalidValueException(detail=f"members: {given[:64]} is not a user of this source")
        return frozenset(PersonId(person) for person in live)


@asynccontextmanager
async def _as_scim_errors() -> AsyncIterator[None]:
    """Tell the library's language what the room refused."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidValueException(detail=str(error)) from error
    except (Conflict, VaultError) as error:
        raise UniquenessException(detail=str(error)) from error
    except asyncpg.UniqueViolationError as error:
        raise UniquenessException(detail="a unique value is taken") from error


def _id_of(text: str) -> UUID:
    known = parse_id(text)
    if known is None:
        raise NotFoundException
    return known


def _is_group(resource_type: ResourceType) -> bool:
    return resource_type.name == "Group"


def _check_version(entry: int, expected: str | None) -> None:
    if expected is not None and expected != version_of(entry):
        raise PreconditionFailedException


def _member_ids(resource: Any) -> frozenset[str]:
    found = set()
    for member in resource.members or ():
        value = member.value or str(member.ref or "").rpartition("/")[2]
        if not value or (member.type or "User").casefold() != "user":
            raise InvalidValueException(detail="members: only users can be members")
        found.add(value.lower())
    return frozenset(found)
