"""The navigation: every page that stands in it, in groups, each for those who may open it.

A page that is made stands here with the permission its route asks for. The first five that an account may see, in the
order of `thumb`, lie under the thumb on a phone; the rest are behind *More*.
"""

from dataclasses import dataclass
from typing import Final

from key2xs.access import Permission, Principal
from key2xs.api.routes.governing import may_see_some


@dataclass(frozen=True, slots=True)
class Tab:
    """One entry of the navigation.

    `thumb`: its rank on a phone; the lowest come first. `unless`: the entry whose page leads there, for those who have it.
    """

    name: str
    href: str
    label: str
    icon: str
    permission: Permission
    group: str
    thumb: int = 9
    unless: str = ""
    for_seconds: bool = False
    """Whether it is also for whoever may be a second person, since what waits for them stands there."""


NOW: Final = "Now"
WORK: Final = "Work"
LOCKS: Final = "Keys and locks"
SITE: Final = "Site"

TABS: Final = (
    Tab("area", "/", "My area", "now", Permission.SYSTEM_STATUS_READ, NOW, 1),
    Tab("exposure", "/exposure", "Exposure", "clock", Permission.KEYS_EXPOSURE_READ, NOW),
    Tab("requests", "/requests", "Requests", "ask", Permission.GRANTS_LEASE_READ, NOW, 4, for_seconds=True),
    Tab("safety", "/safety", "Safety", "shield", Permission.GRANTS_LEASE_READ, NOW, 8),
    Tab("ending", "/ending", "End access for many", "square", Permission.KEYS_EXPOSURE_READ, NOW),
    Tab("why", "/why", "Why not?", "why", Permission.POLICY_DECISION_EXPLAIN, NOW, 3),
    Tab("permits", "/permits", "Permits", "permit", Permission.WORK_PERMIT_READ, WORK, 2),
    Tab("companies", "/companies", "Companies", "company", Permission.IDENTITY_COMPANY_READ, WORK),
    Tab("desk", "/desk", "Key desk", "desk", Permission.KEYS_CUSTODY_CHANGE, LOCKS, 5),
    # Whoever works at the desk finds the list there.
    Tab("keys_out", "/keys-out", "Keys out", "desk", Permission.KEYS_KEY_READ, LOCKS, 8, unless="desk"),
    Tab("keys", "/keys", "Keys", "key", Permission.KEYS_KEY_READ, LOCKS, 5),
    Tab("points", "/access-points", "Access points", "door", Permission.PLANT_CYLINDER_READ, LOCKS, 6),
    Tab("edits", "/edits", "Edits made elsewhere", "half", Permission.KEYS_KEY_READ, LOCKS),
    Tab("coverage", "/coverage", "Coverage", "clock", Permission.KEYS_EVENT_READ, LOCKS),
    Tab("outage", "/outage", "Without a system", "plug", Permission.SYSTEM_STATUS_READ, SITE),
    Tab("sealed", "/sealed", "Emergency keys", "key", Permission.KEYS_KEY_READ, SITE),
    Tab("adoption", "/adoption", "Adoption", "rollout", Permission.KEYS_ADOPTION_READ, SITE),
    Tab("rollout", "/rollout", "Roll-out", "rollout", Permission.KEYS_ADOPTION_READ, SITE),
    Tab("history", "/history", "History", "clock", Permission.IDENTITY_HISTORY_READ, SITE),
    Tab("administration", "/administration", "Administration", "gear", Permission.ACCESS_MATRIX_READ, SITE),
)

_UNDER_THE_THUMB: Final = 4  # and *More*


@dataclass(frozen=True, slots=True)
class Navigation:
    """The navigation of one account."""

    groups: tuple[tuple[str, tuple[Tab, ...]], ...]
    thumb: tuple[Tab, ...]
    more: tuple[Tab, ...]


def navigation_of(caller: Principal) -> Navigation:
    """Return what an account may open, by group for wide screens and by use for phones."""
    second = may_see_some(caller)
    open_to = [tab for tab in TABS if caller.may(tab.permission) or (tab.for_seconds and second)]
    names = {tab.name for tab in open_to}
    mine = [tab for tab in open_to if tab.unless not in names]
    groups = dict.fromkeys(tab.group for tab in mine)
    by_use = sorted(mine, key=lambda tab: tab.thumb)
    return Navigation(
        groups=tuple((group, tuple(tab for tab in mine if tab.group == group)) for group in groups),
        thumb=tuple(by_use[:_UNDER_THE_THUMB]),
        more=tuple(tab for tab in mine if tab in by_use[_UNDER_THE_THUMB:]),
    )
