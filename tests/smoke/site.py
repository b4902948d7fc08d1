"""A site on real sockets: the product's processes, the twin's, a SIEM, and the people and systems that talk to it."""

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

from key2xs.access import Access, Role, permissions_of
from key2xs.app import databases
from key2xs.core.clock import SystemClock
from key2xs.core.postgres import RoleDsns
from key2xs.core.settings import Settings, load_settings
from key2xs.installation import Dsns, open_installation
from key2xs.ledger.verify import verify_export
from key2xs.plant.importer import import_csv
from key2xs.plant.service import list_zones, set_zone_mode
from key2xs.services import Services
from key2xs_twin.certificates import Certificates, make_certificates
from key2xs_twin.clients.permits import Member, Permit
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.scim import EntraClient, ScimPerson
from key2xs_twin.clients.webhook import Pending, WebhookSender, make_secret
from key2xs_twin.rsyslog import Rsyslog
from key2xs_twin.syslog_receiver import Record
from tests.support.peers import require_program
from tests.support.tiny import AREA, UNIT, asset_of, tiny_site
from tests.support.waiting import wait_until

from .processes import Child, end_all, kill_under, processes_under, product, tiny_twin

T = TypeVar("T")

SCIM_TOKEN = "scim-token-Kdu7Yw2nQp4Zt6Vb8"
WEBHOOK_SECRET = make_secret(b"smoke-suite-webhook-key!")
# Planted where people are: nothing of it may ever be written to an output or sent to the SIEM.
GIVEN, FAMILY, MAIL_DOMAIN = "Zwaantje-Loes", "Quirijnsdochter", "planted-mail.example"
QUALIFIED = ("VCA_BASIC", "SITE_INDUCTION", "LOTO")
SINK = "siem"
ISSUER = "u00411"
USER_PASSWORD = "a password for the smoke suite"

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
    twin: Child
    ready: dict[str, Any]
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
    _control: httpx2.Client | None = None
    _ptw: PermitSystem | None = None
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
        self.config.write_text("\n".join(_settings_lines(self)) + "\n", encoding="utf-8")

    def use_database(self, named: RoleDsns) -> None:
        """Let the product's next start find another database."""
        self.named = named
        self.dsns = Dsns(app=named.app, log=named.log, read=named.read, vault=named.vault)
        self.write_settings()

    def prepare(self) -> None:
        """Import the tiny site, enforce its zones, and make a user and a token."""
        settings = load_settings(self.config, {})
        with databases(settings) as dsns:
            self.dsns, self.token = dsns, self.run(_prepare(settings, dsns))
        self._http = httpx2.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20
        )

    def start(self, roles: dict[str, list[str]]) -> None:
        """Start processes; wait until the web side answers, if it is among them."""
        for name, arguments in roles.items():
            child = product(name, arguments, self.folder, self.config)
            self.running[name] = child
            self.children.append(child)
        if any("serve" in arguments for arguments in roles.values()):
            self.wait(self.answers, within=60)

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
        end_all([*self.children, self.twin])
        self.siem.stop()
        for client in (self._http, self._control):
            if client is not None:
                client.close()
        self._loop.close()
        kill_under(self.folder)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of one of the clients."""
        return self._loop.run(work)

    def wait(self, holds: Any, *, within: float = 40.0) -> None:
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
        self.act("hand_over", key=stamp, person=ref)
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

    def issue(self, *markings: str, ref: str) -> Permit:
        """Have a permit issued for some cylinders with one person signed on."""
        now = self.now()
        permit = self.ptw.create(
            type_="cold_work",
            area=AREA,
            unit=UNIT,
            assets=[asset_of(marking) for marking in markings],
            valid_from=now - timedelta(minutes=5),
            valid_to=now + timedelta(hours=4),
            at=now,
            people=[Member(ref=ref, role="performing_authority", company="v017")],
        )
        self.ptw.approve(permit.id, by=ISSUER, at=now, role="issuing_authority")
        self.ptw.go_live(permit.id, by=ISSUER, at=now)
        self.ptw.sign_on(permit.id, ref, at=now)
        self.send()
        return permit

    def suspend(self, permit: Permit) -> None:
        """Have a permit suspended."""
        self.ptw.suspend(permit.id, code="shift_end", at=self.now())
        self.send()

    def send(self) -> None:
        """Have the permit system send what is due; everything must be taken."""
        sent = self.run(self._flush())
        assert {delivery.status for delivery in sent} <= {202, 204}, sent

    async def _flush(self) -> Any:
        # A connection belongs to the loop's run; each flush makes its own.
        sender = WebhookSender(f"{self.url}/webhooks/ptw/eptw", [WEBHOOK_SECRET])
        sender.queue, self.ptw.sender.queue = self.ptw.sender.queue, []
        try:
            return await sender.flush(at=self.now())
        finally:
            self.ptw.sender.queue += sender.queue
            await sender.aclose()

    @property
    def ptw(self) -> PermitSystem:
        """The permit system."""
        if self._ptw is None:
            self._ptw = PermitSystem(WebhookSender(f"{self.url}/webhooks/ptw/eptw", [WEBHOOK_SECRET]))
        return self._ptw

    def post_again(self) -> None:
        """Have the permit system try once more what nobody answered."""
        for pending in self.ptw.sender.queue:
            self.ptw.sender.queue[self.ptw.sender.queue.index(pending)] = Pending(pending.event, self.now())
        self.send()

    def holds_key(self, *markings: str) -> tuple[str, str, Permit]:
        """Bring somebody to the point where their key opens: ref, stamp and permit."""
        ref, stamp = self.newcomer()
        permit = self.issue(*markings, ref=ref)
        self.wait(lambda: self.could_open(stamp, markings[0]))
        assert self.grants(ref) == ["active"]
        return ref, stamp, permit

    def grants(self, ref: str) -> list[str]:
        """Return the states of a person's grants."""
        person = self.person_id(ref)
        return sorted(grant["state"] for grant in self.get("/api/v1/grants", person=person)["items"])

    def person_id(self, ref: str) -> str:
        """Return the product's id of a person."""
        return str(self.post("/api/v1/explain", {"person": f"iam:{ref}", "cylinder": "C1"})["person"])

    # --- the physical side ---------------------------------------------------------------------------------

    def act(self, act: str, **values: Any) -> dict[str, Any]:
        """Do something at the site."""
        return self.control("act", {"act": act, **values})

    def control(self, path: str, body: Any) -> dict[str, Any]:
        """Ask the twin's control interface for something."""
        return self._controlled("POST", path, json=body)

    def look(self, path: str, **query: str) -> dict[str, Any]:
        """Look at the truth."""
        return self._controlled("GET", path, params=query)

    def _controlled(self, method: str, path: str, **values: Any) -> dict[str, Any]:
        if self._control is None:
            self._control = httpx2.Client(base_url=self.ready["control"], timeout=20)
        answer = self._control.request(method, path, **values)
        assert not answer.is_error, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def opens(self, stamp: str, marking: str) -> bool:
        """Hold a key to a lock."""
        return bool(self.act("present", key=stamp, lock=marking)["worked"])

    def could_open(self, stamp: str, marking: str) -> bool:
        """Tell by device truth whether a key would open a lock now, without trying."""
        return bool(self.look("oracle", key=stamp, lock=marking)["now"])

    def fault(self, operation: str, effect: str, **values: Any) -> None:
        """Plan a fault of the vendor's server."""
        self.control("faults", [{"operation": operation, "effect": effect, **values}])

    def faults_fired(self) -> int:
        """How many calls the planned faults hit so far."""
        return sum(self.control("faults", [])["fired"].values())

    def clear_faults(self) -> dict[str, int]:
        """End all faults; how often each fired."""
        fired: dict[str, int] = self.control("faults/clear", None)["fired"]
        return fired

    def calls_open(self) -> int:
        """How many vendor calls are under way."""
        return int(self.look("state", digest="false")["open_calls"])

    # --- looking -------------------------------------------------------------------------------------------

    def fetch(self, sql: str, *arguments: Any, role: str = "read") -> list[Any]:
        """Look into the database as one of the product's roles."""
        assert self.dsns is not None
        dsn = getattr(self.dsns, role)

        async def look() -> list[Any]:
            connection = await asyncpg.connect(dsn, timeout=20, command_timeout=20)
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
        code = child.ended(within=60)
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
    twin = tiny_twin(folder)
    try:
        siem = Rsyslog.start(folder / "rsyslog", certificates)
    except BaseException:
        twin.kill()
        raise
    site = Site(folder, named, twin, {}, siem, certificates, free_port())
    try:
        site.ready = json.loads(twin.line("{"))
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


