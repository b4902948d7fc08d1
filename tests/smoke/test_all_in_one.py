"""One process with a PostgreSQL of its own: the server dies, the process dies, the process is asked to stop."""

import os
import signal
from pathlib import Path

import httpx2
import pytest

from key2xs.core.postgres.cluster import read_postmaster

from .kills import suspend_into_a_slow_call
from .site import ALL_IN_ONE, Site, assert_whole, listens, open_site

MOST_SECONDS_TO_STOP = 9.0  # below the ten that a database pool waits for a call that hangs


def test_one_process_with_a_server_of_its_own(open_folder: Path, subtests: pytest.Subtests) -> None:
    with open_site(open_folder, None) as site:
        site.start(ALL_IN_ONE)
        for step in (
            a_killed_database_server_comes_back_and_nothing_is_lost,
            a_killed_process_gives_nothing_back_when_it_starts_again,
            a_stop_ends_everything_within_seconds_though_a_page_follows_the_log,
        ):
            with subtests.test(step.__name__):
                step(site)


def a_killed_database_server_comes_back_and_nothing_is_lost(alone: Site) -> None:
    ref, stamp, permit = alone.holds_key("C1")
    alone.wait(alone.quiet)
    before = postmaster(alone)
    os.kill(before, signal.SIGKILL)
    alone.wait(lambda: postmaster(alone) not in {0, before})
    alone.wait(lambda: alone.health()["status"] == "ok")
    assert alone.grants(ref) == ["active"]
    alone.permits.suspend(permit)
    alone.wait(lambda: not alone.twin.could_open(stamp, "C1"))
    assert alone.grants(ref) == ["ended"]
    assert_whole(alone, "server.ndjson")


def a_killed_process_gives_nothing_back_when_it_starts_again(alone: Site) -> None:
    ref, stamp, permit = alone.holds_key("C1")
    suspend_into_a_slow_call(alone, permit)
    alone.kill("all")
    alone.twin.clear_faults()
    kept = checkpoint(alone)
    alone.start(ALL_IN_ONE)
    assert alone.grants(ref) == ["ended"]
    alone.fetch("UPDATE key_work SET leased_until = leased_until - interval '1 hour'", role="app")
    alone.wait(lambda: not alone.twin.could_open(stamp, "C1"))
    assert alone.grants(ref) == ["ended"]
    assert_whole(alone, "process.ndjson")
    assert alone.health()["status"] == "ok"
    assert checkpoint(alone)[0] == kept[0], "another origin"
    assert checkpoint(alone)[1] > kept[1]
    newest = alone.fetch("SELECT note FROM log_checkpoint ORDER BY size DESC LIMIT 1")[0]["note"]
    assert (alone.data / "checkpoint").read_text(encoding="utf-8") == newest


def a_stop_ends_everything_within_seconds_though_a_page_follows_the_log(alone: Site) -> None:
    url = f"{alone.url}/api/v1/events"
    headers = {"Authorization": f"Bearer {alone.token}"}
    with httpx2.Client(timeout=30) as client, client.stream("GET", url, headers=headers) as stream:
        assert stream.status_code == 200
        child = alone.running["all"]
        before = len(child.output)
        [(code, seconds)] = alone.stop().values()
        assert b"Traceback" not in b"".join(stream.iter_bytes())
    assert code == 0
    assert seconds < MOST_SECONDS_TO_STOP
    assert not listens(alone.port)
    assert child.output[before:] == ""
    assert [pid for pid in alone.leftovers() if pid != os.getpid()] == []


def postmaster(site: Site) -> int:
    """Return the process id of the product's own server; 0 while there is none."""
    found = next(site.data.rglob("postmaster.pid"), None)
    server = read_postmaster(found.parent) if found else None
    return server.pid if server and server.ready else 0


def checkpoint(site: Site) -> tuple[str, int]:
    """Return origin and size of the checkpoint kept outside the database."""
    origin, size, *_ = (site.data / "checkpoint").read_text(encoding="utf-8").split("\n")
    return origin, int(size)
