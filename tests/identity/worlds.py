"""What the tests of this room share: a world, SCIM bodies, tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.ids import PersonId
from key2xs.core.vault import Vault
from key2xs.identity import Act, Identity, PersonFacts, person_facts

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
TOKENS = {"entra": "entra-token-entra-token-0", "okta": "okta-token-okta-token-000"}
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
KEY2XS = "urn:ietf:params:scim:schemas:extension:key2xs:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


async def authenticate(source: str, token: str) -> bool:
    return TOKENS.get(source) == token


@dataclass
class World:
    """Everything a test of this room touches."""

    db: Database
    vault: Vault
    clock: ManualClock
    identity: Identity

    def act(self, actor: str = "user:test", at: datetime | None = None) -> Act:
        return Act(actor, at or self.clock.now())

    async def facts(self, person: Any, at: datetime | None = None, **known: int) -> PersonFacts:
        async with self.db.read() as tx:
            return await person_facts(tx, PersonId(person), at or self.clock.now(), **known)

    async def kinds(self) -> list[str]:
        """The kinds of all entries, in order."""
        async with self.db.read() as tx:
            return [row["kind"] for row in await tx.fetch("SELECT kind FROM log_body ORDER BY seq")]

    async def company(self, ref: str = "ACME", name: str = "Acme Scaffolding") -> Any:
        async with self.db.transaction() as tx:
            return await self.identity.put_company(tx, self.act(), ref, name)


def user_body(user_name: str = "jan@firm.test", /, **more: Any) -> dict[str, Any]:
    """A user as a plain SCIM client creates it; `key2xs={...}` fills our extension."""
    extension = more.pop("key2xs", None)
    body: dict[str, Any] = {
        "schemas": [USER],
        "userName": user_name,
        "externalId": f"ext-{user_name}",
        "active": True,
        "name": {"givenName": "Jan", "familyName": "Jansen"},
        **more,
    }
    if extension is not None:
        body["schemas"].append(KEY2XS)
        body[KEY2XS] = extension
    return body


def patch_body(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}
