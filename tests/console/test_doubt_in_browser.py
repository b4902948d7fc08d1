"""The pages about doubt with something on each of them: an edit, CLIQ keys out of reach, full memories, acts on many."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from tests.support.database import DatabaseServer

from .axe import serious_findings
from .stage import PHONE, Stage, open_stage
from .troubles import corner_and_farm, play_troubles

PAGES = (
    "/", "/exposure", "/exposure/walk", "/edits", "/edits?state=all", "/coverage", "/coverage?what=keys", "/coverage/walk", "/ending",
    "/ending/look?kind=everyone", "/ending/look?kind=company&ref=own", "/ending/{ended}", "/ending/{ended}/unreturned", "/ending/{paused}",
    "/adoption", "/adoption/systems/iloq", "/adoption/systems/cliq", "/keys/1042", "/keys/2051", "/access-points/TK-101-DIP",
)  # fmt: skip


@pytest.fixture(scope="module")
async def doubt(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Stage, UUID, UUID]]:
    """The night with its troubles, and the two acts on many."""
    async with open_stage(databases, tmp_path_factory.mktemp("doubt"), site=corner_and_farm()) as stage:
        ended, paused = await play_troubles(stage.show)
        yield stage, ended, paused


@pytest.mark.long
@pytest.mark.parametrize("phone", [False, True], ids=["1280", "390"])
async def test_every_page_can_be_read_at_both_widths_and_in_both_colours(
    doubt: tuple[Stage, UUID, UUID], phone: bool
) -> None:
    stage, ended, paused = doubt
    page = await stage.visit("manager", phone=phone)
    found = []
    for path in PAGES:
        await page.goto(path.format(ended=ended, paused=paused))
        await _open_everything(page)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        if wide > (PHONE["width"] if phone else 1280):
            found.append(f"{path}: {wide} wide")
        for colours in ("light", "dark"):
            await page.emulate_media(color_scheme=colours)
            found += [f"{path}, {colours}: {each}" for each in await serious_findings(page)]
    assert found == []
    await stage.close_windows()


@pytest.mark.long
async def test_what_the_pages_say_of_the_troubles(doubt: tuple[Stage, UUID, UUID]) -> None:
    stage, ended, paused = doubt
    page = await stage.visit("manager")
    for path, said in (
        ("/", "Access given elsewhere"),
        ("/", "about to lose rows"),
        ("/edits", "access without a grant"),
        ("/edits", "held until a person decides"),
        ("/coverage", "About to lose rows"),
        (f"/ending/{ended}", "could still open what ended"),
        (f"/ending/{paused}", "nothing more ends until somebody lets it go on"),
        ("/adoption/systems/cliq", "Its keys judge the time by clocks of their own"),
    ):
        await page.goto(path)
        await expect(page.locator("main")).to_contain_text(said)
    await page.goto("/edits?key=2051")
    await expect(page.locator("main")).to_contain_text("Nothing was edited elsewhere")
    await stage.close_windows()


async def _open_everything(page: Page) -> None:
    await page.evaluate("document.querySelectorAll('main details').forEach(each => { each.open = true })")
