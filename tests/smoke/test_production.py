"""Production mode: what a plant may not run with is refused in words, before anybody can connect."""

import asyncio
import socket
from pathlib import Path

import asyncpg
import pytest

from key2xs.core.postgres import RoleDsns, start_cluster
from key2xs.core.postgres.roles import lets_in_without_password
from tests.support.waiting import wait_until

from .processes import LONGEST, product
from .site import free_port, listens

EVERYTHING_UNSAFE = """
production = true
demo_time = true
[[scim]]
name = "entra"
token = "short"
[[permits]]
name = "eptw"
secrets = []
[[iloq]]
name = "iloq"
base_url = "http://iloq.example"
customer_code = "c"
user_name = "u"
password = "p"
[[syslog]]
name = "siem"
host = "siem.example"
[http]
port = {port}
"""
SAFE = """
production = true
data_dir = "{folder}/var"
master_key = "{folder}/keys/master.key"
[log]
origin = "rtx.key2xs.example/log"
signing_key = "{folder}/keys/signing.key"
checkpoint_copy = "{folder}/kept/checkpoint"
[http]
port = {port}
behind_tls_proxy = true
[database]
app = "{app}"
log = "{log}"
read = "{read}"
vault = "{vault}"
"""


def refused(folder: Path, settings: str, *, port: int, role: str = "serve") -> str:
    """Run a role with these settings; what it says when it refuses, without ever listening."""
    config = folder / "settings.toml"
    config.write_text(settings, encoding="utf-8")
    child = product(role, [role], folder, config)
    try:
        wait_until(lambda: not child.is_running or listens(port), within=LONGEST)
        assert not child.is_running, "it listens"
        assert child.ended() in {1, 2}
    finally:
        if child.is_running:
            child.kill()
    assert "Traceback" not in child.output
    return child.output


@pytest.mark.parametrize("role", ["serve", "worker", "sequencer"])
def test_unsafe_settings_are_refused_with_everything_that_is_wrong(tmp_path: Path, role: str) -> None:
    port = free_port()
    said = refused(tmp_path, EVERYTHING_UNSAFE.format(port=port), port=port, role=role)
    for problem in (
        "database.*", "demo_time", "TLS", "log.origin", "log.signing_key", "log.checkpoint_copy", "master_key",
        "scim token", "permit source", "https", "syslog",
    ):  # fmt: skip
        assert problem in said, said
    assert len(said.strip().splitlines()) < 20, said


def test_a_server_that_trusts_everybody_is_refused(open_folder: Path) -> None:
    with start_cluster(data_dir=open_folder / "trusting", durable=False) as trusting:
        hba = open_folder / "trusting" / "cluster" / "pg_hba.conf"
        hba.write_text("local all all trust\n" + hba.read_text(encoding="utf-8"), encoding="utf-8")
        dsn = trusting.server.dsn
        tell(dsn, "SELECT pg_reload_conf()")
        wait_until(lambda: lets_in_without_password(dsn))
        port = free_port()
        settings = SAFE.format(folder=open_folder, port=port, app=dsn, log=dsn, read=dsn, vault=dsn)
        assert "trust" in refused(open_folder, settings, port=port)


def test_a_database_whose_time_was_steered_is_refused(db_dsns: RoleDsns, tmp_path: Path) -> None:
    tell(db_dsns.app, "INSERT INTO domain_time (at) VALUES ('2026-03-02T17:00:00Z')")
    port = free_port()
    settings = SAFE.format(
        folder=tmp_path, port=port, app=db_dsns.app, log=db_dsns.log, read=db_dsns.read, vault=db_dsns.vault
    )
    assert "demo" in refused(tmp_path, settings, port=port)


def test_a_taken_port_is_said_in_a_line(db_dsns: RoleDsns, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = SAFE.format(
            folder=tmp_path,
            port=taken.getsockname()[1],
            app=db_dsns.app,
            log=db_dsns.log,
            read=db_dsns.read,
            vault=db_dsns.vault,
        )
        config = tmp_path / "settings.toml"
        config.write_text(settings, encoding="utf-8")
        child = product("taken", ["serve"], tmp_path, config)
        try:
            assert child.ended(within=LONGEST) == 1
        finally:
            if child.is_running:
                child.kill()
        assert "Traceback" not in child.output
        assert "cannot listen" in child.output


def tell(dsn: str, statement: str) -> None:
    """Connect, execute, disconnect."""

    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
