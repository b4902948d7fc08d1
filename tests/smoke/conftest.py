"""Sites of the smoke suite."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.database import DatabaseServer

from .site import SEPARATE, Site, open_site


@pytest.fixture(scope="session")
def site(databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Separate processes on one database, shared: a test kills what it likes and starts it again."""
    with databases.fresh() as dsns, open_site(tmp_path_factory.mktemp("separate"), dsns) as running:
        running.start(SEPARATE)
        yield running


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the database server's account can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="key2xs-smoke-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
