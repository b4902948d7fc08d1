"""What the vendor's codes and masks mean for us; pure.

Every table names its source. "Public API v2" is the vendor's OpenAPI text. The *ok* value differs between
Can-methods (0 or 1), so each has its own function.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry

from .payloads import LockGroup

__all__ = [
    "ADMINISTRATE",
    "NOT_IN_PLANNING",
    "RIGHT_IS_FOR",
    "Option",
    "Right",
    "block_list_order_refusal",
    "has_option",
    "lacking_rights",
    "lacks_returns",
    "limit_refusal",
    "missing_options",
    "missing_rights",
    "order_refusal",
    "return_refusal",
    "zone_mismatch",
]


class Right(IntFlag):
    """Bits of RightsMask that this connector needs (Public API v2)."""

    LOGIN = 1
    KEY_LIST = 512
    BLOCK_LIST_TOOLS = 128
    ZONE_LIST = 2048
    EDIT_BLOCK_LIST = 131072
    EDIT_KEYS = 524288
    SECURITY_ACCESS_LIST = 2097152
    BLOCK_LIST_VIEW = 8388608
    EDIT_KEY_ACCESS = 33554432
    LOCK_LIST = 1073741824
    ORDER_KEYS = 34359738368
    READ_LOG = 549755813888


RIGHT_IS_FOR: Final[Mapping[Right, str]] = {
    Right.LOGIN: "without it nothing can be read or written",
    Right.KEY_LIST: "to know which keys there are",
    Right.BLOCK_LIST_TOOLS: "to send the block list on its way",
    Right.ZONE_LIST: "to see which zones there are",
    Right.EDIT_BLOCK_LIST: "to block a lost key",
    Right.EDIT_KEYS: "to tag keys and to set what they hold",
    Right.SECURITY_ACCESS_LIST: "to know which access rights there are",
    Right.BLOCK_LIST_VIEW: "to see which keys are blocked",
    Right.EDIT_KEY_ACCESS: "to give access and to take it away",
    Right.LOCK_LIST: "to know which locks accept which rights",
    Right.ORDER_KEYS: "to send a key what was planned for it",
    Right.READ_LOG: "to read who opened what",
}


# Webhooks and network modules (Public API v2): powerful, so whoever subscribes may be another user with nothing else.
ADMINISTRATE: Final[Mapping[int, str]] = {2147483648: "administrate"}


class Option(IntFlag):
    """Bits of LockGroup.OptionMask that mean something here (Public API v2)."""

    ZONES = 2
    ZONES_ON_KEYS = 512
    PUBLIC_API = 2048
    S50 = 4096
    API_ACCESS_RIGHTS = 16384
    FIVE_SERIES = 65536
    BLOCK_LIST_BY_ZONE = 131072


_NEEDED: Final = (Option.PUBLIC_API, Option.API_ACCESS_RIGHTS)


def lacking_rights(mask: int) -> list[tuple[Right, str]]:
    """Return the rights that the service user lacks with their names, in the order of their bits."""
    return [(right, _words(right.name)) for right in Right if not mask & right]


HANDLE_RETURNS: Final = (
    134217728  # RightsMask (Public API v2); needed for nothing but handing a key back for good
)


def lacks_returns(mask: int) -> bool:
    """Say whether keys cannot be handed back over this interface."""
    return not mask & HANDLE_RETURNS


def missing_rights(mask: int) -> list[str]:
    """Return the names of rights that the service user lacks."""
    return [name for _, name in lacking_rights(mask)]


def missing_options(mask: int) -> list[str]:
    """Return the names of options that must be on in the locking system and are off."""
    return [_words(option.name) for option in _NEEDED if not mask & option]


def has_option(group: LockGroup, option: Option) -> bool:
    """Say whether an option of the locking system is on."""
    return bool(group.option_mask & option)


_TOKEN_HOLDER: Final = "holder of the iLOQ programming key"  # noqa: S105 - a person
_ADMINISTRATOR: Final = "iLOQ administrator"
NOT_IN_PLANNING: Final = 4  # Public API v2, CanOrder: the plan is on its way or in the key already


def order_refusal(code: int, retry_after: timedelta) -> CallFailed | None:
    """Translate CanOrder of a key (Public API v2); None = go ahead. Here 0 is ok, in other Can-methods it is 1."""
    person: Mapping[int, tuple[str, str]] = {
        1: (_TOKEN_HOLDER, "order this key in iLOQ Manager with the programming key"),
        3: (_ADMINISTRATOR, "the licence limit is reached"),
        6: (_ADMINISTRATOR, "the key holds a right outside the service user's zones"),
        7: (_ADMINISTRATOR, "the key holds a time limit outside the service user's zones"),
        9: (_ADMINISTRATOR, "the phone key has no phone number"),
        10: (_ADMINISTRATOR, "the phone key has no e-mail address"),
        12: (_ADMINISTRATOR, "the key has no main zone"),
        13: (_ADMINISTRATOR, "the phone key has no person"),
        14: (_ADMINISTRATOR, "the key has no tag key"),
    }
    refused: Mapping[int, str] = {
        2: "only phone keys and 5 Series keys can be ordered through this interface",
        NOT_IN_PLANNING: "the key is not in planning",
        5: "the key's id is too large",
        8: "the key is on the block list",
        11: "the key has too many time limits",
    }
    if code == 0:
        return None
    if code in person:
        return NeedsPerson(*person[code])
    if code in refused:
        return Refused(refused[code])
    return Retry(retry_after, f"the vendor answered CanOrder with {code}")


def return_refusal(code: int, retry_after: timedelta) -> CallFailed | None:
    """Translate CanReturn of a key (Public API v2); None = go ahead. Here 0 is ok."""
    refused: Mapping[int, str] = {
        2: "keys of this kind are not returned over this interface: only phone keys and RFID tags are",
        3: "the key was never programmed: delete it in iLOQ Manager instead",
        4: "the key is on the block list: take it off first",
    }
    if code == 0:
        return None
    if code == 1:
        return NeedsPerson(_TOKEN_HOLDER, "return this key in iLOQ Manager with the programming key")
    if code in refused:
        return Refused(refused[code])
    return Retry(retry_after, f"the vendor answered CanReturn with {code}")


# Public API v2, CanAdd of a time limit. Here 0 is ok.
_LIMIT_REFUSALS: Final[Mapping[int, str]] = {
    1: "the key has no space for another time limit",
    2: "the access version of the key does not allow time limits",
    3: "the access version of a right on the key does not allow time limits",
    4: "the key carries too many block lists",
    5: "a newer lock has more than 128 access rights",
    6: "the key renews its end by itself, so it needs an end date",
    7: "the time is not on the 15-minute grid",
    8: "an S50 key takes dates only as its start and end",
    9: "the time profile is not named",
    10: "the time profile can be edited, but says no times",
    11: "the time profile is fixed and differs from what was sent",
    12: "the key has too many time limits",
    13: "the start is not before the end",
    14: "the time limit was found invalid",
    15: "the key is on the block list",
    16: "the key could not be programmed",
    17: "the time limit could not be taken off",
}


def limit_refusal(code: int) -> str | None:
    """Say in words why a time limit cannot be added; None = it can."""
    if code == 0:
        return None
    return _LIMIT_REFUSALS.get(code, f"the vendor answered CanAdd with {code}")


def block_list_order_refusal(code: int, retry_after: timedelta) -> CallFailed | None:
    """Translate CanOrderS40Blacklist (Public API v2); None = go ahead or nothing to send (2)."""
    if code in {0, 2}:
        return None
    if code == 1:
        return NeedsPerson(_TOKEN_HOLDER, "order the block list in iLOQ Manager with the programming key")
    if code == 3:
        return NeedsPerson(
            _ADMINISTRATOR, "the block list is full (500 keys): take keys off that are found or expired"
        )
    return Retry(retry_after, f"the vendor answered CanOrderS40Blacklist with {code}")


# Windows names of zones where iLOQ is sold, each with one zone of that name. Unlisted names are taken on trust.
_WINDOWS_ZONES: Final[Mapping[str, str]] = {
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "FLE Standard Time": "Europe/Helsinki",
    "GMT Standard Time": "Europe/London",
    "GTB Standard Time": "Europe/Bucharest",
    "Romance Standard Time": "Europe/Paris",
    "UTC": "UTC",
    "W. Europe Standard Time": "Europe/Berlin",
}


def zone_mismatch(vendor_name: str | None, zone: ZoneInfo, *, at: datetime) -> str | None:
    """Say what is wrong if the locking system's zone is not the configured one; None = fine or not known.

    An hour's difference would move every end date by an hour, so this is checked at every sign-in.
    """
    if not vendor_name:
        return None
    try:
        theirs = ZoneInfo(_WINDOWS_ZONES.get(vendor_name, vendor_name))
    except (ZoneInfoNotFoundError, ValueError):
        return None
    for month in (1, 7):
        noon = datetime(at.year, month, 15, 12, tzinfo=UTC)
        if noon.astimezone(theirs).utcoffset() != noon.astimezone(zone).utcoffset():
            return (
                f"the locking system is in time zone {vendor_name!r}, the connection is set to {zone.key!r}"
            )
    return None


def _words(name: str | None) -> str:
    return (name or "").lower().replace("_", " ")
