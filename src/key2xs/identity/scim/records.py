"""Reading what a source has: sealed users and groups, as the library's resources."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from scim2_models import Meta, Resource, ScimProvider, SearchRequest

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, parse_id
from key2xs.identity import groups
from key2xs.identity.desk import SQL, Desk
from key2xs.identity.links import blind_email, blind_name, blind_reference
from key2xs.identity.types import IAM, PERSONNEL_NO, SITE, Group

from .convert import Document
from .search import Condition, mentions, wants


class Records:
    """The users and groups of one source, to read."""

    def __init__(self, desk: Desk, provider: ScimProvider, source: str) -> None:
        """Read what `source` stated; `provider` knows the models."""
        self._desk, self._provider, self._source = desk, provider, source

    async def user_rows(self, tx: Connection, condition: Condition | None) -> list[Any]:
        """Return the live records that fulfil a condition, or all of them."""
        vault, source = self._desk.vault, self._source
        if condition is None:
            return list(await tx.fetch(SQL["list_scim_users"], source, 0, None))
        value = condition.value
        match condition.by:
            case "id":
                return list(await tx.fetch(SQL["get_scim_user"], source, parse_id(value)))
            case "user_name":
                return list(
                    await tx.fetch(SQL["scim_users_by_name"], source, blind_name(vault, source, value))
                )
            case "email":
                return list(
                    await tx.fetch(SQL["scim_users_by_email"], source, blind_email(vault, source, value))
                )
            case "external_id" | "personnel_no" as by:
                scheme, giver = (IAM, source) if by == "external_id" else (PERSONNEL_NO, SITE)
                blind = blind_reference(vault, scheme, value)
                return list(await tx.fetch(SQL["scim_users_by_link"], source, scheme, blind, giver))

    async def users(self, tx: Connection, rows: Iterable[Any]) -> list[Resource[Any]]:
        """Open records; an erased person is not there any more."""
        rows = list(rows)
        people = [row["person"] for row in rows]
        await self._desk.vault.prepare(people)
        groups_of: dict[UUID, list[dict[str, Any]]] = {}
        for each in await tx.fetch(SQL["groups_of_people"], people, self._source) if people else ():
            group = {
                "value": str(each["id"]),
                "$ref": f"Groups/{each['id']}",
                "display": each["display_name"],
            }
            groups_of.setdefault(each["person"], []).append({**group, "type": "direct"})
        found = []
        for row in rows:
            text = await self._desk.open(PersonId(row["person"]), row["document"])
            if text is not None:
                document = {**msgspec.json.decode(text), "groups": groups_of.get(row["person"])}
                found.append(self._resource("User", row["person"], document, row))
        return found

    async def groups(self, tx: Connection, request: SearchRequest[Any]) -> list[Resource[Any]]:
        """Return all live groups, with their members where the request needs them."""
        rows = await tx.fetch(SQL["list_groups"], self._source)
        members: dict[str, list[dict[str, Any]]] = {}
        if mentions(request.filter, "members") or wants(request, "members"):
            origins = [groups.origin_of(row["id"]) for row in rows]
            for each in await tx.fetch(SQL["members_of_origins"], origins):
                members.setdefault(each["origin"], []).append(_member(each["person"]))
        return [
            self._resource(
                "Group", row["id"], _group_document(row, members.get(groups.origin_of(row["id"]))), row
            )
            for row in rows
        ]

    async def group(
        self, tx: Connection, group_id: UUID, group: Group, *, members: bool = True
    ) -> Resource[Any]:
        """Return one group, with or without its members."""
        people = [_member(person) for person in await groups.members(tx, group_id)] if members else None
        return self._resource(
            "Group",
            group_id,
            {"displayName": group.display_name, "externalId": group.external_id, "members": people},
            {"made_at": group.made_at, "changed_at": group.changed_at, "entry": group.entry},
        )

    def _resource(self, name: str, resource_id: UUID, document: Document, row: Any) -> Resource[Any]:
        model: Any = self._provider.model_for(name)
        resource: Resource[Any] = model.model_validate({**document, "id": str(resource_id)})
        resource.meta = Meta(
            resource_type=name,
            created=row["made_at"],
            last_modified=row["changed_at"],
            version=version_of(row["entry"]),
        )
        return resource


def version_of(entry: int) -> str:
    """Return the weak ETag of a resource: the entry that last changed it."""
    return f'W/"{entry}"'


def _member(person: UUID) -> dict[str, Any]:
    return {"value": str(person), "$ref": f"Users/{person}", "type": "User"}


def _group_document(row: Any, members: list[dict[str, Any]] | None) -> Document:
    return {"displayName": row["display_name"], "externalId": row["external_id"], "members": members}
