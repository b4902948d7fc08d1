"""How to reach one CLIQ locking system, and what nobody outside the vendor knows about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from key2xs.core.secret import Secret

__all__ = ["GRID", "CliqConfig"]

GRID = timedelta(minutes=1)  # ours: the interface takes any instant, people think in minutes


@dataclass(frozen=True, slots=True)
class CliqConfig:
    """Settings of one connection.

    Attributes:
        base_url: the server, before `/cliq-sim/v1`.
        client, secret: our account there.
        time_zone: IANA name of the site's zone; ends are rounded to its minutes.
        emptied_revalidation: what a key that loses everything is told where it had no interval: none would mean that
            it works for ever should somebody give it rights again.
        request_timeout: one HTTP request; call_timeout: one call of the port, waiting for its turn included. A lease lasts
            longer than that.
        listing_timeout: the whole inventory, which is many such calls one after the other.
        retry_after: how long to wait when the vendor does not say.
        key_rows: how many events a key keeps at least, beside the renewals (up to 255) that it notes too; the vendor does
            not say. Too small only makes us say *not known* where we could have known.
        largest_key_group: taking a normal key off a cylinder that lists its key group lists the other members one by one
            instead, up to this many; how many single keys a cylinder holds is not known.
        limits_age: how long the system's own limits count as known after they were read.
    """

    base_url: str
    client: str
    secret: Secret
    time_zone: str
    emptied_revalidation: timedelta = timedelta(hours=8)
    request_timeout: timedelta = timedelta(seconds=15)
    call_timeout: timedelta = timedelta(seconds=90)
    listing_timeout: timedelta = timedelta(minutes=15)
    retry_after: timedelta = timedelta(seconds=30)
    key_rows: int = 100
    largest_key_group: int = 50
    limits_age: timedelta = timedelta(minutes=15)

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)
