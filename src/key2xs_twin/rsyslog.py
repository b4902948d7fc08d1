"""Run a real rsyslogd as a child: mutual TLS with the gtls driver, peers checked by name, records as JSON lines.

The gtls driver on purpose: with ossl, rsyslog 8.2302 let 9 of 13 clients with a wrong name in (measured; rsyslog issue 6350).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .certificates import CLIENT_NAME
from .syslog_receiver import MAX_MESSAGE_BYTES, Record, parse_structured_data

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .certificates import Certificates

READY_TIMEOUT_S = 10.0
POLL_S = 0.02  # an outside process tells nobody when it is ready or has written
PROPERTIES = {
    "pri": 'name="pri"',
    "time": 'name="timereported" dateFormat="rfc3339"',
    "host": 'name="hostname"',
    "app": 'name="app-name"',
    "procid": 'name="procid"',
    "msgid": 'name="msgid"',
    "data": 'name="structured-data"',
    "msg": 'name="msg"',
    "raw": 'name="rawmsg"',
}


def find_rsyslogd() -> str | None:
    """The program, also where a normal user's PATH does not look; None when it is not installed."""
    return shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def missing_rsyslog() -> str | None:
    """Why no rsyslog with TLS can run here, in words for a skipped test; None when it can."""
    if find_rsyslogd() is None:
        return "rsyslogd is not installed (Debian: rsyslog)"
    folders = [Path("/usr/lib/rsyslog"), Path("/usr/lib64/rsyslog"), *Path("/usr/lib").glob("*/rsyslog")]
    if not any((folder / "lmnsd_gtls.so").exists() for folder in folders):
        return "the gtls driver of rsyslog is not installed (Debian: rsyslog-gnutls)"
    return None


@dataclass(slots=True)
class Rsyslog:
    """A running rsyslogd; make one with `Rsyslog.start`, end it with `stop` or use it as a context manager."""

    port: int
    _process: subprocess.Popen[bytes]
    _output: Path
    _log: Path

    @classmethod
    def start(
        cls,
        folder: Path,
        certificates: Certificates,
        port: int = 0,
        *,
        permitted_names: Sequence[str] = (CLIENT_NAME,),
    ) -> Rsyslog:
        """Start in `folder` (made if missing) on 127.0.0.1 and wait until it listens; port 0 takes a free one.

        RuntimeError with rsyslog's own words when it does not come up.
        """
        reason = missing_rsyslog()
        program = find_rsyslogd()
        if reason is not None or program is None:
            raise RuntimeError(reason or "rsyslogd is not installed")
        folder = folder.resolve()  # rsyslog wants absolute paths
        folder.mkdir(parents=True, exist_ok=True)
        port = port or _free_port()
        output, log, settings = folder / "records.jsonl", folder / "rsyslogd.log", folder / "rsyslog.conf"
        settings.write_text(_settings(folder, certificates, port, output, permitted_names), encoding="utf-8")
        with log.open("ab") as log_file:
            process = subprocess.Popen(
                [program, "-n", "-iNONE", "-f", str(settings)], stdout=log_file, stderr=log_file
            )
        running = cls(port, process, output, log)
        running._wait_until_listening()
        return running

    def stop(self) -> None:
        """End the process; what it received is flushed and stays readable."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def records(self) -> list[Record]:
        """What rsyslog stored, as rsyslog itself parsed it (a second opinion on our formatting)."""
        if not self._output.exists():
            return []
        text = self._output.read_text(encoding="utf-8")
        complete = text[: text.rfind("\n") + 1]  # the last line may still be on its way
        return [_record(json.loads(line)) for line in complete.splitlines()]

    def wait_for_records(self, count: int, *, timeout: float = 10.0) -> list[Record]:
        """Wait until at least `count` records are stored; TimeoutError after `timeout` seconds of real time."""
        found: list[Record] = []

        def enough() -> bool:
            found[:] = self.records()
            return len(found) >= count

        _poll(enough, timeout, lambda: f"{len(found)} of {count} records: {self.log()}")
        return found

    def log(self) -> str:
        """What rsyslogd said about itself."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _wait_until_listening(self) -> None:
        def listening() -> bool:
            if self._process.poll() is not None:
                raise RuntimeError(f"rsyslogd ended at once: {self.log()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            return False

        try:
            _poll(listening, READY_TIMEOUT_S, lambda: f"rsyslogd does not listen: {self.log()}")
        except TimeoutError as err:
            self.stop()
            raise RuntimeError(str(err)) from err


def _settings(
    folder: Path, certificates: Certificates, port: int, output: Path, permitted_names: Sequence[str]
) -> str:
    names = ",".join(f'"{name}"' for name in permitted_names)
    properties = "\n  ".join(
        f'property(outname="{field}" {source} format="jsonf")' for field, source in PROPERTIES.items()
    )
    server = certificates.server
    return f"""\
global(workDirectory="{folder}" maxMessageSize="{MAX_MESSAGE_BYTES}"
       defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{certificates.ca.resolve()}"
       defaultNetstreamDriverCertFile="{server.certificate.resolve()}"
       defaultNetstreamDriverKeyFile="{server.key.resolve()}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"
       streamDriver.authMode="x509/name" permittedPeer=[{names}])
template(name="json" type="list" option.jsonf="on") {{
  {properties}
}}
ruleset(name="store") {{ action(type="omfile" file="{output}" template="json") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="store")
"""


def _record(fields: dict[str, str]) -> Record:
    data, _ = parse_structured_data(fields["data"])
    facility, severity = divmod(int(fields["pri"]), 8)
    empty = {"-": ""}
    return Record(
        facility=facility,
        severity=severity,
        time=fields["time"],
        host=fields["host"],
        app=empty.get(fields["app"], fields["app"]),
        procid=empty.get(fields["procid"], fields["procid"]),
        msgid=empty.get(fields["msgid"], fields["msgid"]),
        data=data,
        msg=fields["msg"].removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"),
        raw=fields["raw"],
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _poll(ready: Callable[[], bool], timeout: float, complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint())
        time.sleep(POLL_S)
