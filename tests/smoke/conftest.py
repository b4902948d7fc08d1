"""What tests of the smoke suite may ask for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that the database server's account can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="key2xs-smoke-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
