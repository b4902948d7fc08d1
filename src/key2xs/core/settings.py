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
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from key2xs.core.errors import InvalidInput, UnsafeSettings

_PREFIX = "KEY2XS_"
_NOT_SETTINGS = {"KEY2XS_CONFIG", "KEY2XS_REQUIRE_PEERS", "KEY2XS_TOKEN", "KEY2XS_URL"}
SHORTEST_TOKEN = 24  # characters; shorter ones can be guessed


class Secret:
    """A value that does not print."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Hide `value`; `reveal()` is the only way back."""
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Show that there is one, never what it is."""
        return "Secret(...)" if self._value else "Secret(empty)"

    def __bool__(self) -> bool:
        """Tell whether it is set."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare values; only for tests and settings equality, never for authentication."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Hash by value."""
        return hash(self._value)


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


class ScimSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One IAM that provisions people."""

    name: str
    token: Secret


class PermitSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One e-PTW system that sends webhooks; several secrets while one is being replaced."""

    name: str
    secrets: tuple[Secret, ...]


class IloqSystem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One iLOQ locking system."""

    name: str
    base_url: str
    customer_code: str
    user_name: str
    password: Secret
    lock_group: str = ""
    api_key: Secret = _EMPTY
    offline_expiry_minutes: int = 120
    clock_margin_seconds: int = 120
    clock_drift_seconds_per_day: float = 2.0
    phone_supplies_time: bool = False
    timeout_seconds: float = 10.0
    # How often the vendor is asked without a reason of our own; a vendor that limits calls wants longer ones.
    inventory_minutes: int = 60  # a whole listing: about four calls a lock; what we change is re-read at once
    reread_minutes: int = (
        15  # a key we write: edits made in the vendor's own tool are found at this pace at the latest
    )
    watched_reread_minutes: int = 360  # a key we only watch
    events_seconds: int = 30  # the log of openings and refusals


class SyslogSink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A syslog receiver over mutual TLS."""

    name: str
    host: str
    port: int = 6514
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str = ""
    longest_message: int = 8192  # bytes every RFC 5425 receiver should take


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
    scim: tuple[ScimSource, ...] = ()
    permits: tuple[PermitSource, ...] = ()
    iloq: tuple[IloqSystem, ...] = ()
    syslog: tuple[SyslogSink, ...] = ()

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
        return msgspec.convert(raw, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `")
        raise InvalidInput(where.strip("`$.") or "settings", problem, record="settings") from error


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
            any(not system.base_url.startswith("https://") for system in s.iloq),
            "an iLOQ system is not reached by https",
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
    message = f"cannot read {kind.__name__}"
    raise NotImplementedError(message)
