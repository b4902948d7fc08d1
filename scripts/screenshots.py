"""Take the pictures of the console for the documentation, into docs/images/.

    python scripts/screenshots.py                                       of an evening played for the purpose
    python scripts/screenshots.py --url URL --login NAME --password P   of a service that runs, the demo for example

Each page twice: 1280 wide and light, 390 wide and dark. Needs Chromium.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

# Names that distributions give the same browser.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")  # fmt: skip
TALLEST = 1400  # a picture in a README; what is further down is more of the same
SHAPES = (("", 1280, 860, "light", 1.5), ("-phone", 390, 844, "dark", 2.0))


def main() -> int:
    """Do as asked; returns the exit code."""
    parser = argparse.ArgumentParser(description="Take the pictures of the console.")
    for name in ("--url", "--login", "--password"):
        parser.add_argument(name)
    parser.add_argument("--to", type=Path, default=IMAGES, help="folder for the pictures")
    given = parser.parse_args()
    if _browser() is None:
        print("screenshots: there is no Chromium on PATH", file=sys.stderr)
        return 1
    given.to.mkdir(parents=True, exist_ok=True)
    if given.url:
        asyncio.run(take(given.url, given.login or "", given.password or "", given.to))
    else:
        _of_an_evening(given.to)
    return 0


async def take(url: str, login: str, password: str, to: Path, paths: Mapping[str, str] | None = None) -> None:
    """Take the pictures of a service.

    Args:
        url: where it is.
        login: who to sign in as.
        password: with what; may be a one-time password.
        to: the folder.
        paths: name and path of each picture; looked up on the service's own lists when None.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_browser(), args=list(FLAGS))
        # One session for all shapes: a one-time password lets nobody in twice.
        state = await _sign_in(browser, url, login, password)
        for suffix, width, height, colours, density in SHAPES:
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if colours == "dark" else "light",
                device_scale_factor=density,
                storage_state=state,
                reduced_motion="reduce",
            )
            page = await context.new_page()
            paths = paths or await _find_pages(page, url)
            for name, path in paths.items():
                await page.goto(url + path)
                tall = min(TALLEST, await page.locator("body").evaluate("body => body.scrollHeight"))
                await page.set_viewport_size(
                    {"width": width, "height": max(height, tall) if not suffix else height}
                )
                await page.screenshot(path=to / f"{name}{suffix}.png")
                await page.set_viewport_size({"width": width, "height": height})
                print(f"{name}{suffix}.png")
            await context.close()
        await browser.close()


async def _sign_in(browser: Browser, url: str, login: str, password: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{url}/sign-in")
    await page.fill("input[name=login]", login)
    await page.fill("input[name=password]", password)
    await page.click("button.primary")
    await page.wait_for_url(lambda address: "/sign-in" not in address)
    state = await context.storage_state()
    await context.close()
    return state


async def _find_pages(page: Page, url: str) -> dict[str, str]:
    """Choose what a running service has to show: something that can still open, where there is any."""
    found = {"now": "/"}
    for name, path, wanted in (
        ("permit", "/permits?all=1", "main a[href^='/permits/']"),
        ("key", "/keys", "tr:has(.warn, .bad) a.stamp, main a.stamp"),
        ("access-point", "/access-points", "main a.stamp"),
    ):
        await page.goto(url + path)
        link = page.locator(wanted).first
        if await link.count():
            found[name] = await link.get_attribute("href") or path
    return found


def _browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _of_an_evening(to: Path) -> None:
    from tests.console.showcase import PASSWORD, open_showcase, play_evening, serve
    from tests.support.database import database_server

    async def run() -> None:
        with databases.fresh() as dsns, tempfile.TemporaryDirectory() as folder:
            async with open_showcase(dsns, Path(folder)) as show, serve(show.app) as url:
                await play_evening(show)
                paths = {
                    "now": "/",
                    "access-point": "/access-points/MCC2-DOOR?who=1043",
                    "permit": f"/permits/{show.permits['ups'].number}",
                    "key": "/keys/1043",
                }
                await take(url, "leader", PASSWORD, to, paths)

    with database_server(f"pid{os.getpid()}", "main") as databases:
        asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
