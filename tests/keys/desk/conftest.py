"""One prepared site for the run, copied for every test."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from key2xs.core.ids import PersonId
from key2xs.core.postgres import RoleDsns
from tests.conftest import START
from tests.support.database import DatabaseServer

from .site import PEOPLE, Desk, open_desk, personnel_no


@dataclass(frozen=True)
class Prepared:
    """A database with the site and its people in it, and the files that belong to it."""

    database: str
    folder: Path
    persons: dict[str, PersonId]


@pytest.fixture(scope="session")
def prepared(databases: DatabaseServer) -> Iterator[Prepared]:
    """The site with four people; nobody has a key."""
    database, dsns = databases.create()
    folder = Path(tempfile.mkdtemp(prefix="key2xs-desk-"))
    yield Prepared(database, folder, asyncio.run(_people(dsns, folder)))
    databases.drop(database)
    shutil.rmtree(folder)


async def _people(dsns: RoleDsns, folder: Path) -> dict[str, PersonId]:
    async with open_desk(dsns, folder, START) as spine:
        for ref in PEOPLE:
            company = "own" if ref == "u4" else "v017"
            await spine.person(ref, employee_number=personnel_no(ref), company=company)
        await spine.settle()
        return dict(spine.persons)


@pytest.fixture
async def desk(databases: DatabaseServer, prepared: Prepared, tmp_path: Path) -> AsyncIterator[Desk]:
    """The key desk on a copy of the prepared site."""
    shutil.copytree(prepared.folder, tmp_path, dirs_exist_ok=True)
    with databases.fresh(prepared.database) as dsns:
        async with open_desk(dsns, tmp_path, START, prepared=True) as spine:
            spine.persons.update(prepared.persons)
            yield Desk(spine)
