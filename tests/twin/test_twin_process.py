"""The command: a real process on real sockets, and the import files."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from key2xs_twin.cli import main
from key2xs_twin.iloq.webhooks import PayloadState, Subscription, sign
from key2xs_twin.scenario_file import BEGIN
from key2xs_twin.serving import TwinServer
from key2xs_twin.site import generate_site
from key2xs_twin.world import World


def test_serve_prints_one_ready_line_answers_on_both_ports_and_ends_on_a_signal() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "key2xs_twin", "serve", "--site", "S", "--seed", "7"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        try:
            for name in ("iloq", "control"):
                assert ready[name].startswith("http://127.0.0.1:")
            with httpx2.Client() as http:
                state = http.get(f"{ready['control']}/state").json()
                assert state["now"] == ready["now"] == "2026-07-01T15:00:00+00:00"
                body = {"CustomerCode": ready["customer_code"]}
                assert http.post(f"{ready['iloq']}/api/v2/Url/GetUrl", json=body).status_code == 200
                account = {"client": ready["cliq_client"], "secret": ready["cliq_secret"]}
                session = http.post(f"{ready['cliq']}/cliq-sim/v1/sessions", json=account).json()["session"]
                system = http.get(
                    f"{ready['cliq']}/cliq-sim/v1/system", headers={"X-Session": session}
                ).json()
                assert (system["name"], system["interface"]) == ("RTX-CLIQ", "simulated")
                # The vendor's port knows nothing of the control interface, and the other way round.
                crossed = ready["control"].removesuffix("/control") + "/iloqws/api/v2/Version"
                assert http.get(crossed).status_code == 404
                assert http.get(ready["iloq"].removesuffix("/iloqws") + "/control/state").status_code == 404
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
        assert process.stdout.read() == b""


SCENARIO = """
begin = 2026-07-01T15:00:00Z

[[fault]]
operation = "GET Version"
effect = "status:503"
retry_after = 30
times = 1

[[act]]
at_minutes = 60
act = "present"
key = "1001"
lock = "CDU-001"
"""


def test_somebody_alone_with_a_twin_is_told_what_to_try_and_all_of_it_works(tmp_path: Path) -> None:
    scenario, told = tmp_path / "night.toml", tmp_path / "told"
    scenario.write_text(SCENARIO, encoding="utf-8")
    command = [sys.executable, "-m", "key2xs_twin", "serve", "--size", "S", "--scenario", str(scenario)]
    with (
        told.open("w") as words,
        subprocess.Popen(
            [*command, "--rate", "50", "--quota", "8", "--guide"], stdout=subprocess.PIPE, stderr=words
        ) as process,
    ):
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        version, control = f"{ready['iloq']}/api/v2/Version", ready["control"]
        try:
            with httpx2.Client() as http:
                busy = http.get(version)
                assert (busy.status_code, busy.headers["retry-after"]) == (503, "30")
                commands = _waited_for(told, "/state\n").split("Try this:\n")[1]
                script = commands.replace("\ncurl", "; echo\ncurl")
                shell = subprocess.run(
                    ["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, timeout=30, check=True
                )
                answers = [line for line in shell.stdout.splitlines() if line]
                assert "RightsMask" in answers[0]
                assert '"interface":"simulated"' in shell.stdout
                state = json.loads(answers[-1])
                assert state["now"] == "2026-07-01T16:00:00+00:00"
                assert state["openings"] == 2, "the one of the scenario at 16:00, and the one that was tried"
                assert state["limits"]["iloq"]["calls_left_today"] == 100 - 4
                http.post(f"{control}/limits", json={"iloq": {"per_day": 5}})
                assert [http.get(version).status_code for _ in range(2)] == [200, 429]
                used = http.get(f"{control}/state").json()["limits"]
                assert used["iloq"]["told_that_the_quota_is_gone"] == ["2026-07-01T16:00:00+00:00"]
                assert used["cliq"]["calls_left_today"] == 8 - 2
        finally:
            process.send_signal(signal.SIGTERM)


def _waited_for(file: Path, last: str) -> str:
    """What is in a file once its last words are there."""
    deadline = time.monotonic() + 10
    while not (text := file.read_text()).endswith(last):
        assert time.monotonic() < deadline, text
        time.sleep(0.02)  # another process writes it, and no clock of ours moves that
    return text


async def test_time_passes_by_itself_where_somebody_wants_it() -> None:
    world = World(7, BEGIN)
    server = TwinServer(world, speed=36_000)
    passed = asyncio.Event()
    world.time.after(timedelta(hours=2), passed.set)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        await passed.wait()
    server.stop()
    await task


async def test_webhooks_go_out_over_a_socket_and_again_when_nobody_answers() -> None:
    site = generate_site("S", 7)
    world = World(7, BEGIN, site=site.iloq_inventory(), cliq=site.cliq_inventory())
    got: list[bytes] = []
    arrived = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length is not None
        got.extend((head, await reader.readexactly(int(length[1]))))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        if len(got) == 4:
            arrived.set()

    listening = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    for number, url in enumerate(("http://127.0.0.1:1/nobody", f"http://127.0.0.1:{port}/hook")):
        world.iloq.webhooks.subscribe(
            Subscription(
                subscription_id=UUID(int=number), event="key_added", url=url,
                starts_at=BEGIN, ends_at=BEGIN + timedelta(days=1), sign_key="key",
            )
        )  # fmt: skip
    for stamp in ("0815", "0816"):
        world.iloq.webhooks.tell("key_added", {"Stamp": stamp})
    server = TwinServer(world)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        await arrived.wait()
    server.stop()
    await task
    listening.close()
    head, body = got[:2]
    assert head.startswith(b"POST /hook ")
    assert f"webhook-signature: {sign(body, 'key')}".encode() in head.lower()
    states = [each.state for each in world.iloq.webhooks.payloads]
    assert states[:3] == [PayloadState.FAILED, PayloadState.DELIVERED, PayloadState.FAILED]


def test_serve_refuses_a_start_without_offset() -> None:
    with pytest.raises(SystemExit, match="needs an offset"):
        main(["serve", "--start", "2026-07-01T17:00:00"])


def test_serve_refuses_a_taken_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match=r"(?i)in use"):
            main(["serve", "--port", str(taken.getsockname()[1])])


def test_generate_writes_the_import_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["generate", "--out", str(tmp_path / "site"), "--first-day", "2026-03-02", "--days", "1"])
    assert ended.value.code in {None, 0}
    printed = capsys.readouterr().out.split()
    assert [Path(line).stem for line in printed][:3] == ["areas", "units", "zones"]
    with (tmp_path / "site" / "duties.csv").open(encoding="utf-8", newline="") as file:
        days = {row["from"][:10] for row in csv.DictReader(file)}
    assert days == {"2026-03-01", "2026-03-02"}, "the night before reaches into the first day"
