"""A finding in words. Rights and locks by name; never a person. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from key2xs.keys.program import Program, Unlimited
from key2xs.keys.wire import program_of

from .types import OF_THE_PLAN, Finding

KINDS: Final[Mapping[str, str]] = {
    "rights": "rights changed",
    "start": "start changed",
    "end": "end changed",
    "interval": "time without contact changed",
    "renewal": "renewal by the maker's scheduler changed",
    "schedule": "weekly hours changed",
    "limits": "a limit that Key2XS does not read changed",
    "device": "the key itself holds what nobody here wrote",
    "holder": "booked to somebody else",
    "blocked": "blocked",
    "unblocked": "taken off the block list",
    "outside": "holds rights out of this connection's sight",
    "deleted": "deleted",
    "unlisted": "no longer listed",
    "new_key": "new key",
    "lock_rights": "rights of a lock changed",
    "hidden_rights": "a lock has rights out of this connection's sight",
    "lock_unlisted": "lock no longer listed",
    "group": "a group or a right opens other locks",
}
WHO: Final = "the system does not tell who"
_FLAGS: Final[Mapping[str, tuple[str, str]]] = {
    "limits": ("as it was read before", "weekly hours, a profile, or a list that opens nothing"),
    "blocked": ("not blocked", "blocked"),
    "unblocked": ("blocked", "not blocked"),
    "outside": ("everything in sight", "some of it out of sight"),
    "deleted": ("in use", "deleted"),
    "unlisted": ("listed", "deleted, or moved to a zone or domain that this connection does not see"),
    "lock_unlisted": ("listed", "removed, or moved to a zone or domain that this connection does not see"),
    "hidden_rights": ("all rights in sight", "some rights out of sight"),
}


def before_and_after(found: Finding, names: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str]:
    """Return what was and what is, by the names of rights and locks."""
    if found.kind in _FLAGS:
        return _FLAGS[found.kind]
    if found.kind in OF_THE_PLAN or found.kind == "device":
        old = program_of(found.before) if found.before is not None else None
        return _program(found.kind, old, names, zone), _program(
            found.kind, program_of(found.after), names, zone
        )
    if found.kind == "holder":
        return ("nobody" if found.before is None else "somebody"), _holder(found)
    if found.kind == "new_key":
        return "not there", "there"
    return _named(found.before, names), _named(found.after, names)


def subject(found: Finding) -> str:
    """Say what was edited: a key, a lock or a right."""
    if found.stamp is not None:
        return f"key {found.stamp}"
    if found.lock is not None:
        return f"lock {found.lock_marking or found.lock}"
    return f"right {found.right_name or found.right}"


def ids_in(found: Finding) -> frozenset[str]:
    """Return the maker's ids whose names the words need."""
    if found.kind in OF_THE_PLAN or found.kind == "device":
        programs = [program_of(each) for each in (found.before, found.after) if each is not None]
        return frozenset[str]().union(*(program.rights for program in programs))
    listed = [each for each in (found.before, found.after) if isinstance(each, list)]
    return frozenset(name for each in listed for name in each)


def _holder(found: Finding) -> str:
    if found.after is None:
        return "nobody"
    return "somebody" if found.before is None else "somebody else"


def _program(kind: str, program: Program | None, names: Mapping[str, str], zone: ZoneInfo) -> str:
    if program is None:
        return "nothing"
    if kind in {"start", "end"}:
        return _instant(program.starts_at if kind == "start" else program.ends_at, zone, f"no {kind}")
    if kind == "interval":
        return _interval(program)
    if kind == "renewal":
        return _renewal(program, zone)
    if kind == "schedule":
        return "any hour" if program.schedule is None else f"{len(program.schedule)} weekly hours"
    if program.opens_nothing:
        return "opens nothing"
    return f"{_named(program.rights, names)}; {_limits(program, zone)}"


def _limits(program: Program, zone: ZoneInfo) -> str:
    """Say from when until when, as somebody would."""
    begins = f"from {_instant(program.starts_at, zone, '')}" if program.starts_at is not None else ""
    ends = f"until {_instant(program.ends_at, zone, '')}" if program.ends_at is not None else ""
    return f"{begins} {ends}".strip() or "no end date"


def _renewal(program: Program, zone: ZoneInfo) -> str:
    if program.renews_until is None:
        return "not renewed"
    if isinstance(program.renews_until, Unlimited):
        return "renewed for ever"
    return f"renewed until {_instant(program.renews_until, zone, '')}"


def _interval(program: Program) -> str:
    after = program.offline_expires_after
    if after is None or isinstance(after, Unlimited):
        return "works without contact for ever"
    hours = after.total_seconds() / 3600
    return f"{hours:g} h without contact" if hours >= 1 else f"{hours * 60:g} min without contact"


def _instant(at: datetime | None, zone: ZoneInfo, none: str) -> str:
    return f"{at.astimezone(zone):%d %b %Y %H:%M}" if at is not None else none


def _named(ids: Any, names: Mapping[str, str]) -> str:
    said = sorted(names.get(each) or each for each in ids or ())
    return ", ".join(said) if said else "nothing"
