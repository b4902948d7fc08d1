"""After the night: domain time follows the wall's, and a visitor may look around and suspend a permit."""

import asyncio
import time
from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from .folder import RunFolder
from .night import Night
from .suspending import note_live, suspended_since

# What a visitor's token may do: look, and take the log along.
READS = {
    "label": "visitor of the demo",
    "days": 1,
    "permissions": [
        "grants:lease:read",
        "identity:company:read",
        "identity:person:read",
        "keys:event:read",
        "keys:exposure:read",
        "keys:key:read",
        "ledger:log:export",
        "plant:cylinder:read",
        "policy:decision:explain",
        "system:status:read",
        "work:permit:read",
    ],
}

_reached = False


def was_reached() -> bool:
    """Tell whether the scenario was over when the demo was stopped: then stopping is no failure."""
    return _reached


async def go_on(night: Night, folder: RunFolder, url: str, console: Console) -> None:
    """Let a second of the site pass every second, until cancelled."""
    global _reached  # noqa: PLW0603 - one demo a process
    _reached = True
    permits = [night.permits[part] for part in ("pump", "early", "quick")]
    note_live(folder, night.ptw.events, permits, night.now)
    token = await night.people["security"].post("/api/v1/tokens", READS, why="a visitor looks around")
    numbers = [permit.number for permit in permits]
    _print_hints(console, url, night.passwords, numbers, token["token"])
    last_wall, last_domain = time.monotonic(), night.now
    while True:
        await asyncio.sleep(1)
        passed = timedelta(seconds=int(time.monotonic() - last_wall))
        await night.time.advance_to(last_domain + passed)
        for number in suspended_since(folder):
            _follow(night, number)


def _follow(night: Night, number: str) -> None:
    """Take over what was said in the permit system's name, so that its heartbeats count right."""
    for permit in night.permits.values():
        if permit.number == number:
            permit.state = "suspended"
            night.ptw.sequences[permit.id] += 1


def _print_hints(
    console: Console, url: str, logins: Mapping[str, str], permits: list[str], token: str
) -> None:
    console.print()
    console.rule("It goes on")
    console.print(f"Console: {url}")
    table = Table(title="Logins", title_justify="left")
    table.add_column("sign-in name")
    table.add_column("password")
    for login, password in logins.items():
        table.add_row(login, password)
    console.print(table)
    console.print(f"Live permits: {', '.join(permits)}. Watch one on its page, and suspend it:")
    console.print(f"  .venv/bin/python -m key2xs_demo suspend {permits[0]}")
    console.print("Or ask from a shell (docs/quickstart.md):")
    console.print(f"  export KEY2XS_URL={url} KEY2XS_TOKEN={token}", soft_wrap=True)
    console.print("Ctrl-C stops everything.")
