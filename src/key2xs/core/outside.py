"""Settings of what a site is connected to: IAMs, permit systems, key systems, cabinets, syslog receivers."""

from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec

from key2xs.core.secret import Secret

_EMPTY = Secret("")


class ScimSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One IAM that provisions people."""

    name: str
    token: Secret


class PermitSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One e-PTW system that sends webhooks; several secrets while one is being replaced."""

    name: str
    secrets: tuple[Secret, ...]


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a key system takes of calls. No maker documents limits, so none hold unless they are set."""

    a_second: Annotated[float, msgspec.Meta(ge=0.5)] | None = None
    burst: Annotated[int, msgspec.Meta(ge=1)] = 10  # at once after a pause
    a_day: Annotated[int, msgspec.Meta(ge=100)] | None = None
    day_starts_hour: Annotated[int, msgspec.Meta(ge=0, le=23)] = 0
    day_time_zone: str = "UTC"
    reserve_percent: Annotated[int, msgspec.Meta(ge=0, le=90)] = 20  # of a day, for what takes access away
    background_percent: Annotated[int, msgspec.Meta(ge=5, le=100)] = 50  # of the rest, for reading


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
    calls: Calls = Calls()
    # A lock keeps so many rows before the oldest is lost: not published, and a smaller number only warns earlier.
    lock_rows: int = 500
    unread_hours: int = (
        24  # a key that was not read for so long: what was published of its end counts as none
    )
    trusted_hosts: tuple[str, ...] = ()  # beside the one in base_url, to which the vendor may send us
    slot_budget: Annotated[int, msgspec.Meta(ge=2, le=23)] = (
        23  # 10 where a lock of the key has older firmware
    )
    honours_limits: dict[str, bool] = {}  # by the vendor's id of a lock: somebody tried it there
    tag_permits: bool = True  # the permits' numbers go into the vendor's own log
    log_details: bool = True  # one call more a page of the log: counters of keys, and their tags
    # Where the vendor reaches us: https://HOST/webhooks/iloq/NAME. Empty: nobody is subscribed, the log is pulled only.
    webhook_url: str = ""
    # A second user with the right *administrate*; the other one then goes without it. Empty: the same user.
    webhook_user_name: str = ""
    webhook_password: Secret = _EMPTY
    # A message may be as old as that. The vendor's own last retry comes 43 h 21 min after the first.
    webhook_age_hours: Annotated[int, msgspec.Meta(ge=44, le=168)] = 48
    webhook_days: Annotated[int, msgspec.Meta(ge=8, le=365)] = 364  # how long a subscription is made for
    webhook_renew_days: Annotated[int, msgspec.Meta(ge=1, le=180)] = (
        30  # so long before its end a new one is made
    )

    @property
    def visit_patience_minutes(self) -> int:
        """One shift; nobody has to visit iLOQ locks to block a key."""
        return 720


class CliqSystem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One CLIQ locking system, reached over the simulated interface (the vendor's own is not public)."""

    name: str
    base_url: str
    client: str
    secret: Secret
    revalidation_minutes: int = 480  # one 8-hour shift; a revoked key stops within it, a forgotten one too
    clock_margin_seconds: int = 120
    clock_drift_seconds_per_day: float = 2.0  # of the clock in the key, since its last update
    # Whether an updater without the server renews a key whose interval has run out. Nobody outside the vendor knows.
    offline_revives: bool = True
    timeout_seconds: float = 10.0
    inventory_minutes: int = 60
    reread_minutes: int = 15
    watched_reread_minutes: int = 360
    events_seconds: int = 30
    calls: Calls = Calls()
    unread_hours: int = 24
    visit_patience_minutes: int = 720  # a programming key that is out for longer with blocks in it is shown

    @property
    def offline_expiry_minutes(self) -> int:
        """How long a key works without contact: its revalidation interval."""
        return self.revalidation_minutes


KeySystemSettings: TypeAlias = IloqSystem | CliqSystem


class CabinetSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One system of key cabinets that sends webhooks or files; several secrets while one is being replaced."""

    name: str
    secrets: tuple[Secret, ...] = ()
    person_scheme: str = "personnel_no"  # what its person references are
    key_system: str = ""  # whose keys lie in it; needed where two key systems use the same stamps
    # A turnaround's 3,000 keys in half an hour are 100 a minute; a cabinet that was cut off catches up ten times as fast.
    events_a_minute: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 1200
    # 500 events of some 300 bytes, and room; the door takes no more from anybody.
    body_limit: Annotated[int, msgspec.Meta(ge=1024, le=262_144)] = 262_144


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
