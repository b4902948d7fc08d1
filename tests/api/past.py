"""A site with a past, served: the product's web side on it, without a network."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from key2xs.access import Access
from key2xs.runtime import Runtime
from tests.api.conftest import CHEAP, Site
from tests.keys.legacy import Legacy, open_legacy
from tests.support.database import DatabaseServer
from tests.support.web import web_side

SYSTEM = "iloq"


@asynccontextmanager
async def served(databases: DatabaseServer, *, adopted: bool) -> AsyncIterator[tuple[Legacy, Site]]:
    """The site of the past with a web side."""
    async with open_legacy(databases, adopted=adopted) as legacy:
        services = legacy.spine.services
        runtime = Runtime(runner=None, database=services.database)
        access = Access(
            services.database, services.ledger, services.vault, services.clock, services.wall, hasher=CHEAP
        )
        site = Site(
            app=web_side(services, runtime, access),
            services=services,
            runtime=runtime,
            access=access,
            clock=legacy.spine.clock,
            wall=legacy.spine.clock,
            identity=services.identity,
        )
        yield legacy, site
        await site.close()
