"""A key system with its connector, as the loops that work on it know it."""

from dataclasses import dataclass
from datetime import timedelta

from key2xs.core.ids import KeySystemId

from .budget import Budget
from .port import KeySystemPort

REREAD = timedelta(minutes=15)  # edits made in the vendor's own tool are found at this pace at the latest
# Keys that were never handed out here are only watched: what they may open belongs into every answer, but reading
# thousands of them every few minutes would use up the vendor's patience.
WATCHED_REREAD = timedelta(hours=6)
VISIT_PATIENCE = timedelta(
    hours=12
)  # one shift: a programming key that is out for longer is somebody's problem


@dataclass(frozen=True, slots=True)
class Connected:
    """One key system with its connector and how long its keys may work without contact."""

    system_id: KeySystemId
    name: str
    port: KeySystemPort
    offline_expires_after: timedelta
    deliver_ahead: timedelta
    budget: Budget
    reread: timedelta = REREAD
    watched_reread: timedelta = WATCHED_REREAD
    visit_patience: timedelta = VISIT_PATIENCE
