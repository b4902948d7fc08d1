"""A twin of the tiny site as a process of its own: `python -m tests.smoke.tiny_twin SESSIONS_FILE`.

Its time follows the machine's. The ids of all vendor sessions go to the file, so that a test can look for them where
they must not be. The ready line is that of `key2xs-twin serve`.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from key2xs.core.clock import SystemClock
from key2xs_twin.physics import Physics
from key2xs_twin.serving import TwinServer
from key2xs_twin.world import World
from tests.support.tiny import tiny_site

KEYS = 16
_TICK_SECONDS = 0.05


async def main(sessions: Path) -> None:
    """Serve until a signal."""
    clock, seen = SystemClock(), set[str]()
    world = World(7, clock.now(), physics=Physics.exact(), site=tiny_site(KEYS).iloq)
    serving = asyncio.create_task(TwinServer(world, announce=_say).serve())
    while not serving.done():
        # The machine's clock may be set back; the twin's cannot.
        world.advance_to(max(world.now, clock.now()))
        fresh = set(world.iloq.sessions._open) - seen
        if fresh:
            seen |= fresh
            _write(sessions, seen)
        await asyncio.wait({serving}, timeout=_TICK_SECONDS)
    serving.result()


def _write(file: Path, lines: Iterable[str]) -> None:
    file.write_text("\n".join(sorted(lines)), encoding="utf-8")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the ready line


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
