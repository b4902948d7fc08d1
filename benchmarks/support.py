"""What the benchmarks share: a throw-away server and the lines that say where and how something was measured."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from key2xs.core.migrations import upgrade, upgrade_vault
from key2xs.core.postgres import RoleDsns, create_roles, local_passwords, start_cluster

T = TypeVar("T")


@contextmanager
def fresh_database() -> Iterator[RoleDsns]:
    """Start a server of our own with default durability, migrated and empty; remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="k2xb-"))
    # As root the server runs as somebody else, who must be able to reach the folder.
    folder.chmod(0o755)
    try:
        with start_cluster(data_dir=folder / "pg") as provider:
            dsns = create_roles(provider.server.dsn, passwords=local_passwords(provider.data_dir))
            upgrade(dsns.owner)
            upgrade_vault(dsns.vault)
            yield dsns
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run one coroutine on a loop of its own, of the kind that the product runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def machine() -> str:
    """Say what the figures were measured on."""
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, asyncpg {version('asyncpg')}"


def command(name: str, seed: int) -> str:
    """Say how to measure it again."""
    return f"python -m benchmarks {name} --seed {seed}"


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
