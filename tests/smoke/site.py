"""A site on real sockets: the product's processes between twin, permit office and SIEM, and how to talk to it."""

import asyncio
import csv
import io
import json
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2

from key2xs.app import databases
from key2xs.core.clock import SystemClock
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import load_settings
from key2xs.installation import Dsns
from key2xs.ledger.verify import verify_export
from key2xs_twin.certificates import Certificates, make_certificates
from key2xs_twin.clients.permits import Permit
from key2xs_twin.clients.scim import EntraClient, ScimPerson
from key2xs_twin.rsyslog import Rsyslog
from key2xs_twin.syslog_receiver import Record
from tests.support.peers import require_program
from tests.support.waiting import wait_until

from .permits import Permits
from .prepared import prepare
from .processes import LONGEST, Child, end_all, kill_under, processes_under, product
from .settings import SCIM_TOKEN, settings_text
from .twin import Twin

T = TypeVar("T")

# Planted where people are: nothing of it may ever be written to an output or sent to the SIEM.
GIVEN, FAMILY, MAIL_DOMAIN = "Zwaantje-Loes", "Quirijnsdochter", "planted-mail.example"
QUALIFIED = ("VCA_BASIC", "SITE_INDUCTION", "LOTO")

ALL_IN_ONE = {"all": ["serve"]}
SEPARATE = {
    "web": ["serve", "--only"],
    "worker-1": ["worker"],
    "worker-2": ["worker"],
    "sequencer-1": ["sequencer"],
    "sequencer-2": ["sequencer"],
}


