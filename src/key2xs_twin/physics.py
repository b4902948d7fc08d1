"""What the twin holds to be physically true where the vendors' documents leave doubt.

Each field is a question that a pilot site must answer. The product has its own assumption list; tests set
these truths against it, also the unpleasant ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Countdown(StrEnum):
    """When a phone's offline expiry starts to count; two vendor pages disagree."""

    LAST_CONTACT = "last_contact"
    NETWORK_LOST = "network_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """The settings of the physical half of the twin; the defaults are plausible, not proven."""

    phone_supplies_time: bool = True  # a lock without clock takes the phone's time for slots and log
    countdown_from: Countdown = Countdown.LAST_CONTACT
    heartbeat: timedelta = timedelta(minutes=15)  # how often a phone with network meets the server anyway
    push_latency: tuple[timedelta, timedelta] = (timedelta(seconds=2), timedelta(seconds=20))
    ack_latency: timedelta = timedelta(seconds=1)  # between fetching a packet and acknowledging it
    phone_takes_unread_rows: bool = True  # a phone takes along what the lock has not handed out yet
    metal_carries_blocklist: bool = False
    ring_rows: int = 1000  # rows a lock keeps; the oldest are lost
    lock_offset_s: float = 20.0  # a lock clock is off by at most this, seeded
    phone_offset_s: float = 1.0
    drift_s_per_day: float = 1.0  # every clock drifts by at most this, seeded
    cliq_offset_s: float = 1.0  # a CLIQ key's clock is off by at most this when freshly set, seeded
    connect_opens_without_network: bool = False  # a Connect key that must ask and cannot
    lapsed_revives_offline: bool = True  # an updater without network prolongs a key that has lapsed already
    battery_change_loses_time: bool = True  # of a CLIQ key, which then opens nothing if it is limited in time
    stale_block_list_stops_offline: bool = True  # an updater whose block list is too old prolongs no key

    @staticmethod
    def exact() -> Physics:
        """A world without clock errors and without latency: for tests about anything else."""
        nothing = timedelta(0)
        return Physics(
            push_latency=(nothing, nothing),
            ack_latency=nothing,
            lock_offset_s=0.0,
            phone_offset_s=0.0,
            drift_s_per_day=0.0,
            cliq_offset_s=0.0,
        )