async def _prepare(settings: Settings, dsns: Dsns) -> str:
    clock = SystemClock()
    async with open_installation(settings, dsns, clock) as installation:
        services = installation.services
        await services.database.transact(lambda tx: _import(tx, services))
        access = Access(services.database, services.ledger, services.vault, clock, clock)
        # Everything but managing users: nobody does both.
        roles = [role for role in Role if role not in {Role.ADMINISTRATOR, Role.CONTRACTOR_COORDINATOR}]

        async def make(tx: Any) -> str:
            user = await access.users.make(
                tx, login="smoke", roles=roles, actor="system:test", at=clock.now(), password=USER_PASSWORD
            )
            _, secret = await access.tokens.make(
                tx,
                owner_id=user,
                label="smoke",
                permissions=permissions_of(roles),
                valid_for=timedelta(days=1),
                actor="system:test",
            )
            return secret

        return await services.database.transact(make)


async def _import(tx: Any, services: Services) -> None:
    at = services.clock.now()
    for kind, rows in tiny_site().files.items():
        if kind == "companies":
            report = await services.desk.identity.import_csv(tx, kind, rows, at=at, actor="user:setup")
        else:
            report = await import_csv(tx, services.ledger, kind, rows, at=at, actor="user:setup")
        assert not report.errors, report.errors
    for zone in await list_zones(tx):
        await set_zone_mode(
            tx, services.ledger, zone.id, mode="enforce", actor="user:setup", at=at, reason="smoke"
        )
    for connection in await services.connections.all(tx):
        await services.connections.switch(
            tx, connection.id, writes=True, reason="smoke", actor="user:setup", at=at
        )


