"""What a site has before the product starts: plant data, zones that are enforced, a user and a token."""

from datetime import timedelta
from typing import Any

from key2xs.access import Access, Role, permissions_of
from key2xs.core.clock import SystemClock
from key2xs.core.settings import Settings
from key2xs.installation import Dsns, open_installation
from key2xs.plant.importer import import_csv
from key2xs.plant.service import list_zones, set_zone_mode
from key2xs.services import Services
from tests.support.tiny import tiny_site

USER_PASSWORD = "a password for the smoke suite"


async def prepare(settings: Settings, dsns: Dsns) -> str:
    """Import the tiny site, enforce its zones, and make a user and a token; returns the token."""
    clock = SystemClock()
    async with open_installation(settings, dsns, clock) as installation:
        services = installation.services
        await services.database.transact(lambda tx: _import(tx, services))
        access = Access(services.database, services.ledger, services.vault, clock, clock)
        # Everything but managing users: nobody does both.
        roles = [role for role in Role if role not in {Role.ADMINISTRATOR, Role.CONTRACTOR_COORDINATOR}]

        async def make(tx: Any) -> str:
            user = await access.users.make(
                tx, login="smoke", roles=roles, actor="system:test", at=clock.now(), password=USER_PASSWORD
            )
            _, secret = await access.tokens.make(
                tx,
                owner_id=user,
                label="smoke",
                permissions=permissions_of(roles),
                valid_for=timedelta(days=1),
                actor="system:test",
            )
            return secret

        return await services.database.transact(make)


async def _import(tx: Any, services: Services) -> None:
    at = services.clock.now()
    for kind, rows in tiny_site().files.items():
        if kind == "companies":
            report = await services.desk.identity.import_csv(tx, kind, rows, at=at, actor="user:setup")
        else:
            report = await import_csv(tx, services.ledger, kind, rows, at=at, actor="user:setup")
        assert not report.errors, report.errors
    for zone in await list_zones(tx):
        await set_zone_mode(
            tx, services.ledger, zone.id, mode="enforce", actor="user:setup", at=at, reason="smoke"
        )
    for connection in await services.connections.all(tx):
        await services.connections.switch(
            tx, connection.id, writes=True, reason="smoke", actor="user:setup", at=at
        )
