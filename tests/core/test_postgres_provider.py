"""The provider chain, against real servers of both kinds."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import key2xs
from key2xs.core.postgres import (
    DirectoryUnusable,
    Provider,
    StartFailed,
    WrongVersion,
    account,
    embedded_binaries,
    layout,
    start_cluster,
)
from key2xs.core.postgres.cluster import find_running
from tests.core.conftest import ask, find_binaries, tell
from tests.support.waiting import wait_until

NOBODY = 65534

# A second process of ours on the same data directory: says whether it owns the server, and stays until told.
_OTHER_PROCESS = """
import sys
from pathlib import Path
from key2xs.core.postgres import start_cluster
with start_cluster(data_dir=Path(sys.argv[1])) as provider:
    print(provider.server.owned, provider.server.version, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module", params=["system", "embedded"])
def provider(request: pytest.FixtureRequest, open_place: Path) -> Iterator[Provider]:
    """A running server of each kind, in a folder with spaces and quotes in its name."""
    binaries = find_binaries(request.param)
    provider = Provider(
        data_dir=open_place / f"a 'data' folder, {request.param}",
        binaries=binaries,
        durable=False,
        supervise=False,
    )
    with provider:
        yield provider


def server_pid(provider: Provider) -> int:
    found = find_running(provider.data_dir / "cluster")
    assert found is not None
    return found.pid


def start_other_process(data_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def end_other_process(process: subprocess.Popen[str]) -> None:
    process.communicate("go\n", timeout=30)
    assert process.returncode == 0


def test_the_server_answers_and_is_the_one_asked_for(provider: Provider) -> None:
    assert provider.server.owned
    version = ask(provider.server.dsn, "SHOW server_version_num")
    assert int(str(version)) // 10_000 == provider.server.version


def test_the_server_is_utf8_and_sorts_the_same_everywhere(provider: Provider) -> None:
    assert ask(provider.server.dsn, "SHOW server_encoding") == "UTF8"
    assert ask(provider.server.dsn, "SELECT 'Z' < 'a' COLLATE \"default\"") is True


def test_nothing_listens_on_the_network(provider: Provider) -> None:
    assert ask(provider.server.dsn, "SHOW listen_addresses") == ""
    assert provider.server.socket_dir is not None
    assert provider.server.socket_dir.stat().st_mode & 0o077 == 0


def test_root_is_dropped(provider: Provider, as_root: None) -> None:
    assert Path("/proc", str(server_pid(provider))).stat().st_uid != 0


def test_a_killed_server_starts_again_with_its_data(provider: Provider) -> None:
    tell(provider.server.dsn, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS value")
    os.kill(server_pid(provider), signal.SIGKILL)
    wait_until(provider.ensure)  # its death may take a moment to be seen
    assert ask(provider.server.dsn, "SELECT value FROM kept") == 42
    assert provider.ensure() is False


def test_a_second_process_attaches_and_leaves_the_server_running(provider: Provider) -> None:
    other = start_other_process(provider.data_dir)
    assert other.stdout is not None
    assert other.stdout.readline().split() == ["False", str(provider.server.version)]
    end_other_process(other)
    assert ask(provider.server.dsn, "SELECT 1") == 1


def test_the_server_works_with_hardly_any_shared_memory(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("key2xs.core.postgres.cluster.shared_memory_size", lambda: 65_536)
    provider.stop()
    provider.start()
    assert ask(provider.server.dsn, "SHOW dynamic_shared_memory_type") == "mmap"


@pytest.mark.parametrize("state", ["zombie", "another program"])
def test_a_stale_pid_file_does_not_keep_the_server_from_starting(provider: Provider, state: str) -> None:
    cluster = provider.data_dir / "cluster"
    lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    provider.stop()
    # As the server's own user: PostgreSQL ignores processes of others by itself.
    owner = cluster.stat()
    bystander = subprocess.Popen(
        ["/bin/sleep", "60"] if state == "another program" else ["/bin/true"],
        user=owner.st_uid if os.geteuid() == 0 else None,
    )
    if state == "zombie":
        os.waitid(os.P_PID, bystander.pid, os.WEXITED | os.WNOWAIT)
    (cluster / "postmaster.pid").write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
    os.chown(cluster / "postmaster.pid", owner.st_uid, owner.st_gid)
    try:
        provider.start()
        assert ask(provider.server.dsn, "SELECT 1") == 1
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_whose_owner_was_killed_is_adopted_and_stopped(open_place: Path) -> None:
    data_dir = open_place / "orphan"
    owner = start_other_process(data_dir)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("True")
    owner.kill()
    owner.communicate()
    orphan = find_running(data_dir / "cluster")
    assert orphan is not None, "a server outlives its owner"
    with start_cluster(data_dir=data_dir) as provider:
        assert provider.server.owned
        assert server_pid(provider) == orphan.pid
        assert ask(provider.server.dsn, "SELECT 1") == 1
    assert find_running(data_dir / "cluster") is None


def test_the_watcher_brings_a_killed_server_back_by_itself(open_place: Path) -> None:
    with start_cluster(data_dir=open_place / "watched", durable=False) as provider:
        first = server_pid(provider)
        os.kill(first, signal.SIGKILL)

        def is_back() -> bool:
            found = find_running(provider.data_dir / "cluster")
            return found is not None and found.ready and found.pid != first

        wait_until(is_back)
        assert ask(provider.server.dsn, "SELECT 1") == 1


def test_the_version_that_owns_the_data_is_used_again(open_place: Path) -> None:
    embedded = embedded_binaries()
    with start_cluster(data_dir=open_place / "owned", binaries=embedded, durable=False) as provider:
        made_by = provider.server.version
    with start_cluster(data_dir=open_place / "owned") as provider:
        assert provider.server.version == made_by


def test_data_of_a_version_that_is_not_installed_is_refused_by_name(open_place: Path) -> None:
    cluster = open_place / "old" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    os.chown(cluster, NOBODY if os.geteuid() == 0 else -1, -1)
    with pytest.raises(WrongVersion, match="belongs to PostgreSQL 9"):
        start_cluster(data_dir=open_place / "old")


def test_a_path_too_long_for_a_socket_gets_a_short_one(open_place: Path) -> None:
    data_dir = open_place / ("long" * 20) / "pg"
    with start_cluster(data_dir=data_dir, durable=False) as provider:
        assert provider.server.socket_dir is not None
        assert data_dir not in provider.server.socket_dir.parents
        assert ask(provider.server.dsn, "SELECT 1") == 1
        sockets = provider.server.socket_dir
    assert not sockets.exists(), "nothing stays in the temporary folder"


def test_a_foreign_folder_in_the_place_of_the_socket_is_refused(open_place: Path) -> None:
    data_dir = open_place / ("deep" * 20) / "pg"
    found = layout.arrange(data_dir)
    found.sockets.chmod(0o777)
    with pytest.raises(DirectoryUnusable, match="not a private folder of ours"):
        layout.arrange(data_dir)
    found.sockets.rmdir()


def test_a_half_made_cluster_is_thrown_away(open_place: Path) -> None:
    unfinished = open_place / "half" / "cluster.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("15\n")
    with start_cluster(data_dir=open_place / "half", durable=False) as provider:
        assert ask(provider.server.dsn, "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_server_that_does_not_start_says_why_in_its_own_words(open_place: Path) -> None:
    with pytest.raises(StartFailed, match="no_such_setting"):
        start_cluster(data_dir=open_place / "bad", settings={"no_such_setting": "1"}, durable=False)
    # The failure is not remembered: without the bad setting it starts.
    with start_cluster(data_dir=open_place / "bad"):
        pass


def test_a_dsn_is_used_as_it_is_and_nothing_is_started(provider: Provider, open_place: Path) -> None:
    data_dir = open_place / "unused"
    with start_cluster(data_dir=data_dir, dsn=provider.server.dsn) as site:
        assert site.server.dsn == provider.server.dsn
        assert site.server.source == "dsn"
        assert not site.server.owned
    assert not data_dir.exists()
    assert ask(provider.server.dsn, "SELECT 1") == 1


def test_a_server_object_does_not_print_its_password(provider: Provider) -> None:
    assert "postgresql://" not in repr(provider.server)


def test_root_in_a_private_home_moves_data_and_programs_to_a_public_place(
    open_place: Path, private_place: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    monkeypatch.setattr(account, "PUBLIC_PLACE", open_place / "public")
    embedded = find_binaries("embedded")
    package = embedded.bin_dir.parent.parent
    for name in (package.name, f"{package.name}.libs"):
        (private_place / name).symlink_to(package.parent / name)
    hidden = embedded.__class__(
        private_place / package.name / "pginstall" / "bin", embedded.major, "embedded"
    )
    with start_cluster(data_dir=private_place / "pg", binaries=hidden, durable=False) as provider:
        assert ask(provider.server.dsn, "SELECT 1") == 1
        assert not (private_place / "pg" / "cluster").exists()
        # The program that runs is the copy, and only root could have changed it.
        assert (open_place / "public").owner() == "root"
        assert list((open_place / "public").glob("postgres-*/complete"))
        tell(provider.server.dsn, "CREATE TABLE kept (x int)")
    # A parent that is opened later must not make the data look empty.
    private_place.chmod(0o755)
    with start_cluster(data_dir=private_place / "pg", binaries=hidden) as provider:
        assert ask(provider.server.dsn, "SELECT count(*) FROM kept") == 0


def test_data_that_can_no_longer_be_reached_is_refused_and_not_made_anew(
    open_place: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    monkeypatch.setattr(account, "PUBLIC_PLACE", open_place / "public too")
    home = open_place / "closing"
    home.mkdir()
    with start_cluster(data_dir=home / "pg", durable=False):
        pass
    home.chmod(0o700)
    with pytest.raises(DirectoryUnusable, match="its owner cannot reach it"):
        start_cluster(data_dir=home / "pg")


def test_a_normal_user_runs_it_as_himself(open_place: Path, as_root: None) -> None:
    home = open_place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    code = (
        "import sys; from pathlib import Path; from key2xs.core.postgres import start_cluster\n"
        "with start_cluster(data_dir=Path(sys.argv[1]), durable=False) as provider:\n"
        "    print(provider.server.owned)"
    )
    done = run_as_nobody(code, str(home / "pg"))
    assert done.stdout.strip() == "True", done.stderr
    assert (home / "pg" / "cluster").stat().st_uid == NOBODY


def run_as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as a normal user, with this interpreter or a system one that user can reach."""
    packages = [str(Path(module.__file__ or "").parents[1]) for module in (key2xs, asyncpg)]

    def run(python: str, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-c", *argv],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(packages), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if run(python, "import key2xs.core.postgres").returncode == 0:
                return run(python, code, *arguments)
    pytest.skip("a normal user of this machine can reach neither an interpreter nor the packages")
