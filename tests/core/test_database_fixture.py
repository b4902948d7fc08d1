"""The fixtures everybody builds on."""

import asyncpg
import pytest

from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns
from tests.support.database import DatabaseServer


async def test_a_test_gets_an_empty_migrated_database(db: Database) -> None:
    async with db.transaction() as tx:
        assert await tx.fetchval("SELECT count(*) FROM domain_time") == 0
        assert await tx.fetchval("SELECT current_user") == "key2xs_app"


async def test_the_read_role_cannot_write(read_db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with read_db.transaction() as tx:
            await tx.execute("INSERT INTO domain_time (at) VALUES ('2026-01-01Z')")


@pytest.mark.parametrize("role", ["owner", "app", "log", "read"])
async def test_no_role_of_the_main_database_gets_into_the_vault(db_dsns: RoleDsns, role: str) -> None:
    vault_database = db_dsns.vault.partition("?")[0].rpartition("/")[2]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(getattr(db_dsns, role), database=vault_database)


async def test_two_databases_of_one_test_share_nothing(databases: DatabaseServer) -> None:
    with databases.fresh() as one, databases.fresh() as two:
        first, second = await Database.open(one.app), await Database.open(two.app)
        async with first.transaction() as tx:
            await tx.execute("INSERT INTO domain_time (at) VALUES ('2026-01-01Z')")
        async with second.read() as tx:
            assert await tx.fetchval("SELECT count(*) FROM domain_time") == 0
        await first.close()
        await second.close()
