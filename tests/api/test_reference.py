"""The reference page lists exactly what is served, with what each operation needs."""

import re
from pathlib import Path

from tests.api.conftest import Site

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
ROW = re.compile(r"^\| (GET|POST|DELETE|OPTIONS) \| `(\S+)` \| .+ \| (.+) \|$", re.MULTILINE)


async def test_the_reference_page_lists_exactly_what_is_served(site: Site) -> None:
    served = set()
    for route in site.app.routes:
        if not route.path.startswith(("/api", "/log", "/healthz", "/webhooks")):
            continue
        for handler in getattr(route, "route_handlers", ()):
            needed = handler.opt.get("permission", ())
            names = needed if isinstance(needed, tuple) else (needed,)
            who = ", ".join(f"`{name}`" for name in names)
            who = (
                "anybody"
                if handler.opt.get("public")
                else "signed in"
                if handler.opt.get("signed_in")
                else who
            )
            served |= {
                (str(method), route.path_format, who)
                for method in handler.http_methods
                if method != "OPTIONS" or route.path.startswith("/webhooks")
            }
    assert set(ROW.findall(PAGE.read_text(encoding="utf-8"))) == served


def test_the_page_of_the_command_line_names_every_command() -> None:
    from key2xs.cli.commands import app

    page = (PAGE.parent / "cli.md").read_text(encoding="utf-8")
    names = {name for name in app if not name.startswith("-")}
    assert names
    assert [name for name in names if f"`{name}" not in page] == []
