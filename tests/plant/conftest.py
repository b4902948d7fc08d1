"""A log for the plant's tests, and the synthetic site's files."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from key2xs.core.vault import Vault
from key2xs.ledger import Ledger
from key2xs_twin.site import generate_site, write_csv
from tests.plant.worlds import read_rows


@pytest.fixture
def ledger(vault: Vault) -> Ledger:
    return Ledger(vault)


@pytest.fixture(scope="session")
def site_files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[dict[str, str]]]:
    """The files of site S as the twin writes them: kind -> rows."""
    folder = tmp_path_factory.mktemp("site")
    write_csv(generate_site(size="S", seed=7), folder)
    return {path.stem: read_rows(path.read_text(encoding="utf-8")) for path in Path(folder).glob("*.csv")}
