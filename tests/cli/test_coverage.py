"""`key2xs coverage`: worst first, and an exit code that a script can ask."""

from tests.api.conftest import Site
from tests.api.plant import import_plant
from tests.api.test_coverage import rows_read
from tests.cli.conftest import Shell


async def test_coverage_says_what_is_not_known(site: Site, shell: Shell) -> None:
    await import_plant(site)
    await rows_read(site, 3, 4, 9, 10)
    code, answer = await shell.json("coverage", "--unit", "CDU")
    assert (code, answer["counts"]["unknown"]) == (1, 1)
    code, out, _ = await shell.run("coverage")
    assert code == 1
    assert "CDU-002" in out
    assert "1 not known" in out
    code, out, _ = await shell.run("coverage", "--keys")
    assert (code, "K001" in out) == (1, True)


async def test_coverage_is_0_when_everything_was_read(site: Site, shell: Shell) -> None:
    await import_plant(site)
    await rows_read(site, 3, 4, 5, 6)
    code, out, _ = await shell.run("coverage", "--lock", "CDU-001")
    assert code == 0, out
