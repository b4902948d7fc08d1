"""Outages as a scenario: which system is gone, from when and for how long, in virtual time.

A scenario is a TOML file, so that an exercise can be written down beforehand and played again::

    name = "a night without the permit system"

    [[outage]]
    what = "eptw"  # vendor, eptw, iam or network
    from_minutes = 10  # after the scenario's begin
    for_minutes = 120
    lost = false  # e-PTW and IAM: what was not sent meanwhile is lost instead of late

``vendor``: the key system's server is gone, for the product and for every phone. ``network``: the site's own network is
gone, so nothing is sent to the product and nothing comes from it, and phones reach nobody either.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from uuid import UUID

    from .clients.webhook import WebhookSender
    from .world import World

SYSTEMS = frozenset({"vendor", "eptw", "iam", "network"})
_STOPS = {
    "vendor": frozenset({"vendor", "network"}),
    "eptw": frozenset({"eptw", "network"}),
    "iam": frozenset({"iam", "network"}),
}


@dataclass(frozen=True, slots=True)
class Outage:
    """One system that is gone for a stretch of time."""

    what: str
    begins_at: datetime
    ends_at: datetime
    lost: bool = False

    def __post_init__(self) -> None:
        if self.what not in SYSTEMS:
            raise ValueError(f"outage: what is none of {', '.join(sorted(SYSTEMS))}: {self.what!r}")
        if self.ends_at <= self.begins_at:
            raise ValueError(f"outage of {self.what}: for_minutes must be more than 0")

    def covers(self, at: datetime) -> bool:
        """Whether the system is gone at an instant."""
        return self.begins_at <= at < self.ends_at


def read_scenario(path: Path, begins_at: datetime) -> list[Outage]:
    """Read a scenario file; its minutes count from `begins_at`.

    Raises:
        ValueError: names what is wrong with it.

    """
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return [_outage(given, begins_at) for given in found.get("outage", [])]


def _outage(given: dict[str, Any], begins_at: datetime) -> Outage:
    unknown = sorted(given.keys() - {"what", "from_minutes", "for_minutes", "lost"})
    if unknown:
        raise ValueError(f"outage: no such field: {', '.join(unknown)}")
    start = begins_at + timedelta(minutes=float(given.get("from_minutes", 0)))
    end = start + timedelta(minutes=float(given.get("for_minutes", 0)))
    return Outage(str(given.get("what", "")), start, end, bool(given.get("lost", False)))


@dataclass(slots=True)
class OutageDrill:
    """Plays a scenario on a world and the systems beside it; moves time for all of them.

    Phones lose the vendor's server at the very instant the outage begins, so that a promise about them is held against
    the worst case. The key system's own calls fail by a fault rule with the same bounds.
    """

    world: World
    outages: Iterable[Outage]
    sender: WebhookSender | None = None
    _cut: set[UUID] = field(default_factory=set, init=False)
    _plan: list[Outage] = field(init=False)

    def __post_init__(self) -> None:
        self._plan = sorted(self.outages, key=lambda each: (each.begins_at, each.what))
        for outage in self._plan:
            if outage.what in _STOPS["vendor"]:
                fault = Fault(
                    operation="* **", effect="down", from_at=outage.begins_at, until_at=outage.ends_at
                )
                self.world.faults.add(fault)

    def is_down(self, what: str, at: datetime | None = None) -> bool:
        """Whether one of the systems (vendor, eptw, iam) is gone, now or at an instant."""
        instant = at or self.world.now
        return any(each.what in _STOPS[what] and each.covers(instant) for each in self._plan)

    def advance_to(self, instant: datetime) -> None:
        """Let time pass; every outage begins and ends at its very instant."""
        edges = {edge for each in self._plan for edge in (each.begins_at, each.ends_at)}
        for edge in sorted(edge for edge in edges if self.world.now < edge <= instant):
            self.world.advance_to(edge)
            self._apply()
        self.world.advance_to(instant)
        self._apply()

    def may_send(self) -> bool:
        """Whether the permit system's messages get out now; what is to be lost is lost here."""
        if not self.is_down("eptw"):
            return True
        if self.sender is not None and self._loses("eptw"):
            self.sender.queue.clear()
        return False

    def _loses(self, what: str) -> bool:
        return any(
            each.lost and each.what in _STOPS[what] and each.covers(self.world.now) for each in self._plan
        )

    def _apply(self) -> None:
        if self.is_down("vendor"):
            phones = {key_id for key_id, key in self.world.keys.items() if key.is_phone and key.network_up}
            for key_id in phones:
                self.world.cut_network(key_id)
            self._cut |= phones
        elif self._cut:
            for key_id in sorted(self._cut):
                self.world.restore_network(key_id)
            self._cut.clear()
