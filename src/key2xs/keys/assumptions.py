"""What an exposure bound takes for granted, as data with ids, so that every answer can name what it rests on.

A bound is only as good as this list. Marks: `doc` the vendor documents it; `inf` inferred, ask the vendor or a
pilot site; `own` a limit of what Key2XS can see. `setting` names the field of `ExposureSettings` that changes it.
The text is shown to people; docs/explanation/exposure.md says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["ASSUMPTIONS", "Assumption", "AssumptionId", "Mark"]


class Mark(StrEnum):
    """How sure the source of a statement is."""

    DOC = "doc"  # written by the vendor
    INF = "inf"  # inferred: unverified
    OWN = "own"  # about Key2XS itself or about the site's own settings


class AssumptionId(StrEnum):
    """Stable ids; they stand in answers, reports and packs and are never reused for another meaning."""

    ACK_IS_TRUTH = "ack-is-truth"
    BLOCK_LIST_REFUSES = "block-list-refuses"
    CLOCK_MARGIN = "clock-margin"
    CONTACT_DELIVERS = "contact-delivers"
    COUNTDOWN_START = "countdown-start"
    END_DATE_AT_LOCK = "end-date-at-lock"
    KEY_JUDGES_TIME = "key-judges-time"
    LAPSED_STAYS_LAPSED = "lapsed-stays-lapsed"
    LOCK_CONTENT = "lock-content"
    LOCAL_TIME_RULES = "local-time-rules"
    NO_UNSEEN_PROGRAMMING = "no-unseen-programming"
    OFFLINE_EXPIRY_ENFORCED = "offline-expiry-enforced"
    OFFLINE_UPDATES_AS_READ = "offline-updates-as-read"
    ONLINE_LOCK_ASKS = "online-lock-asks"
    PHONE_SUPPLIES_TIME = "phone-supplies-time"
    REVALIDATION_ENFORCED = "revalidation-enforced"
    SCHEDULER_STOPS = "scheduler-stops"
    UPDATE_DELIVERS = "update-delivers"


@dataclass(frozen=True, slots=True)
class Assumption:
    """One sentence that must be true for a bound to hold."""

    id: AssumptionId
    text: str
    source: str
    mark: Mark
    setting: str | None = None


def _list(*assumptions: Assumption) -> Mapping[AssumptionId, Assumption]:
    return MappingProxyType({assumption.id: assumption for assumption in assumptions})


ASSUMPTIONS: Final = _list(
    Assumption(
        AssumptionId.ACK_IS_TRUTH,
        "A program that the vendor shows as last programmed is the one in the key, and no older program "
        "arrives after it.",
        "iLOQ Public API v2, rights view mode 2; iLOQ manual, key states",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.BLOCK_LIST_REFUSES,
        "A lock that holds a block list with the key on it refuses the key until a newer list leaves it out.",
        "iLOQ support, Blocked keys (blocklist); CLIQ Go Reseller Guide, blocking keys",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.CLOCK_MARGIN,
        "Clocks in keys and locks are off by no more than the configured margin.",
        "our setting: 2 minutes and 2 seconds a day since the clock was last set",
        Mark.INF,
        setting="margin_base, margin_per_day, unknown_clock_age",
    ),
    Assumption(
        AssumptionId.CONTACT_DELIVERS,
        "A phone or fob that reaches the vendor's server later than the delivery lag after an order was accepted "
        "takes the waiting program; a contact that does not deliver it leaves the countdown as it was.",
        "iLOQ manual, phone keys are updated over the air; the rest is inferred",
        Mark.INF,
        setting="delivery_lag",
    ),
    Assumption(
        AssumptionId.COUNTDOWN_START,
        "The countdown starts at the last contact with the server. Two vendor pages differ (loss of network, "
        "last contact); the later one is taken, and where neither is known the moment the order was accepted.",
        "iLOQ manual, Key Expiry Interval; Editing Phone Key Settings",
        Mark.INF,
    ),
    Assumption(
        AssumptionId.END_DATE_AT_LOCK,
        "The end date in a key is enforced only by locks that honour all time limits and have a time source.",
        "iLOQ Public API v2, LockRespectsAllTimeLimits and ClockInstalled; for end dates inferred",
        Mark.INF,
    ),
    Assumption(
        AssumptionId.KEY_JUDGES_TIME,
        "A CLIQ key enforces the validity stored in it at every cylinder, by its own clock, which is set at each "
        "update. A key whose battery was flat has lost the time and refuses until it is updated.",
        "PROTEC2 CLIQ technical brochures: real-time clock in the key; flat battery: inferred",
        Mark.INF,
    ),
    Assumption(
        AssumptionId.LAPSED_STAYS_LAPSED,
        "An updater without the server does not renew a CLIQ key whose revalidation interval has run out already.",
        "not found in public sources: ask the vendor before setting it",
        Mark.INF,
        setting="offline_revives",
    ),
    Assumption(
        AssumptionId.LOCK_CONTENT,
        "Each lock was programmed with the access rights that the vendor lists for it.",
        "iLOQ manual: planned and effective view of a lock",
        Mark.INF,
    ),
    Assumption(
        AssumptionId.LOCAL_TIME_RULES,
        "Locks know the summer-time rules of the site. A local time with two meanings counts as the later one.",
        "iLOQ manual, lock properties: summer-time package with version and validity",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.NO_UNSEEN_PROGRAMMING,
        "Nobody programmed the key past Key2XS (vendor software, programming key) since the last reading.",
        "Key2XS sees foreign changes at the next reading, not before",
        Mark.OWN,
    ),
    Assumption(
        AssumptionId.OFFLINE_EXPIRY_ENFORCED,
        "A phone or fob refuses to work when its offline time has run out, by its own clock.",
        "iLOQ Public API v2, OfflineExpirationSeconds; where a fob measures it is unverified",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.OFFLINE_UPDATES_AS_READ,
        "An updater without the server renews a key no more often, and no longer after its last contact with the "
        "server, than the system's settings that were read say.",
        "CLIQ Software FAQ: offline updates, 0 to 255 after one online update",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.ONLINE_LOCK_ASKS,
        "A lock that requires online authentication refuses as soon as the vendor's server does.",
        "iLOQ manual, lock properties; what it does without network is unverified",
        Mark.INF,
        setting="online_locks_refuse",
    ),
    Assumption(
        AssumptionId.PHONE_SUPPLIES_TIME,
        "A lock without a clock takes the time from the phone, and the phone's time cannot be turned back.",
        "inferred from how phone keys power locks",
        Mark.INF,
        setting="phone_supplies_time",
    ),
    Assumption(
        AssumptionId.REVALIDATION_ENFORCED,
        "A CLIQ key that was not updated within its revalidation interval opens nothing until it is, by its own clock.",
        "PROTEC2 CLIQ brochure, advanced features; where it is measured is inferred",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.SCHEDULER_STOPS,
        "The vendor's scheduler moves an end date forward no further than its own end date.",
        "iLOQ Public API v2, KeyScheduler.RenewEndDate",
        Mark.DOC,
    ),
    Assumption(
        AssumptionId.UPDATE_DELIVERS,
        "A CLIQ key that is updated with the server later than the delivery lag after a change was sent takes that "
        "change, and the server knows at once that it was updated.",
        "inferred from how wall updaters work: ask the vendor",
        Mark.INF,
        setting="delivery_lag",
    ),
)
