"""A site with a web side: an empty database, services, users of every role, and clients without a network."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from key2xs.access import Access, Permission, Role
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.ids import PersonId, UserId
from key2xs.core.outside import PermitSource, ScimSource
from key2xs.core.secret import Secret
from key2xs.core.settings import Settings
from key2xs.core.vault import Vault
from key2xs.identity import Act, Identity, PersonStatement, Profile
from key2xs.runtime import Runtime
from key2xs.services import Services, build_services
from tests.support.web import web_side

PASSWORD = "a password for the tests"
# As cheap as argon2 goes: what is tested is what it is used for, not how slow it is.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SCIM_TOKEN = "scim-token-scim-token-scim"
PTW_SECRET = "whsec_" + "A" * 43 + "="


@dataclass
class Site:
    """Everything a test of the web side touches."""

    app: Litestar
    services: Services
    runtime: Runtime
    access: Access
    clock: ManualClock
    wall: ManualClock
    identity: Identity
    users: dict[str, UserId] = field(default_factory=dict)
    _clients: list[httpx2.AsyncClient] = field(default_factory=list)

    def client(self, **options: Any) -> httpx2.AsyncClient:
        """A client that nobody signed in with."""
        app: Any = self.app
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        made = httpx2.AsyncClient(transport=transport, base_url="http://site.test", **options)
        self._clients.append(made)
        return made

    async def user(self, *roles: str, person: bool = True, login: str | None = None) -> UserId:
        """Make a user with these roles, linked to a person of their own unless told otherwise."""
        name = login or f"{'-'.join(roles) or 'nobody'}-{len(self.users)}"
        person_id = await self.person() if person else None
        async with self.services.database.transaction() as tx:
            made = await self.access.users.make(
                tx,
                login=name,
                roles=roles,
                actor="system:test",
                at=self.clock.now(),
                person_id=person_id,
                password=PASSWORD,
            )
        self.users[name] = made
        return made

    async def person(self, name: str = "Somebody", ref: str | None = None) -> PersonId:
        statement = PersonStatement(
            source="entra",
            profile=Profile(display_name=name),
            active=True,
            external_id=ref or f"ext-{name}-{len(self.users)}",
        )
        async with self.services.database.transaction() as tx:
            act = Act("system:test", self.clock.now())
            return (await self.identity.upsert_person_from_source(tx, act, statement)).person_id

    async def signed_in(self, *roles: str, person: bool = True) -> httpx2.AsyncClient:
        """A client of a new user with these roles; it sends its CSRF token by itself."""
        name = f"login-{len(self.users)}"
        await self.user(*roles, person=person, login=name)
        client = self.client()
        answer = await client.post("/api/v1/session", json={"login": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    async def with_token(self, role: str, *permissions: Permission) -> httpx2.AsyncClient:
        """A client with a token of a new user of this role."""
        owner = await self.user(role)
        from key2xs.access import permissions_of

        async with self.services.database.transaction() as tx:
            _, secret = await self.access.tokens.make(
                tx,
                owner_id=owner,
                label="test",
                permissions=permissions or permissions_of([role]),
                valid_for=timedelta(days=1),
                actor="system:test",
            )
        return self.client(headers={"Authorization": f"Bearer {secret}"})

    async def kinds(self) -> list[str]:
        """The kinds of all entries, in order."""
        async with self.services.database.read() as tx:
            return [row["kind"] for row in await tx.fetch("SELECT kind FROM log_body ORDER BY seq")]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@pytest.fixture
def settings() -> Settings:
    return Settings(
        scim=(ScimSource("entra", Secret(SCIM_TOKEN)),),
        permits=(PermitSource("eptw", (Secret(PTW_SECRET),)),),
    )


@pytest.fixture
async def site(db: Database, vault: Vault, clock: ManualClock, settings: Settings) -> AsyncIterator[Site]:
    wall = ManualClock(clock.now())
    services = build_services(settings, db, vault, clock, wall)
    runtime = Runtime(runner=None, database=db)
    access = Access(db, services.ledger, vault, clock, wall, hasher=CHEAP)
    made = Site(
        app=web_side(services, runtime, access),
        services=services,
        runtime=runtime,
        access=access,
        clock=clock,
        wall=wall,
        identity=Identity(services.ledger, vault, settings.zone),
    )
    yield made
    await made.close()


ROLES = tuple(str(role) for role in Role)
NOBODY = UUID(int=7)
