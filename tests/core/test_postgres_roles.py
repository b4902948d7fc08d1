"""Roles, databases and passwords, against a real server."""

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from key2xs.core.postgres import (
    Provider,
    RoleDsns,
    create_roles,
    lets_in_without_password,
    local_passwords,
    start_cluster,
)
from key2xs.core.postgres.roles import ROLES, role_dsn, scram_verifier
from tests.core.conftest import ask, tell
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def provider(open_place: Path) -> Iterator[Provider]:
    settings = {"log_statement": "all"}
    with start_cluster(data_dir=open_place / "pg", settings=settings, durable=False) as provider:
        yield provider


@pytest.fixture(scope="module")
def dsns(provider: Provider) -> RoleDsns:
    return create_roles(provider.server.dsn, passwords=local_passwords(provider.data_dir))


def test_every_role_gets_in_as_itself(dsns: RoleDsns) -> None:
    for role in ("owner", "app", "log", "read", "vault"):
        assert ask(getattr(dsns, role), "SELECT current_user") == f"key2xs_{role}"


def test_only_the_owner_makes_tables(dsns: RoleDsns) -> None:
    tell(dsns.owner, "CREATE TABLE of_the_owner (x int); DROP TABLE of_the_owner")
    for dsn in (dsns.app, dsns.log, dsns.read):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            tell(dsn, "CREATE TABLE not_mine (x int)")


def test_no_role_is_more_than_a_plain_role(dsns: RoleDsns, provider: Provider) -> None:
    powers = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    query = f"SELECT count(*) FROM pg_roles WHERE rolname = ANY($1) AND ({powers})"
    assert ask(provider.server.dsn, query, list(ROLES)) == 0


def test_making_the_roles_again_changes_nothing_but_new_passwords(dsns: RoleDsns, provider: Provider) -> None:
    tell(dsns.owner, "CREATE TABLE kept (x int)")
    passwords = local_passwords(provider.data_dir)
    changed = create_roles(provider.server.dsn, passwords={**passwords, "key2xs_app": "another-one"})
    assert ask(changed.owner, "SELECT count(*) FROM kept") == 0
    with pytest.raises(asyncpg.InvalidPasswordError):
        ask(dsns.app, "SELECT 1")
    assert create_roles(provider.server.dsn, passwords=passwords) == dsns
    assert ask(dsns.app, "SELECT 1") == 1


def test_a_role_that_is_no_superuser_can_make_them_too(provider: Provider) -> None:
    """As on a managed server, where nobody outside gets to be a superuser."""
    admin = role_dsn(provider.server.dsn, "site_admin", "pw", "postgres")
    tell(provider.server.dsn, "CREATE ROLE site_admin LOGIN CREATEROLE CREATEDB PASSWORD 'pw'")
    for database in ("key2xs", "key2xs_vault"):
        tell(provider.server.dsn, f"DROP DATABASE IF EXISTS {database}")
    for role in ROLES:
        tell(provider.server.dsn, f"DROP ROLE IF EXISTS {role}")
    passwords = local_passwords(provider.data_dir)
    made = create_roles(admin, passwords=passwords)
    assert ask(made.app, "SELECT current_user") == "key2xs_app"
    assert ask(made.owner, "SELECT count(*) FROM pg_extension WHERE extname = 'btree_gist'") == 1


def test_a_server_of_ours_lets_nobody_in_without_the_password(dsns: RoleDsns, provider: Provider) -> None:
    for dsn in (dsns.app, dsns.vault, provider.server.dsn):
        assert lets_in_without_password(dsn) is False


def test_trust_authentication_is_noticed(provider: Provider, open_place: Path) -> None:
    with start_cluster(data_dir=open_place / "trusting", durable=False) as trusting:
        hba = open_place / "trusting" / "cluster" / "pg_hba.conf"
        hba.write_text("local all all trust\n" + hba.read_text(encoding="utf-8"), encoding="utf-8")
        tell(trusting.server.dsn, "SELECT pg_reload_conf()")
        # The reload is a signal; the next backends see it after a moment.
        wait_until(lambda: lets_in_without_password(trusting.server.dsn))


def test_no_password_reaches_the_servers_log(dsns: RoleDsns, provider: Provider) -> None:
    log = (provider.data_dir / "server.log").read_text(encoding="utf-8")
    assert "ROLE key2xs_app LOGIN" in log, "the statements themselves are there"
    assert not [word for word in local_passwords(provider.data_dir).values() if word in log]


def test_passwords_are_made_once_and_private(tmp_path: Path) -> None:
    passwords = local_passwords(tmp_path)
    assert local_passwords(tmp_path) == passwords
    assert len(set(passwords.values())) == len(ROLES) + 1
    assert (tmp_path / "passwords.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["passwords.json"]


def test_the_scram_verifier_is_the_one_of_the_rfc() -> None:
    """RFC 7677's example: user `user`, password `pencil`."""
    salt = bytes.fromhex("5b6d99689d12358eeca04b141236fa81")
    verifier = scram_verifier("pencil", salt=salt, iterations=4096)
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_dsns_do_not_print(dsns: RoleDsns) -> None:
    assert "://" not in repr(dsns)


def test_a_dsn_keeps_the_servers_options_and_escapes_what_it_must() -> None:
    dsn = role_dsn(
        "postgresql://admin:x@db.site:5433/postgres?sslmode=verify-full&user=y", "a@b", "p/w:", "d b"
    )
    assert dsn == "postgresql://a%40b:p%2Fw%3A@db.site:5433/d%20b?sslmode=verify-full"
