"""Settings: one typed class, from a TOML file and the environment.

`KEY2XS_HTTP__PORT=8080` sets `port` in table `http`; the environment wins. Unknown names are refused, because
a misspelt safety setting that is ignored is worse than a crash. `check_production` lists everything that a
plant may not run with.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from key2xs.core.errors import InvalidInput, UnsafeSettings
from key2xs.core.outside import (
    CabinetSource,
    CliqSystem,
    IloqSystem,
    KeySystemSettings,
    PermitSource,
    ScimSource,
    SyslogSink,
)
from key2xs.core.secret import Secret

_PREFIX = "KEY2XS_"
_NOT_SETTINGS = {"KEY2XS_CONFIG", "KEY2XS_REQUIRE_PEERS", "KEY2XS_TOKEN", "KEY2XS_URL"}
LONGEST_KILL_WAIT = 600  # seconds
SHORTEST_TOKEN = 24  # characters; shorter ones can be guessed


_EMPTY = Secret("")


class HTTP(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the service listens."""

    host: str = "127.0.0.1"
    port: int = 8443
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    body_limit: int = 1_048_576  # bytes; SCIM and permit bodies are a few kilobytes


class DatabaseDSNs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One DSN per role. All empty: Key2XS runs its own PostgreSQL in `data_dir` (not for production)."""

    app: Secret = _EMPTY
    owner: Secret = _EMPTY
    log: Secret = _EMPTY
    read: Secret = _EMPTY
    vault: Secret = _EMPTY


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tamper-evident log."""

    origin: str = ""  # empty: made from the site code at first start
    signing_key: Path | None = None  # empty: data_dir/log-signing.key
    checkpoint_copy: Path | None = None  # empty: data_dir/checkpoint; must not live in the database


class Leases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a grant may live, in minutes; shorter leases mean shorter exposure."""

    longest_minutes: int = 720  # one 12-hour shift
    longest_high_risk_minutes: int = 120  # hot work, confined space, isolation (facts: start with 1-2 h)
    longest_emergency_minutes: int = 60
    lock_box_hold_minutes: int = 60  # S3: added, visibly, while personal locks are still on at the end
    programmed_ahead_minutes: int = 30  # a scheduled grant is put on the key this long before it starts
    sweep_minutes: int = 5  # everything is decided again at this pace, whatever was lost

    @property
    def sweep(self) -> timedelta:
        """The pace of the sweep."""
        return timedelta(minutes=self.sweep_minutes)


class Continuity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Running without a system, and sealed emergency keys."""

    warn_ahead_minutes: int = 60  # before somebody on shift loses the last working key while a system is down
    paper_permit_minutes: int = 720  # the longest window of a permit on paper: one shift
    paper_entry_minutes: int = (
        720  # after the permit system is back, paper permits must have been entered by then
    )
    declared_down_minutes: int = (
        720  # a permit system that two people declared down counts as back after this
    )
    sealed_recall_minutes: int = 60  # an emergency key is back under seal this long after its seal was broken
    sealed_check_days: int = 30  # between looks at a seal
    drill_days: int = 180  # between exercises of running without a system


class Adoption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Taking over a site that has keys already."""

    bulk_limit: int = (
        50  # keys written in bulk within ten minutes; the next one waits until a person confirms
    )
    batch: int = 500  # keys adopted in one transaction; an interrupted run goes on behind the last batch
    unused_days: int = 90  # a right that nobody used for so long is listed as unused


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key desk."""

    due: Literal["shift", "permit", "none"] = "shift"  # what a key is due back with, where both are known
    due_hours: int = 12  # where neither a shift nor a permit is known
    # After the due time, one after the other; each is told once.
    reminder_minutes: int = 15
    key_desk_minutes: int = 30
    shift_leader_minutes: int = 60
    security_minutes: int = 120
    undo_seconds: int = 120  # a hand-out by mistake can be taken back this long by whoever made it
    between_minutes: int = 2  # so near to a change of hands an opening is "between two holders"


