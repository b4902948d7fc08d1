"""`key2xs-twin`: serve a synthetic site's iLOQ and CLIQ systems with a control interface, or write the site's import files."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App

if TYPE_CHECKING:
    from collections.abc import Sequence

# Virtual time at the start: 17:00 at the site on the first day of the rota, an hour before the night shift of the demo.
START = datetime(2026, 7, 1, 15, 0, tzinfo=UTC)

app = App(name="key2xs-twin", help=__doc__)

Size = Literal["S", "M", "L"]


@app.command
def serve(
    *,
    size: Size = "S",
    seed: int = 7,
    port: int = 0,
    control_port: int = 0,
    start: str = START.isoformat(),
    exact: bool = False,
) -> None:
    """Serve until a signal; print one line of JSON with the addresses when ready.

    Args:
        size: how big the site is.
        seed: all chance comes from it.
        port: both vendors' interfaces on 127.0.0.1; 0 takes a free one.
        control_port: the control interface on 127.0.0.1; 0 takes a free one.
        start: virtual time at the beginning, RFC 3339 with offset.
        exact: a world without clock errors and latency.
    """
    import uvloop

    from key2xs_twin.physics import Physics
    from key2xs_twin.serving import TwinServer
    from key2xs_twin.site import generate_site
    from key2xs_twin.world import World

    begin = datetime.fromisoformat(start)
    if begin.tzinfo is None:
        raise SystemExit("--start needs an offset, for example 2026-07-01T17:00:00+02:00")
    physics = Physics.exact() if exact else Physics()
    site = generate_site(size, seed)
    world = World(seed, begin, physics=physics, site=site.iloq_inventory(), cliq=site.cliq_inventory())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(TwinServer(world, port, control_port, announce=_say).serve())


@app.command
def generate(
    *, out: Path, size: Size = "S", seed: int = 7, first_day: str = START.date().isoformat(), days: int = 7
) -> None:
    """Write the import files of a synthetic site into a folder and print their paths.

    Args:
        out: the folder; made if missing.
        size: how big the site is.
        seed: all chance comes from it; a twin served with the same size and seed has these locks and keys.
        first_day: the first day of the rota, YYYY-MM-DD; contracts and qualifications lie around it.
        days: how many days the rota covers.
    """
    from key2xs_twin.site import generate_site, write_csv

    site = generate_site(size, seed, first_day=date.fromisoformat(first_day), days=days)
    for path in write_csv(site, out):
        _say(str(path))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command."""
    app(arguments)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
