"""A served night, a real browser, and everything the browser complained about: one for all browser tests.

It begins so that the tests run from 02:05 on, site time: the hour this product is for.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.peers import require_program
from tests.support.tiny import TinySite

from .showcase import PASSWORD, Showcase, open_showcase, play_evening, serve

NIGHT: Final = START + timedelta(hours=7, minutes=47)
# No sandbox: tests run as root in containers. The rest keeps the browser from talking to anybody but us.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PHONE = {"width": 390, "height": 844}
# Milliseconds; never reached unless something is wrong, however much else this machine does.
LONGEST = 90_000


@dataclass
class Stage:
    """A served evening, a browser, and everything the browser complained about."""

    show: Showcase
    url: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def visit(self, login: str = "leader", *, phone: bool = False, scripts: bool = True) -> Page:
        """Open a window of somebody's own and sign in."""
        context = await self.browser.new_context(
            viewport=PHONE if phone else {"width": 1280, "height": 860},  # type: ignore[arg-type]
            java_script_enabled=scripts,
            base_url=self.url,
            color_scheme="dark" if phone else "light",
        )
        context.set_default_timeout(LONGEST)
        page = await context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        await self.sign_in(page, login)
        return page

    async def sign_in(self, page: Page, login: str) -> None:
        """Sign in and wait for the first page."""
        await page.goto("/sign-in")
        await page.get_by_label("Sign-in name").fill(login)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="My area", exact=True)).to_be_visible()

    async def close_windows(self) -> None:
        """Close every window: one that nobody looks at any more goes on following the log."""
        for context in self.browser.contexts:
            await context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


@asynccontextmanager
async def open_stage(
    databases: DatabaseServer, folder: Path, *, start: datetime = NIGHT, site: TinySite | None = None
) -> AsyncIterator[Stage]:
    """Play the night, serve it and start a browser."""
    chromium = require_program("chromium")
    expect.set_options(timeout=LONGEST)
    with databases.fresh() as dsns:
        async with (
            open_showcase(dsns, folder, start=start, site=site) as show,
            serve(show.app) as url,
            async_playwright() as playwright,
        ):
            await play_evening(show)
            browser = await playwright.chromium.launch(executable_path=str(chromium), args=FLAGS)
            yield Stage(show, url, browser)
            await browser.close()