class Safety(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The safety rules. They cannot be switched off; only this can be set."""

    kill_wait_seconds: int = 120  # S5: the shift leader is told first, and then a stop proceeds for sure

    @property
    def kill_wait(self) -> timedelta:
        """How long a person's stop of somebody at work waits at most."""
        return timedelta(seconds=self.kill_wait_seconds)


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reading the memories of locks and keys in time."""

    warn_ahead_hours: Annotated[int, msgspec.Meta(ge=1, le=2160)] = (
        168  # before a memory is expected to lose rows that nobody read: a week to plan a round
    )


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long openings name a person."""

    # The works council's default; 90 is the least that supervisory bodies of critical sites ask for.
    named_event_days: Annotated[int, msgspec.Meta(ge=90, le=3650)] = 180

    @property
    def kept(self) -> timedelta:
        """How long openings name a person."""
        return timedelta(days=self.named_event_days)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set, with defaults that are safe for a first try."""

    production: bool = False
    site_code: str = "SITEA"
    site_name: str = "Site A"
    site_time_zone: str = "Europe/Amsterdam"
    data_dir: Path = Path("var")
    master_key: Path | None = None  # empty: data_dir/master.key
    demo_time: bool = False
    http: HTTP = HTTP()
    database: DatabaseDSNs = DatabaseDSNs()
    log: LogSettings = LogSettings()
    leases: Leases = Leases()
    safety: Safety = Safety()
    desk: DeskSettings = DeskSettings()
    continuity: Continuity = Continuity()
    adoption: Adoption = Adoption()
    privacy: Privacy = Privacy()
    evidence: Evidence = Evidence()
    scim: tuple[ScimSource, ...] = ()
    permits: tuple[PermitSource, ...] = ()
    iloq: tuple[IloqSystem, ...] = ()
    cliq: tuple[CliqSystem, ...] = ()
    cabinets: tuple[CabinetSource, ...] = ()
    syslog: tuple[SyslogSink, ...] = ()

    @property
    def key_systems(self) -> tuple[KeySystemSettings, ...]:
        """All key systems, of every make."""
        return (*self.iloq, *self.cliq)

    @property
    def zone(self) -> ZoneInfo:
        """The site's own time zone."""
        return ZoneInfo(self.site_time_zone)


def load_settings(file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the TOML file, if any, then the environment over it, and check the result.

    Raises:
        InvalidInput: a name or value is wrong; says which.
        UnsafeSettings: production mode with something a plant may not run with.
    """
    named = environment.get("KEY2XS_CONFIG")
    file = file or (Path(named) if named else None)
    raw = tomllib.loads(file.read_text(encoding="utf-8")) if file else {}
    _overlay(raw, environment)
    if "PORT" in environment:
        raw.setdefault("http", {}).setdefault("port", environment["PORT"])
    settings = parse_settings(raw)
    if settings.production:
        check_production(settings)
    return settings


def parse_settings(raw: Mapping[str, Any]) -> Settings:
    """Turn plain values into `Settings`.

    Raises:
        InvalidInput: names the setting and the problem.
    """
    try:
        settings = msgspec.convert(raw, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        raise InvalidInput(where.strip("`$.") or "settings", problem, record="settings") from error
    if not 0 < settings.safety.kill_wait_seconds <= LONGEST_KILL_WAIT:
        problem = f"between 1 and {LONGEST_KILL_WAIT}: long enough to be told, short enough to stop somebody"
        raise InvalidInput("safety.kill_wait_seconds", problem, record="settings")
    if any(source.name.casefold() == "paper" for source in settings.permits):
        raise InvalidInput("permits.name", "paper is what permits on paper are called", record="settings")
    return settings


def check_production(settings: Settings) -> None:
    """Refuse everything that is fine on a laptop and not at a plant.

    Raises:
        UnsafeSettings: lists every problem at once.
    """
    problems = production_problems(settings)
    if problems:
        raise UnsafeSettings("refusing to start in production mode: " + "; ".join(problems))


def production_problems(settings: Settings) -> list[str]:
    """List everything that is fine on a laptop and not at a plant."""
    return [problem for bad, problem in _production_rules(settings) if bad]


def _production_rules(s: Settings) -> list[tuple[bool, str]]:
    dsns = s.database
    return [
        (not all((dsns.app, dsns.log, dsns.read, dsns.vault)), "database.* must name a server per role"),
        (s.demo_time, "demo_time must be off: domain time may not be steered"),
        (not (s.http.tls_certificate or s.http.behind_tls_proxy), "http needs TLS or a TLS proxy"),
        (not s.log.origin, "log.origin must be chosen; it can never change"),
        (s.log.signing_key is None, "log.signing_key must be kept outside data_dir"),
        (s.log.checkpoint_copy is None, "log.checkpoint_copy must be kept apart from the database"),
        (s.master_key is None, "master_key must be kept outside data_dir"),
        (
            any(len(source.token.reveal()) < SHORTEST_TOKEN for source in s.scim),
            f"a scim token is shorter than {SHORTEST_TOKEN} characters",
        ),
        (any(not source.secrets for source in s.permits), "a permit source has no secret"),
        (
            any(len(secret.reveal()) < SHORTEST_TOKEN for source in s.permits for secret in source.secrets),
            f"a secret of a permit source is shorter than {SHORTEST_TOKEN} characters",
        ),
        (
            any(len(secret.reveal()) < SHORTEST_TOKEN for source in s.cabinets for secret in source.secrets),
            f"a secret of a cabinet source is shorter than {SHORTEST_TOKEN} characters",
        ),
        (
            any(not system.base_url.startswith("https://") for system in s.iloq),
            "an iLOQ system is not reached by https",
        ),
        (
            any(system.webhook_url and not system.webhook_url.startswith("https://") for system in s.iloq),
            "an iLOQ system would call us without https",
        ),
        (
            any(not system.base_url.startswith("https://") for system in s.cliq),
            "a CLIQ system is not reached by https",
        ),
        (
            any(len(system.secret.reveal()) < SHORTEST_TOKEN for system in s.cliq),
            f"the secret of a CLIQ system is shorter than {SHORTEST_TOKEN} characters",
        ),
        (
            any(system.revalidation_minutes <= 0 for system in s.cliq),
            "a CLIQ system has no revalidation: its keys would have no bound",
        ),
        (
            len({system.name for system in s.key_systems}) < len(s.key_systems),
            "two key systems have the same name",
        ),
        (
            any(not (sink.ca and sink.certificate and sink.key) for sink in s.syslog),
            "a syslog sink lacks ca, certificate or key",
        ),
    ]


def _overlay(raw: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if not name.startswith(_PREFIX) or name in _NOT_SETTINGS:
            continue
        *tables, leaf = name[len(_PREFIX) :].lower().split("__")
        table = raw
        for part in tables:
            table = table.setdefault(part, {})
        table[leaf] = value


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    # What msgspec expects of a hook for a type that it does not know; it makes an error of it that names the field.
    message = f"cannot read {kind.__name__}"
    raise NotImplementedError(message)