@dataclass
class Site:
    """Everything that runs, and how to talk to it. All methods wait in real time."""

    folder: Path
    named: RoleDsns | None
    """The database the settings name; None where the product runs its own server."""
    twin: Twin
    siem: Rsyslog
    certificates: Certificates
    port: int
    running: dict[str, Child] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    token: str = ""
    dsns: Dsns | None = None
    """Where each role connects."""
    refs: list[str] = field(default_factory=list)
    _loop: asyncio.Runner = field(default_factory=asyncio.Runner)
    _http: httpx2.Client | None = None
    _permits: Permits | None = None
    _keys: Iterator[int] = field(default_factory=lambda: iter(range(1, 17)))

    # --- life ----------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where the web side is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "settings.toml"

    @property
    def data(self) -> Path:
        """Where the product keeps its files."""
        return self.folder / "var"

    def write_settings(self) -> None:
        """Write the product's settings."""
        self.config.touch(mode=0o600)
        text = settings_text(
            data=self.data, port=self.port, ready=self.twin.ready, siem=self.siem, certificates=self.certificates, dsns=self.named
        )  # fmt: skip
        self.config.write_text(text, encoding="utf-8")

    def use_database(self, named: RoleDsns) -> None:
        """Let the product's next start find another database."""
        self.named = named
        self.dsns = Dsns(app=named.app, log=named.log, read=named.read, vault=named.vault)
        self.write_settings()

    def prepare(self) -> None:
        """Import the tiny site, enforce its zones, and make a user and a token."""
        settings = load_settings(self.config, {})
        with databases(settings) as dsns:
            self.dsns, self.token = dsns, self.run(prepare(settings, dsns))
        self._http = httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=LONGEST
        )

    def start(self, roles: dict[str, list[str]]) -> None:
        """Start processes; wait until the web side answers, if it is among them."""
        for name, arguments in roles.items():
            child = product(name, arguments, self.folder, self.config)
            self.running[name] = child
            self.children.append(child)
        if any("serve" in arguments for arguments in roles.values()):
            self.wait(self.answers)

    def answers(self) -> bool:
        """Tell whether the web side answers; a process that ended meanwhile is an error."""
        for child in self.running.values():
            assert child.is_running, f"{child.name} ended {child.process.returncode}: {child.output[-3000:]}"
        return listens(self.port) and self._asked("/healthz").status_code == 200

    def kill(self, name: str) -> None:
        """End one process as a power cut would."""
        self.running.pop(name).kill()

    def stop(self) -> dict[str, tuple[int, float]]:
        """Stop all product processes in order; exit codes and seconds."""
        names = list(self.running)
        return {name: self.running.pop(name).stop() for name in names}

    def close(self) -> None:
        """End everything, whatever state it is in."""
        end_all([*self.children, self.twin.child])
        self.siem.stop()
        self.twin.close()
        if self._http is not None:
            self._http.close()
        self._loop.close()
        kill_under(self.folder)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of one of the clients."""
        return self._loop.run(work)

    def wait(self, holds: Any, *, within: float = LONGEST) -> None:
        """Wait until something holds; a failure shows the processes' last words."""
        try:
            wait_until(holds, within=within)
        except TimeoutError as error:
            words = "\n".join(f"{child.name}: {child.output[-1500:]}" for child in self.running.values())
            raise AssertionError(f"{error}\n{words}") from error

    # --- what people and systems do ------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a question."""
        return self._answer("GET", path, params=query or None)

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """Do something."""
        return self._answer("POST", path, json=body, params=query or None)

    def download(self, path: str) -> bytes:
        """Return a file."""
        return self._asked(path).raise_for_status().content

    def _asked(self, path: str, method: str = "GET", **values: Any) -> httpx2.Response:
        assert self._http is not None
        return self._http.request(method, path, **values)

    def _answer(self, method: str, path: str, **values: Any) -> Any:
        answer = self._asked(path, method, **values)
        assert not answer.is_error, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def health(self) -> dict[str, Any]:
        """Return how the service says it is."""
        found: dict[str, Any] = self._asked("/healthz").json()
        return found

    def now(self) -> datetime:
        """The machine's time, that of product and twin."""
        return SystemClock().now()

    def newcomer(self) -> tuple[str, str]:
        """Have the IAM provision somebody, the register say what they may do, and hand a key out: ref and stamp."""
        number = next(self._keys)
        ref, stamp = f"planted-ref-{self.port}-{number}", f"K{number:03d}"
        person = ScimPerson(
            user_name=f"{ref}@{MAIL_DOMAIN}",
            external_id=ref,
            given_name=GIVEN,
            family_name=f"{FAMILY}-{number}",
            company="v017",
            contract_end=(self.now() + timedelta(days=30)).date(),
        )
        self.run(self._provision(person))
        self._qualify(ref)
        self.refs.append(ref)
        self.wait(lambda: any(key["stamp"] == stamp for key in self.get("/api/v1/keys", q=stamp)["items"]))
        self.post(f"/api/v1/keys/{stamp}/hand-out", {"person": f"iam:{ref}"})
        self.twin.act("hand_over", key=stamp, person=ref)
        return ref, stamp

    def _qualify(self, ref: str) -> None:
        text = io.StringIO()
        until = (self.now() + timedelta(days=365)).date().isoformat()
        rows = [
            {
                "person_scheme": "iam", "person_ref": ref, "kind": kind, "number": f"{kind}-{ref}",
                "valid_to": until, "checked_at": "", "checked_by": "",
            }
            for kind in QUALIFIED
        ]  # fmt: skip
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        report = self._answer(
            "POST", "/api/v1/imports/qualifications", content=text.getvalue(), headers=headers
        )
        assert report["ok"], report

    async def _provision(self, person: ScimPerson) -> None:
        async with EntraClient(f"{self.url}/scim/entra/v2", SCIM_TOKEN, flag=True) as client:
            await client.create_user(person)

    @property
    def permits(self) -> Permits:
        """The permit office."""
        if self._permits is None:
            self._permits = Permits(self.url, self.run)
        return self._permits

    def holds_key(self, *markings: str) -> tuple[str, str, Permit]:
        """Bring somebody to the point where their key opens: ref, stamp and permit."""
        ref, stamp = self.newcomer()
        permit = self.permits.issue(*markings, ref=ref)
        self.wait(lambda: self.twin.could_open(stamp, markings[0]))
        assert self.grants(ref) == ["active"]
        return ref, stamp, permit

    def grants(self, ref: str) -> list[str]:
        """Return the states of a person's grants."""
        person = self.person_id(ref)
        return sorted(grant["state"] for grant in self.get("/api/v1/grants", person=person)["items"])

    def person_id(self, ref: str) -> str:
        """Return the product's id of a person."""
        return str(self.post("/api/v1/explain", {"person": f"iam:{ref}", "cylinder": "C1"})["person"])

    # --- looking -------------------------------------------------------------------------------------------

    def fetch(self, sql: str, *arguments: Any, role: str = "read") -> list[Any]:
        """Look into the database as one of the product's roles."""
        assert self.dsns is not None
        dsn = getattr(self.dsns, role)

        async def look() -> list[Any]:
            connection = await asyncpg.connect(dsn, timeout=LONGEST, command_timeout=LONGEST)
            try:
                return list(await connection.fetch(sql, *arguments))
            finally:
                await connection.close()

        return self.run(look())

    def status(self) -> dict[str, Any]:
        """Return the product's own account of itself."""
        found: dict[str, Any] = self.get("/api/v1/status")
        return found

    def command(self, *arguments: str) -> tuple[int, Any]:
        """Run a command against the service; exit code and answer."""
        child = product(f"command-{len(self.children)}", ["--json", *arguments], self.folder, self.config)
        self.children.append(child)
        code = child.ended(within=LONGEST)
        text = child.stdout.read_text(encoding="utf-8")
        return code, json.loads(text) if text.strip().startswith("{") else child.output

    def exported(self, name: str) -> tuple[Path, dict[str, Any]]:
        """Export the log by command and verify it by command; the file and what was verified."""
        file, status = self.folder / name, self.status()
        code, answer = self.command("--url", self.url, "--token", self.token, "log", "export", str(file))
        assert code == 0, answer
        code, verified = self.command("verify", str(file), "--vkey", status["log"]["vkey"])
        assert code == 0, verified
        assert verified["size"] >= status["log"]["size"]
        return file, verified

    def told(self) -> list[Record]:
        """Return what the SIEM has."""
        return self.siem.records()

    def quiet(self) -> bool:
        """Tell whether all entries have their place and all readers are at the end."""
        return not self.status()["readers_behind"] and self._pending() == 0

    def _pending(self) -> int:
        return int(self.fetch("SELECT count(*) FROM log_pending")[0][0])

    def leftovers(self) -> list[int]:
        """Return processes that still work in the site's folder."""
        return processes_under(self.folder)


