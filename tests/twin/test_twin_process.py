"""The command: a real process on real sockets, and the import files."""

from __future__ import annotations

import csv
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from key2xs_twin.cli import main


def test_serve_prints_one_ready_line_answers_on_both_ports_and_ends_on_a_signal() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "key2xs_twin", "serve", "--size", "S", "--seed", "7"], stdout=subprocess.PIPE
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
