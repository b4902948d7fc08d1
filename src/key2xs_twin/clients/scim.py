"""Identity systems that provision people and groups by SCIM 2.0, each in the exact form its product sends.

Forms are those of the vendors' documents: Entra ID with and without its `aadOptscim062020` flag (string booleans and
capitalised operations without it), Okta's gallery integrations (`oin`: PUT for profiles, PATCH without path to deactivate) and
Okta's wizard applications (`aiw`: everything by GET and PUT).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx2

if TYPE_CHECKING:
    from datetime import date

    from key2xs_twin.site import Person

CORE_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
KEY2XS = "urn:ietf:params:scim:schemas:extension:key2xs:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ENTRA_GROUP = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
MEDIA_TYPE = "application/scim+json"

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimPerson:
    """What an identity system knows about somebody. Dates are sent as YYYY-MM-DD."""

    external_id: str
    user_name: str
    given_name: str
    family_name: str
    employee_number: str = ""
    company: str = ""
    sponsor: str = ""
    contract_start: date | None = None
    contract_end: date | None = None

    @classmethod
    def of(cls, person: Person) -> ScimPerson:
        """The identity system's view of a person of the synthetic site."""
        return cls(
            external_id=person.ref,
            user_name=f"{person.ref}@refinery.test",
            given_name=person.given_name,
            family_name=person.family_name,
            employee_number=person.personnel_no,
            company=person.company,
            sponsor=person.sponsor,
            contract_start=person.contract_start,
            contract_end=person.contract_end,
        )

    def extension(self) -> JsonObject:
        """Our SCIM extension; an attribute without a value is left out."""
        values = {
            "contractStart": self.contract_start.isoformat() if self.contract_start else "",
            "contractEnd": self.contract_end.isoformat() if self.contract_end else "",
            "company": self.company,
            "sponsor": self.sponsor,
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, as a test wants to look at them."""

    method: str
    path: str
    query: dict[str, str]
    body: JsonObject | None
    status: int
    answer: JsonObject | None


class ScimRefusedError(Exception):
    """The service provider answered with an error status; the answer's `detail` is the message."""

    def __init__(self, exchange: Exchange) -> None:
        detail = (exchange.answer or {}).get("detail", "")
        super().__init__(f"{exchange.method} {exchange.path}: {exchange.status} {detail}".rstrip())
        self.exchange = exchange


@dataclass(slots=True)
class ScimClient(ABC):
    """What all identity systems do; subclasses know the form. Open one with `async with`, or call `aclose`.

    Args:
        base_url: the tenant URL, for example http://127.0.0.1:8080/scim/entra/v2.
        token: the bearer token.
        transport: for example `httpx2.ASGITransport(app)`, to stay in one process.
    """

    base_url: str
    token: str
    transport: httpx2.AsyncBaseTransport | None = None
    exchanges: list[Exchange] = field(default_factory=list, init=False)
    _http: httpx2.AsyncClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
        self._http = httpx2.AsyncClient(base_url=self.base_url, headers=headers, transport=self.transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def create_user(self, person: ScimPerson) -> str:
        """Look the person up by userName; create on a miss. The service provider's id."""
        found = await self.find_user(person.user_name)
        if found is not None:
            return str(found["id"])
        return str((await self.send("POST", "Users", self.user_body(person)))["id"])

    async def find_user(self, user_name: str) -> JsonObject | None:
        """The user of this name, or None (a miss is an empty list, not 404)."""
        return await self._find("Users", f'userName eq "{user_name}"')

    async def get_user(self, user_id: str) -> JsonObject:
        """The whole user; ScimRefusedError (404) when there is none."""
        return await self.send("GET", f"Users/{user_id}")

    async def create_group(self, name: str, external_id: str) -> str:
        """Look the group up by its name; create it empty on a miss. The service provider's id."""
        found = await self._find("Groups", f'displayName eq "{name}"')
        if found is not None:
            return str(found["id"])
        return str((await self.send("POST", "Groups", self.group_body(name, external_id)))["id"])

    @abstractmethod
    def user_body(self, person: ScimPerson) -> JsonObject:
        """The body of the POST that creates a user."""

    @abstractmethod
    def group_body(self, name: str, external_id: str) -> JsonObject:
        """The body of the POST that creates a group."""

    @abstractmethod
    async def disable(self, user_id: str) -> None:
        """Say that the person may no longer sign in (left, unassigned, suspended)."""

    @abstractmethod
    async def enable(self, user_id: str) -> None:
        """Say that the person is back."""

    @abstractmethod
    async def delete(self, user_id: str) -> None:
        """Remove the person in the product's way; not every product ever sends DELETE."""

    @abstractmethod
    async def set_contract_end(self, user_id: str, day: date) -> None:
        """Change the last day of the contract."""

    @abstractmethod
    async def add_member(self, group_id: str, user_id: str) -> None:
        """Put a person into a group."""

    @abstractmethod
    async def remove_member(self, group_id: str, user_id: str) -> None:
        """Take a person out of a group."""

    async def send(
        self, method: str, path: str, body: JsonObject | None = None, *, query: dict[str, str] | None = None
    ) -> JsonObject:
        """Send one request and keep it in `exchanges`; an empty answer is an empty mapping.

        ScimRefusedError for an error status, httpx2's errors when nothing answers.
        """
        asked = {**self.tenant_query(), **(query or {})}
        answer = await self._http.request(method, path, json=body, params=asked or None)
        content = answer.json() if answer.content else None
        exchange = Exchange(method, path, asked, body, answer.status_code, content)
        self.exchanges.append(exchange)
        if answer.is_error:
            raise ScimRefusedError(exchange)
        return content or {}

    def tenant_query(self) -> dict[str, str]:
        """Query parameters that the tenant URL carries on every call."""
        return {}

    async def _find(self, collection: str, condition: str) -> JsonObject | None:
        query = {"filter": condition}
        if collection == "Groups":
            query["excludedAttributes"] = "members"
        found = await self.send("GET", collection, query=query)
        resources: list[JsonObject] = found.get("Resources") or []
        return resources[0] if resources else None

    async def _patch(self, path: str, *operations: JsonObject) -> None:
        await self.send("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})


@dataclass(slots=True)
class EntraClient(ScimClient):
    """Microsoft Entra ID. `flag` is the tenant URL's `aadOptscim062020`; on-demand provisioning ignores it, so both occur."""

    flag: bool = False

    def tenant_query(self) -> dict[str, str]:
        """The flag is a query parameter without a value."""
        return {"aadOptscim062020": ""} if self.flag else {}

    def user_body(self, person: ScimPerson) -> JsonObject:
        """Entra sends null for what is not set, an empty list of roles, and meta."""
        return {
            "schemas": [CORE_USER, ENTERPRISE, KEY2XS],
            "externalId": person.external_id,
            "userName": person.user_name,
            "active": True,
            "displayName": f"{person.given_name} {person.family_name}",
            "emails": [{"primary": True, "type": "work", "value": person.user_name}],
            "meta": {"resourceType": "User"},
            "name": {
                "formatted": f"{person.given_name} {person.family_name}",
                "familyName": person.family_name,
                "givenName": person.given_name,
            },
            "phoneNumbers": None,
            "roles": [],
            "title": None,
            ENTERPRISE: {"employeeNumber": person.employee_number or None, "department": None},
            KEY2XS: person.extension(),
        }

    def group_body(self, name: str, external_id: str) -> JsonObject:
        """With Microsoft's extra schema and no members."""
        return {
            "schemas": [CORE_GROUP, ENTRA_GROUP],
            "externalId": external_id,
            "displayName": name,
            "members": [],
            "meta": {"resourceType": "Group"},
        }

    async def disable(self, user_id: str) -> None:
        """A STRING without the flag, a boolean with it."""
        await self._set_active(user_id, active=False)

    async def enable(self, user_id: str) -> None:
        """Restoring brings the user back but none of the memberships."""
        await self._set_active(user_id, active=True)

    async def delete(self, user_id: str) -> None:
        """The hard delete that follows 30 days after the soft one."""
        await self.send("DELETE", f"Users/{user_id}")

    async def set_contract_end(self, user_id: str, day: date) -> None:
        """A path into the extension without the flag, a pathless value with the full name with it."""
        name, value = f"{KEY2XS}:contractEnd", day.isoformat()
        if self.flag:
            await self._patch(f"Users/{user_id}", {"op": "replace", "value": {name: value}})
        else:
            await self._patch(f"Users/{user_id}", {"op": "Replace", "path": name, "value": value})

    async def add_member(self, group_id: str, user_id: str) -> None:
        """A list with an empty reference."""
        value = [{"$ref": None, "value": user_id}]
        operation = {"op": "add" if self.flag else "Add", "path": "members", "value": value}
        await self._patch(f"Groups/{group_id}", operation)

    async def remove_member(self, group_id: str, user_id: str) -> None:
        """Without the flag the member stands in the value, with it in the path."""
        operation: JsonObject = {"op": "remove", "path": f'members[value eq "{user_id}"]'}
        if not self.flag:
            operation = {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": user_id}]}
        await self._patch(f"Groups/{group_id}", operation)

    async def _set_active(self, user_id: str, *, active: bool) -> None:
        operation: JsonObject = {"op": "Replace", "path": "active", "value": str(active)}
        if self.flag:
            operation = {"op": "replace", "path": "active", "value": active}
        await self._patch(f"Users/{user_id}", operation)


@dataclass(slots=True)
class OktaClient(ScimClient):
    """Okta. `integration` is `oin` (gallery: PATCH for active and members) or `aiw` (wizard: always GET and PUT)."""

    integration: Literal["aiw", "oin"] = "oin"

    def user_body(self, person: ScimPerson) -> JsonObject:
        """With the placeholder password, groups and locale that Okta sends."""
        return {
            "schemas": [CORE_USER, KEY2XS],
            "userName": person.user_name,
            "name": {"givenName": person.given_name, "familyName": person.family_name},
            "emails": [{"primary": True, "value": person.user_name, "type": "work"}],
            "displayName": f"{person.given_name} {person.family_name}",
            "locale": "en-US",
            "externalId": person.external_id,
            "groups": [],
            "password": "1mz050nq",  # a placeholder that a service provider has to ignore
            "active": True,
            KEY2XS: person.extension(),
        }

    def group_body(self, name: str, external_id: str) -> JsonObject:  # noqa: ARG002 - Okta sends no external id here
        """Just the name and no members."""
        return {"schemas": [CORE_GROUP], "displayName": name, "members": []}

    async def disable(self, user_id: str) -> None:
        """PATCH without a path (oin), or the whole user again (aiw)."""
        await self._set_active(user_id, active=False)

    async def enable(self, user_id: str) -> None:
        """See `disable`."""
        await self._set_active(user_id, active=True)

    async def delete(self, user_id: str) -> None:
        """Okta never deletes a user at a service provider; it deactivates."""
        await self.disable(user_id)

    async def set_contract_end(self, user_id: str, day: date) -> None:
        """Profile changes are a GET and a PUT of everything, in both kinds of integration."""
        user = await self.get_user(user_id)
        user[KEY2XS] = {**(user.get(KEY2XS) or {}), "contractEnd": day.isoformat()}
        await self.send("PUT", f"Users/{user_id}", user)

    async def add_member(self, group_id: str, user_id: str) -> None:
        """PATCH `add` (oin), or the whole group again (aiw)."""
        if self.integration == "oin":
            await self._patch(
                f"Groups/{group_id}", {"op": "add", "path": "members", "value": [{"value": user_id}]}
            )
            return
        group = await self.send("GET", f"Groups/{group_id}")
        others = [member for member in group.get("members") or [] if member["value"] != user_id]
        await self.send("PUT", f"Groups/{group_id}", {**group, "members": [*others, {"value": user_id}]})

    async def remove_member(self, group_id: str, user_id: str) -> None:
        """PATCH `remove` with a filter in the path (oin), or the whole group again (aiw)."""
        if self.integration == "oin":
            await self._patch(
                f"Groups/{group_id}", {"op": "remove", "path": f'members[value eq "{user_id}"]'}
            )
            return
        group = await self.send("GET", f"Groups/{group_id}")
        others = [member for member in group.get("members") or [] if member["value"] != user_id]
        await self.send("PUT", f"Groups/{group_id}", {**group, "members": others})

    async def _set_active(self, user_id: str, *, active: bool) -> None:
        if self.integration == "oin":
            await self._patch(f"Users/{user_id}", {"op": "replace", "value": {"active": active}})
            return
        user = await self.get_user(user_id)
        await self.send("PUT", f"Users/{user_id}", {**user, "active": active})
