"""Secrets in files: made once on a laptop, never made behind a plant's back."""

from pathlib import Path

import pytest

from key2xs.core.errors import UnsafeSettings
from key2xs.installation import secret_file


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = secret_file(path)
    assert len(made) == 32
    assert secret_file(path) == made
    assert secret_file(path, may_make=False) == made
    assert path.stat().st_mode & 0o077 == 0


def test_a_mistyped_path_makes_no_new_secret_in_production(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSettings, match=r"no .*mastre"):
        secret_file(tmp_path / "mastre.key", may_make=False)
    assert not list(tmp_path.iterdir())
