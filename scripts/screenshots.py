"""Take the pictures of the console for the documentation, into docs/images/, or of everything for a review.

    python scripts/screenshots.py                                       of an evening played for the purpose
    python scripts/screenshots.py --url URL --login NAME --password P   of a service that runs, the demo for example
    python scripts/screenshots.py --all --to build/pictures             every page at 1920, 1280 and 390, light and dark

Without `--all` a page is taken where the manual shows it: 1280 wide and light, or 390 wide and dark. Needs Chromium.
"""

import argparse
import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
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
# Name's end, width, height, colours, density; `-wall` is the control room's.
SHAPES = (("", 1280, 860, "light", 1.5), ("-phone", 390, 844, "dark", 2.0))
REVIEW = tuple(
    (f"-{width}-{colours}", width, height, colours, 1.0)
    for width, height in ((1920, 1080), (1280, 800), (390, 844))
    for colours in ("light", "dark")
)
# What the manual shows; the control-room screen is taken at its own size.
SHOWN = {
    "my-area",
    "my-area-phone",
    "access-point",
    "permit",
    "permit-phone",
    "key",
    "company",
    "why-phone",
    "wall",
    "exposure",
    "edits",
    "coverage",
    "ending",
}
WALL = (1920, 1080)
# Looked at in a review besides.
LOOKED_AT = (
    "/requests",
    "/permits",
    "/keys",
    "/access-points",
    "/companies",
    "/companies/v022/end",
    "/search",
    "/desk",
    "/keys-out",
    "/safety",
    "/outage",
    "/sealed",
    "/rollout",
    "/adoption",
)
# The same, where something is in doubt.
DOUBTED = (
    "/exposure/walk", "/coverage?what=keys", "/coverage/walk", "/edits?state=all", "/ending", "/ending/look?kind=everyone",
    "/adoption/systems/iloq", "/adoption/systems/cliq", "/keys/2051", "/keys/1042", "/access-points/TK-101-DIP",
)  # fmt: skip


def main() -> int:
    """Do as asked; returns the exit code."""
    parser = argparse.ArgumentParser(description="Take the pictures of the console.")
    for name in ("--url", "--login", "--password"):
        parser.add_argument(name)
    parser.add_argument("--to", type=Path, default=IMAGES, help="folder for the pictures")
    parser.add_argument("--all", action="store_true", help="every page, six times, for a review")
    given = parser.parse_args()
    if _browser() is None:
        print("screenshots: there is no Chromium on PATH", file=sys.stderr)
        return 1
    given.to.mkdir(parents=True, exist_ok=True)
    if given.url:
        asyncio.run(take(given.url, given.login or "", given.password or "", given.to, everything=given.all))
    else:
        _of_an_evening(given.to, everything=given.all)
        _of_troubles(given.to, everything=given.all)
    return 0


async def take(
    url: str,
    login: str,
    password: str,
    to: Path,
    paths: Mapping[str, str] | None = None,
    *,
    everything: bool = False,
) -> None:
    """Take the pictures of a service.

    Args:
        url: where it is.
        login: who to sign in as.
        password: with what; may be a one-time password.
        to: the folder.
        paths: name and path of each picture; looked up on the service's own lists when None.
        everything: every page at every width and in both colours, as tall as it is.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_browser(), args=list(FLAGS))
        # One session for all shapes: a one-time password lets nobody in twice.
        state = await _sign_in(browser, url, login, password)
        for suffix, width, height, colours, density in REVIEW if everything else SHAPES:
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
                if not everything and f"{name}{suffix}" not in SHOWN:
                    continue
                await page.goto(url + path)
                if name == "wall" and not suffix:
                    await page.set_viewport_size({"width": WALL[0], "height": WALL[1]})
                elif not suffix:
                    tall = await page.locator("body").evaluate("body => body.scrollHeight")
                    await page.set_viewport_size({"width": width, "height": max(height, min(TALLEST, tall))})
                await page.screenshot(
                    path=to / f"{name}{suffix}.png", full_page=everything and name != "wall"
                )
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
    found = {
        "my-area": "/",
        "wall": "/wall",
        "exposure": "/exposure",
        "edits": "/edits?state=all",
        "coverage": "/coverage",
    }
    for name, path, wanted in (
        ("permit", "/permits?all=1", "main a[href^='/permits/']"),
        ("key", "/keys", "tr:has(.warn, .bad) a.stamp, main a.stamp"),
        ("access-point", "/access-points", "main a.stamp"),
        ("company", "/companies", "main td.lead a"),
        ("ending", "/ending", "main td.lead a"),
    ):
        await page.goto(url + path)
        link = page.locator(wanted).first
        if await link.count():
            found[name] = await link.get_attribute("href") or path
    return found


def _browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _named(paths: Iterable[str]) -> dict[str, str]:
    return {re.sub(r"\W+", "-", path.strip("/")): path for path in paths}


def _of_an_evening(to: Path, *, everything: bool) -> None:
    from tests.console.showcase import PASSWORD, open_showcase, play_evening, serve
    from tests.support.database import database_server

    async def run() -> None:
        with databases.fresh() as dsns, tempfile.TemporaryDirectory() as folder:
            async with open_showcase(dsns, Path(folder)) as show, serve(show.app) as url:
                await play_evening(show)
                paths = {
                    "my-area": "/",
                    "wall": "/wall",
                    "why": "/why?key=1043&lock=4711",
                    "access-point": "/access-points/MCC2-DOOR?who=1043",
                    "permit": f"/permits/{show.permits['ups'].number}",
                    "key": "/keys/1043",
                    "company": "/companies/v022",
                }
                if everything:
                    paths |= _named(LOOKED_AT)
                await take(url, "leader", PASSWORD, to, paths, everything=everything)

    with database_server(f"pid{os.getpid()}", "main") as databases:
        asyncio.run(run())


def _of_troubles(to: Path, *, everything: bool) -> None:
    from tests.console.showcase import PASSWORD, open_showcase, play_evening, serve
    from tests.console.troubles import corner_and_farm, play_troubles
    from tests.support.database import database_server

    async def run() -> None:
        with databases.fresh() as dsns, tempfile.TemporaryDirectory() as folder:
            async with (
                open_showcase(dsns, Path(folder), site=corner_and_farm()) as show,
                serve(show.app) as url,
            ):
                await play_evening(show)
                mass = (await play_troubles(show))[0]
                paths = {
                    "exposure": "/exposure",
                    "edits": "/edits",
                    "coverage": "/coverage",
                    "ending": f"/ending/{mass}",
                }
                if everything:
                    paths |= {"doubted-my-area": "/", "unreturned": f"/ending/{mass}/unreturned"} | _named(
                        DOUBTED
                    )
                await take(url, "leader", PASSWORD, to, paths, everything=everything)

    with database_server(f"pid{os.getpid()}", "main") as databases:
        asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