@contextmanager
def open_site(folder: Path, named: RoleDsns | None) -> Iterator[Site]:
    """Start twin and SIEM and prepare the databases; the caller starts the product.

    Args:
        folder: for everything that is written.
        named: a migrated database; None for a server that the product runs itself.
    """
    require_program("rsyslogd")
    folder.mkdir(parents=True, exist_ok=True)
    certificates = make_certificates(folder / "certificates")
    twin = Twin.start(folder)
    try:
        siem = Rsyslog.start(folder / "rsyslog", certificates)
    except BaseException:
        twin.child.kill()
        raise
    site = Site(folder, named, twin, siem, certificates, free_port())
    try:
        twin.wait()
        site.write_settings()
        site.prepare()
        yield site
    finally:
        site.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether anybody listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_whole(site: Site, name: str) -> None:
    """Assert that every entry has its place, without gap, that the SIEM has every one, and that the export verifies."""
    site.wait(site.quiet)
    places = [row["position"] for row in site.fetch("SELECT position FROM log_leaf ORDER BY position")]
    assert places == list(range(len(places)))
    written = site.fetch(
        "SELECT body.id, leaf.position FROM log_body AS body LEFT JOIN log_leaf AS leaf USING (seq)"
    )
    assert all(row["position"] is not None for row in written), "an entry has no place"
    assert len(written) >= len(places)
    uids = {str(row["id"]) for row in written}
    site.wait(lambda: uids <= {record.data["key2xs@32473"]["key2xs_uid"] for record in site.told()})
    export = site.folder / name
    export.write_bytes(site.download("/api/v1/log/export"))
    report = verify_export(export, site.status()["log"]["vkey"])
    assert report.ok, report.problems
