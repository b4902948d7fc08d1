"""How to reach one iLOQ locking system, and what the vendor's documents leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from key2xs.core.secret import Secret
from key2xs.keys.port import KeyKind

__all__ = ["IloqConfig"]

_NO_KEY = Secret("")


@dataclass(frozen=True, slots=True)
class IloqConfig:
    """Settings of one connection; defaults are safe where the facts are only inferred.

    Attributes:
        base_url: the server as the vendor names it, before `/api/v2`; usually ends in `/iloqws`.
        customer_code, user_name, password: the service user of the Public API.
        time_zone: IANA name of the locking system's zone; slots are stored in its local time.
        lock_group: id of the locking system when the customer code holds several.
        api_key: for the vendor's gateway, sent as `x-api-key`.
        trusted_hosts: hosts beside the configured one (and its sisters under the same domain) to which the
            vendor may send us.
        request_timeout: one HTTP request; call_timeout: one call of the port, all requests together. A lease has to
            last longer than `call_timeout`. listing_timeout: the whole inventory, four requests a lock.
        retry_after: how long to wait when the vendor does not say.
        slot_budget: slots in a key at most; 10 where a lock that it opens has older firmware (iLOQ Public API v2).
        emptied_offline_expiry: the interval to store in a key that loses all rights and had none stored. Zero would
            mean unlimited.
        honours_limits: locks of which a person verified that they honour time limits (or not), by FLock_ID. It wins
            over what the interface says.
        log_details: one request more for each page of the log that has rows: the keys' counters, and their tags.
        event_window, event_overlap, events_back: how the log is pulled: span of one request, how far it reaches back
            before the cursor, and how far the very first pull reaches back.
    """

    base_url: str
    customer_code: str
    user_name: str
    password: Secret
    time_zone: str
    lock_group: str | None = None
    api_key: Secret = _NO_KEY
    trusted_hosts: frozenset[str] = frozenset()
    request_timeout: timedelta = timedelta(seconds=15)
    call_timeout: timedelta = timedelta(seconds=90)
    listing_timeout: timedelta = timedelta(minutes=30)
    retry_after: timedelta = timedelta(seconds=30)
    slot_budget: int = 23
    emptied_offline_expiry: timedelta = timedelta(hours=8)
    honours_limits: Mapping[str, bool] = field(default_factory=dict)
    log_details: bool = True
    event_window: timedelta = timedelta(hours=1)
    event_overlap: timedelta = timedelta(minutes=10)
    events_back: timedelta = timedelta(days=7)

    @property
    def zone(self) -> ZoneInfo:
        """The locking system's time zone."""
        return ZoneInfo(self.time_zone)


GRID = timedelta(minutes=15)  # iLOQ Public API v2: slot times must divide by 15 minutes
MAX_OFFLINE_EXPIRY: Mapping[KeyKind, timedelta] = {
    KeyKind.PHONE: timedelta(seconds=8_726_340),  # iLOQ Public API v2, OfflineExpirationSeconds: 101 days
    KeyKind.FOB: timedelta(seconds=16_761_540),  # iLOQ Public API v2, OfflineExpirationSeconds: 194 days
}