def _settings_lines(site: Site) -> list[str]:
    ready, certificates, dsns = site.ready, site.certificates, site.named
    names = ("app", "owner", "log", "read", "vault")
    return [
        'site_code = "RTX"',
        f"data_dir = {_text(site.data)}",
        "[http]",
        f"port = {site.port}",
        *(["[database]", *(f"{name} = {_text(getattr(dsns, name))}" for name in names)] if dsns else []),
        "[[scim]]",
        'name = "entra"',
        f"token = {_text(SCIM_TOKEN)}",
        "[[permits]]",
        'name = "eptw"',
        f"secrets = [{_text(WEBHOOK_SECRET)}]",
        "[[iloq]]",
        'name = "iloq"',
        f"base_url = {_text(ready['iloq'])}",
        f"customer_code = {_text(ready['customer_code'])}",
        f"user_name = {_text(ready['user_name'])}",
        f"password = {_text(ready['password'])}",
        f"lock_group = {_text(ready['lock_group_id'])}",
        "events_seconds = 2",
        "[[syslog]]",
        f"name = {_text(SINK)}",
        'host = "127.0.0.1"',
        f"port = {site.siem.port}",
        f"ca = {_text(certificates.ca)}",
        f"certificate = {_text(certificates.client.certificate)}",
        f"key = {_text(certificates.client.key)}",
        'server_name = "syslog.twin.test"',
    ]


def _text(value: object) -> str:
    return json.dumps(str(value))
