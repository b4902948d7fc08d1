"""Runs axe, the accessibility checker, in a page. `make setup` fetches it with the other browser files."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.support.peers import miss_peer

_FILE = Path(__file__).parent / "vendor" / "axe.min.js"
_SERIOUS = {"serious", "critical"}


async def serious_findings(page: Page, *, colours_only: bool = False) -> list[str]:
    """Return what axe calls serious or critical on the page as it is: rule, and the elements."""
    await page.evaluate(_source())
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours_only:
        options["runOnly"] = {"type": "rule", "values": ["color-contrast"]}
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']} ({each['impact']}): " + ", ".join(str(node["target"]) for node in each["nodes"][:3])
        for each in found["violations"]
        if each["impact"] in _SERIOUS
    ]


@cache
def _source() -> str:
    if not _FILE.exists():
        miss_peer("axe (make setup)")
    return _FILE.read_text(encoding="utf-8")
