"""How the simulated CLIQ server behaves where a site or a version may differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True, kw_only=True)
class OfflineUpdates:
    """What an updater may do for a key while it cannot reach the server.

    CLIQ Software FAQ (German): at most ``count`` extensions after one online update, 0 is off, at most 255; at most
    ``gap`` after that update, and none once the updater's block list is older than ``block_list``; ``None`` is no limit.
    """

    count: int = 0
    gap: timedelta | None = None
    block_list: timedelta | None = None


@dataclass(slots=True, kw_only=True)
class CliqSettings:
    """Mutable on purpose: tests and the demo change the vendor's behaviour while it runs."""

    session_idle: timedelta = timedelta(minutes=20)  # ASSUMPTION: the vendor's interface is not public
    offline_updates: OfflineUpdates = field(default_factory=OfflineUpdates)
    visible_domains: frozenset[str] | None = None  # None: the client sees every domain
    max_access_entries: int = 300  # ASSUMPTION: the vendor says "limited" and no number
    revalidation_min: int = 60  # minutes. ASSUMPTION: unit and limits unknown
    revalidation_max: int = 30 * 24 * 60
    job_capacity: int = 30  # CLIQ Software FAQ: recommended maximum of jobs on one programming key
    block_capacity: int = 3000  # CLIQ Remote FAQ (UK): blocked keys a cylinder can hold
    key_group_capacity: int = 200  # CLIQ Remote FAQ (UK), older generation: key groups a cylinder can list
    events_max: int = 500  # rows of one answer
    page_max: int = 1000
