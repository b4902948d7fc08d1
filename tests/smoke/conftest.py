"""Sites of the smoke suite."""

from collections.abc import Iterator

import pytest

from tests.support.database import DatabaseServer

from .site import SEPARATE, Site, open_site


@pytest.fixture(scope="session")
def site(databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Separate processes on one database, shared: a test kills what it likes and starts it again."""
    with databases.fresh() as dsns, open_site(tmp_path_factory.mktemp("separate"), dsns) as running:
        running.start(SEPARATE)
        yield running
