"""`key2xs-twin`: serve a synthetic site's iLOQ and CLIQ systems, play a scenario file, or write the site's import files."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import App, Parameter

from key2xs_twin.scenario_file import BEGIN, ScenarioFile, Size, read_scenario_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from key2xs_twin.people import Scenario
    from key2xs_twin.world import World

app = App(name="key2xs-twin", help=__doc__)

SITE = Parameter(name=["--site", "--size"])  # --size is what it was called first


@app.command
def serve(
    *,
    site: Annotated[Size | None, SITE] = None,
    seed: int | None = None,
    port: int = 0,
    control_port: int = 0,
    start: str | None = None,
    scenario: Path | None = None,
    rate: float | None = None,
    quota: int | None = None,
    speed: float = 0.0,
    exact: bool = False,
    guide: bool | None = None,
) -> None:
    """Serve until a signal; print one line of JSON with the addresses when ready, and on a terminal what to try.

    Args:
        site: how big the site is: S, M or L.
        seed: all chance comes from it.
        port: both vendors' interfaces on 127.0.0.1; 0 takes a free one.
        control_port: the control interface on 127.0.0.1; 0 takes a free one.
        start: virtual time at the beginning, RFC 3339 with offset.
        scenario: a scenario file: site, seed, begin, acts, faults and limits; what is given here counts before it.
        rate: calls a second that each maker's server takes.
        quota: calls a day that each maker's server takes, full again at 00:00 UTC.
        speed: virtual seconds that pass for each second outside; 0: time stands still until /control/advance.
        exact: a world without clock errors and latency.
        guide: say on stderr how to sign in and what to try; default: when stdout is a terminal.
    """
    import uvloop

    from key2xs_twin.guide import guide as guide_to
    from key2xs_twin.serving import TwinServer

    told = _read(scenario, site=site, seed=seed, begin=start)
    world, plan = _open(told, exact=exact)
    for gateway in (world.iloq.gateway, world.cliq.gateway):
        limits = gateway.limits
        if rate is not None:
            limits = replace(limits, per_second=rate, burst=max(limits.burst, int(rate)))
        gateway.limits = limits if quota is None else replace(limits, per_day=quota)

    def announce(line: str) -> None:
        _say(line)
        if sys.stdout.isatty() if guide is None else guide:
            sys.stderr.write(guide_to(server))
            sys.stderr.flush()

    server = TwinServer(world, port, control_port, announce=announce, speed=speed)
    server.control.scenario = plan
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve())


@app.command
def play(scenario: Path, /, *, seed: int | None = None, exact: bool = False) -> None:
    """Play a scenario file to its end without a server and print what came of it as one line of JSON.

    Equal files and seeds give equal digests. Ends with 1 when a fault of the file never fired.

    Args:
        scenario: the file.
        seed: instead of the file's.
        exact: a world without clock errors and latency.
    """
    told = _read(scenario, site=None, seed=seed, begin=None)
    world, plan = _open(told, exact=exact)
    world.advance_to(told.ends_at)
    fired = world.faults.fired()
    _say(json.dumps({"name": told.name, "acts": len(plan.done), "faults": fired, **_came(world)}))
    if not all(fired.values()):
        raise SystemExit(1)


@app.command
def live(*, site: Annotated[Size, SITE] = "S", seed: int = 7, days: int = 7, exact: bool = False) -> None:
    """Let a site live so many days without a server and print what came of it as one line of JSON.

    Args:
        site: how big the site is: S, M or L.
        seed: all chance comes from it; equal sites, seeds and days give equal digests.
        days: how many.
        exact: a world without clock errors and latency.
    """
    from key2xs_twin.life import live_days

    world = live_days(site, seed, days, exact=exact)
    _say(json.dumps(_came(world)))


@app.command
def generate(
    *,
    out: Path,
    site: Annotated[Size, SITE] = "S",
    seed: int = 7,
    first_day: str = BEGIN.date().isoformat(),
    days: int = 7,
) -> None:
    """Write the import files of a synthetic site into a folder and print their paths.

    Args:
        out: the folder; made if missing.
        site: how big the site is: S, M or L.
        seed: all chance comes from it; a twin served with the same site and seed has these locks and keys.
        first_day: the first day of the rota, YYYY-MM-DD; contracts and qualifications lie around it.
        days: how many days the rota covers.
    """
    from key2xs_twin.site import generate_site, write_csv

    made = generate_site(site, seed, first_day=date.fromisoformat(first_day), days=days)
    for path in write_csv(made, out):
        _say(str(path))


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command."""
    app(arguments)


def _came(world: World) -> dict[str, object]:
    """What a world has come to."""
    opened = sum(opening.ok for opening in world.openings)
    return {
        "now": world.now.isoformat(),
        "openings": opened,
        "refusals": len(world.openings) - opened,
        "digest": world.digest(),
    }


def _read(path: Path | None, *, site: Size | None, seed: int | None, begin: str | None) -> ScenarioFile:
    """The scenario of a file, or one without acts; what is given goes before what it says."""
    try:
        told = read_scenario_file(path) if path is not None else ScenarioFile()
    except ValueError as error:
        raise SystemExit(str(error)) from None
    at = told.begin if begin is None else datetime.fromisoformat(begin)
    if at.tzinfo is None:
        raise SystemExit("--start needs an offset, for example 2026-07-01T17:00:00+02:00")
    return msgspec.structs.replace(
        told, site=site or told.site, seed=told.seed if seed is None else seed, begin=at
    )


def _open(told: ScenarioFile, *, exact: bool) -> tuple[World, Scenario]:
    """Return a scenario's world at its begin, with everything planned."""
    from key2xs_twin.people import Scenario
    from key2xs_twin.physics import Physics
    from key2xs_twin.site import generate_site
    from key2xs_twin.world import World

    site = generate_site(told.site, told.seed)
    physics = Physics.exact() if exact else Physics()
    world = World(
        told.seed, told.begin, physics=physics, site=site.iloq_inventory(), cliq=site.cliq_inventory()
    )
    plan = Scenario(world)
    told.plan(world, plan)
    return world, plan


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
