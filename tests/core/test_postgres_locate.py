"""Finding programs, on made-up machines."""

from pathlib import Path

import pytest

from key2xs.core.postgres import NoServerFound, WrongVersion, locate
from key2xs.core.postgres.locate import Binaries, choose_binaries, system_binaries


def install(root: Path, major: int, *, extension: bool = True) -> Path:
    """Put programs there that say they are PostgreSQL of that major."""
    bin_dir = root / "usr/lib/postgresql" / str(major) / "bin"
    share = root / "usr/share/postgresql" / str(major)
    bin_dir.mkdir(parents=True)
    (share / "extension").mkdir(parents=True)
    if extension:
        (share / "extension" / "btree_gist.control").touch()
    for name, answer in (
        ("postgres", f"postgres (PostgreSQL) {major}.2 (Debian {major}.2-1)"),
        ("initdb", ""),
        ("pg_config", str(share)),
    ):
        (bin_dir / name).write_text(f"#!/bin/sh\necho '{answer}'\n")
        (bin_dir / name).chmod(0o755)
    return bin_dir


def machine_with(monkeypatch: pytest.MonkeyPatch, *found: Binaries, embedded: int | None = None) -> None:
    wheel = Binaries(Path("/wheel"), embedded, "embedded") if embedded else None
    monkeypatch.setattr(locate, "system_binaries", lambda: list(found))
    monkeypatch.setattr(locate, "embedded_binaries", lambda: wheel)


def system(major: int) -> Binaries:
    return Binaries(Path(f"/system/{major}"), major, "system")


def test_the_newest_tested_major_comes_first(tmp_path: Path) -> None:
    for major in (9, 14, 15, 16, 18, 19):
        install(tmp_path, major)
    assert [found.major for found in system_binaries(tmp_path)] == [18, 16, 15]


def test_an_installation_without_the_extension_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path, 17, extension=False)
    install(tmp_path, 15)
    assert [found.major for found in system_binaries(tmp_path)] == [15]


def test_a_program_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    (install(tmp_path, 17) / "postgres").write_text("#!/no/such/shell\n")
    assert system_binaries(tmp_path) == []


def test_the_system_comes_before_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine_with(monkeypatch, system(15), embedded=18)
    assert choose_binaries(tmp_path, shared_memory=2**30) == system(15)


def test_the_owner_of_the_data_comes_before_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, system(16), system(15), embedded=18)
    (tmp_path / "PG_VERSION").write_text("18\n")
    assert choose_binaries(tmp_path, shared_memory=2**30).source == "embedded"
    (tmp_path / "PG_VERSION").write_text("15\n")
    assert choose_binaries(tmp_path, shared_memory=2**30) == system(15)


def test_a_missing_major_is_named_with_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine_with(monkeypatch, system(15))
    (tmp_path / "PG_VERSION").write_text("17\n")
    with pytest.raises(WrongVersion, match=r"PostgreSQL 17; found only PostgreSQL 15"):
        choose_binaries(tmp_path, shared_memory=2**30)


def test_a_damaged_version_file_is_an_error_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, system(15))
    (tmp_path / "PG_VERSION").write_text("?\n")
    with pytest.raises(WrongVersion, match="does not hold a major version"):
        choose_binaries(tmp_path, shared_memory=2**30)


def test_nothing_installed_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine_with(monkeypatch)
    with pytest.raises(NoServerFound, match="no pg_ctl on this machine"):
        choose_binaries(tmp_path, shared_memory=2**30)


@pytest.mark.parametrize(
    ("shared_memory", "chosen"),
    [
        (64 * 2**20, 15),  # a container's default is enough for initdb
        (1 * 2**20, 18),  # measured: initdb of 15 fails, 16 and later can be told to do without
    ],
)
def test_too_little_shared_memory_needs_a_later_initdb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_memory: int, chosen: int
) -> None:
    machine_with(monkeypatch, system(15), embedded=18)
    assert choose_binaries(tmp_path, shared_memory=shared_memory).major == chosen


def test_too_little_shared_memory_and_only_15_says_how_much_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine_with(monkeypatch, system(15))
    with pytest.raises(WrongVersion, match="give it 2097152 bytes"):
        choose_binaries(tmp_path, shared_memory=4096)
