"""What the account and the locking system's options lack, all of it at once; pure.

Signing in stops at the first thing that is wrong. Whoever sets a site up wants the whole list instead.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from key2xs.core.errors import NeedsPerson
from key2xs.keys.onboarding import Finding, Weight

from .answers import (
    RIGHT_IS_FOR,
    Option,
    has_option,
    lacking_rights,
    lacks_returns,
    missing_options,
    zone_mismatch,
)
from .payloads import LockGroup

__all__ = ["account_finding", "group_findings", "rights_findings"]

_ADMINISTRATOR: Final = "iLOQ administrator"
_INTEGRATION: Final = "integration administrator"


def account_finding(refused: NeedsPerson | None) -> Finding:
    """Say whether the service user got in."""
    if refused is None:
        return Finding("sign_in", Weight.FINE, "The service user can sign in.")
    return Finding(
        "sign_in",
        Weight.STOPS,
        f"The service user cannot sign in. {_sentence(refused.what)}",
        who=refused.who,
        does="put it right, then choose Sign in again; a wrong sign-in is never repeated by itself",
    )


def group_findings(group: LockGroup, zone: ZoneInfo, *, at: datetime) -> tuple[Finding, ...]:
    """Judge the locking system: in use, options, time zone."""
    return (_in_use(group), _options(group), _time_zone(group, zone, at), *_notes(group))


def rights_findings(mask: int) -> tuple[Finding, ...]:
    """Judge what the service user may do."""
    if not lacks_returns(mask):
        return (_needed_rights(mask),)
    says = "The service user may not handle returns: phone keys cannot be handed back for good from here."
    does = "give the service user the right to handle returns, or hand phone keys back in iLOQ Manager"
    return _needed_rights(mask), Finding("returns", Weight.NOTE, says, who=_ADMINISTRATOR, does=does)


def _needed_rights(mask: int) -> Finding:
    lacking = lacking_rights(mask)
    if not lacking:
        return Finding("rights", Weight.FINE, "The service user has every right that is needed.")
    return Finding(
        "rights",
        Weight.STOPS,
        f"The service user lacks {_counted(len(lacking), 'right')}.",
        who=_ADMINISTRATOR,
        does="give the service user these rights in iLOQ Manager",
        names=tuple(f"{name}: {RIGHT_IS_FOR[right]}" for right, name in lacking),
        count=len(lacking),
    )


def _in_use(group: LockGroup) -> Finding:
    if group.state == 0:
        return Finding("locking_system", Weight.FINE, f"The locking system is {group.name or 'unnamed'}.")
    return Finding(
        "locking_system",
        Weight.STOPS,
        f"The locking system {group.name or 'without a name'} is not in use.",
        who=_INTEGRATION,
        does="choose one that is in use (lock_group)",
    )


def _options(group: LockGroup) -> Finding:
    lacking = missing_options(group.option_mask)
    if not lacking:
        return Finding(
            "options", Weight.FINE, "The locking system has the options on that Key2XS cannot do without."
        )
    return Finding(
        "options",
        Weight.STOPS,
        f"The locking system lacks {_counted(len(lacking), 'option')} that Key2XS cannot do without.",
        who=_ADMINISTRATOR,
        does="switch them on for the locking system; the vendor's licence decides whether that can be done",
        names=tuple(lacking),
        count=len(lacking),
    )


def _time_zone(group: LockGroup, zone: ZoneInfo, at: datetime) -> Finding:
    if problem := zone_mismatch(group.time_zone, zone, at=at):
        return Finding(
            "time_zone",
            Weight.STOPS,
            f"Every end date would be off: {problem}.",
            who=_INTEGRATION,
            does="set the site's time zone to that of the locking system",
        )
    if not group.time_zone:
        return Finding("time_zone", Weight.NOT_CHECKED, "The vendor does not say its time zone.")
    return Finding("time_zone", Weight.FINE, f"The time zones agree ({zone.key}).")


def _notes(group: LockGroup) -> tuple[Finding, ...]:
    """Tell what follows from options that may be on or off."""
    found = []
    if not has_option(group, Option.S50):
        found.append(Finding("s50", Weight.NOTE, "S50 is off: there are no phone keys and no key fobs."))
    if not has_option(group, Option.FIVE_SERIES):
        found.append(Finding("five_series", Weight.NOTE, "5 Series is off: there are no metal keys."))
    if has_option(group, Option.ZONES) or has_option(group, Option.ZONES_ON_KEYS):
        found.append(
            Finding(
                "zones",
                Weight.NOTE,
                "The locking system is split into zones. What lies outside the service user's zones cannot be seen, and "
                "then Key2XS never says that nobody has access.",
                who=_ADMINISTRATOR,
                does="give the service user every zone whose locks Key2XS shall look after",
            )
        )
    if has_option(group, Option.BLOCK_LIST_BY_ZONE):
        found.append(
            Finding(
                "block_list_by_zone",
                Weight.NOTE,
                "Each zone has a block list of its own: a blocked key is refused only in its own main zone.",
            )
        )
    return tuple(found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
