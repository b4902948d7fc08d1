"""The log as a file: exported whole, verified by a stranger, and refused when a byte is different."""

import gzip
from pathlib import Path

import pytest

from key2xs.cli.commands import run_command
from key2xs.core.database import Database
from key2xs.core.vault import Vault
from key2xs.ledger.copies import CheckpointCopy
from key2xs.ledger.log import find_head
from key2xs.ledger.opening import open_log
from key2xs.ledger.sequencer import Sequencer
from tests.api.conftest import Site
from tests.cli.conftest import Shell


@pytest.fixture
async def vkey(site: Site, log_db: Database, vault: Vault, shell: Shell, tmp_path: Path) -> str:
    copy = CheckpointCopy(tmp_path / "checkpoint")
    await open_log(log_db, origin="site.test/log", seed=b"s" * 32, copy=copy, at=site.clock.now())
    sequencer = Sequencer(log_db, b"s" * 32, vault.stream_key, copy)
    await site.person("Joris Hofmeent")
    await sequencer.step(site.clock.now())
    await sequencer.close()
    async with site.services.database.read() as tx:
        return (await find_head(tx)).vkey


@pytest.mark.parametrize("name", ["log.ndjson", "log.ndjson.gz"])
async def test_an_export_verifies_without_service(shell: Shell, vkey: str, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    code, _, err = await shell.run("log", "export", str(file))
    assert code == 0, err
    shell.capsys.readouterr()
    assert run_command(["verify", str(file), "--vkey", vkey]) == 0
    assert "entries verified" in shell.capsys.readouterr().out
    text = gzip.decompress(file.read_bytes()) if name.endswith(".gz") else file.read_bytes()
    assert b"Hofmeent" not in text
    changed = text.replace(b"identity:person:create", b"identity:person:delete", 1)
    if changed == text:
        changed = text.replace(b'"openings":{"actor":{"salt":"', b'"openings":{"actor":{"salt":"00', 1)
    file.write_bytes(gzip.compress(changed) if name.endswith(".gz") else changed)
    assert run_command(["verify", str(file), "--vkey", vkey]) == 1
    assert "NOT verified" in shell.capsys.readouterr().out


async def test_an_export_that_was_refused_leaves_no_file(shell: Shell, vkey: str, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    code, _, _ = await shell.run("log", "export", str(file), token="k2x_wrong")
    assert code == 2
    assert not file.exists()
