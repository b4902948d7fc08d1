"""`key2xs mass`: what it prints, and exit codes that a script can ask."""

from pathlib import Path

from tests.api.conftest import Site
from tests.api.leases import add_keys, company_with, give_grant, states
from tests.api.test_mass_actions import begin, go_on
from tests.cli.conftest import Shell


async def test_look_show_pause_and_what_is_still_out(site: Site, shell: Shell, tmp_path: Path) -> None:
    persons = await company_with(site, "v001", 2)
    await give_grant(site, persons[0])
    keys = await add_keys(site, "K1")
    at = site.clock.now()
    async with site.services.database.transaction() as tx:
        await site.services.custody.hand_out(tx, keys["K1"], persons[0], actor="user:desk", at=at)
    code, out, err = await shell.run("mass", "look", "company", "v001")
    assert code == 0, err
    assert "people lose access" in out
    assert "Digest, for key2xs mass start: " in out
    assert (await shell.run("mass", "look", "package", "none"))[0] == 1
    mass = await begin(site, kind="company", ref="v001")
    code, out, err = await shell.run("mass", "pause", mass, "--reason", "wait a moment")
    assert "paused" in out, err
    await go_on(site)
    assert await states(site) == ["active"]
    assert (await shell.run("mass", "show", mass))[0] == 1
    code, out, _ = await shell.run("mass", "resume", mass, "--reason", "go on then")
    await go_on(site)
    code, out, _ = await shell.run("mass", "show", mass)
    assert "finished" in out
    file = tmp_path / "out.csv"
    assert (await shell.run("mass", "unreturned", mass, "--csv", str(file)))[0] == 1
    assert "K1,iloq-main" in file.read_text(encoding="utf-8")
