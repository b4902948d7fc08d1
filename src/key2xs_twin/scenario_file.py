"""A scenario as a file: which site, which acts at which minute, which faults and limits; played again it gives the same bytes.

TOML (or JSON with the same fields)::

    name = "a lost phone on a bad night"
    site = "S"
    seed = 7
    begin = 2026-07-01T15:00:00Z
    minutes = 600  # how long `key2xs-twin play` runs

    [limits.iloq]
    per_second = 5
    per_day = 2000

    [[fault]]  # the fields of key2xs_twin.faults.Fault; from_minutes and until_minutes instead of instants
    operation = "GET Keys/*"
    effect = "status:503"
    retry_after = 30
    times = 2

    [[act]]  # the fields of key2xs_twin.people, as the control interface takes them
    at_minutes = 20
    act = "present"
    key = "1001"
    lock = "CDU-001"
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from key2xs_twin.faults import Fault
from key2xs_twin.gateway import Limits
from key2xs_twin.people import Act

if TYPE_CHECKING:
    from pathlib import Path

    from key2xs_twin.people import Scenario
    from key2xs_twin.world import World

# 17:00 at the site on the first day of the rota, an hour before the night shift of the demo.
BEGIN = datetime(2026, 7, 1, 15, 0, tzinfo=UTC)

Size: TypeAlias = Literal["S", "M", "L"]


class LimitRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much one maker's server takes; what is not given has no limit."""

    per_second: float | None = None
    burst: int = 1
    per_day: int | None = None
    reset_hour: int = 0
    latency_s: tuple[float, float] = (0.0, 0.0)

    def limits(self) -> Limits:
        """Return them as the gateway takes them; ValueError says what is wrong."""
        low, high = self.latency_s
        return Limits(
            per_second=self.per_second,
            burst=self.burst,
            per_day=self.per_day,
            reset_hour=self.reset_hour,
            latency=(timedelta(seconds=low), timedelta(seconds=high)),
        )


class Limited(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The limits of each maker's server."""

    iloq: LimitRule = LimitRule()
    cliq: LimitRule = LimitRule()


class TimedFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault, its times counted from the scenario's begin."""

    operation: str
    effect: str
    nth: int | None = None
    probability: float | None = None
    times: int | None = None
    retry_after: float | None = None
    from_minutes: float | None = None
    until_minutes: float | None = None


class ScenarioFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says. Acts in time order are played in the file's order where they fall on one instant."""

    name: str = ""
    site: Size = "S"
    seed: int = 7
    begin: datetime = BEGIN
    minutes: float = 60
    limits: Limited = Limited()
    faults: tuple[TimedFault, ...] = ()
    acts: tuple[tuple[float, Act], ...] = ()

    @property
    def ends_at(self) -> datetime:
        """When a play of it is over."""
        return self.begin + timedelta(minutes=self.minutes)

    def plan(self, world: World, scenario: Scenario) -> None:
        """Put limits, faults and acts into a world that stands at the file's begin."""
        world.iloq.gateway.limits = self.limits.iloq.limits()
        world.cliq.gateway.limits = self.limits.cliq.limits()
        for each in self.faults:
            world.faults.add(self._fault(each))
        for minutes, act in self.acts:
            scenario.at(self.begin + timedelta(minutes=minutes), act)

    def _fault(self, given: TimedFault) -> Fault:
        return Fault(
            operation=given.operation,
            effect=given.effect,
            nth=given.nth,
            probability=given.probability,
            times=given.times,
            retry_after=given.retry_after,
            from_at=self._instant(given.from_minutes),
            until_at=self._instant(given.until_minutes),
        )

    def _instant(self, minutes: float | None) -> datetime | None:
        return None if minutes is None else self.begin + timedelta(minutes=minutes)


def read_scenario_file(path: Path) -> ScenarioFile:
    """Read a file.

    Raises:
        ValueError: names what is wrong with it.

    """
    text = path.read_text(encoding="utf-8")
    try:
        found = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        return _scenario(found)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def _scenario(found: dict[str, Any]) -> ScenarioFile:
    unknown = found.keys() - {"name", "site", "seed", "begin", "minutes", "limits", "fault", "act"}
    if unknown:
        raise ValueError(f"no such field: {', '.join(sorted(unknown))}")
    faults = msgspec.convert(found.pop("fault", []), tuple[TimedFault, ...])
    acts = tuple(_act(number, given) for number, given in enumerate(found.pop("act", []), 1))
    scenario = msgspec.structs.replace(msgspec.convert(found, ScenarioFile), faults=faults, acts=acts)
    if scenario.begin.tzinfo is None:
        raise ValueError("begin needs an offset, for example 2026-07-01T17:00:00+02:00")
    for each in (scenario.limits.iloq, scenario.limits.cliq):
        each.limits()
    for fault in faults:
        scenario._fault(fault)  # noqa: SLF001 - its own file
    return scenario


def _act(number: int, given: dict[str, Any]) -> tuple[float, Act]:
    minutes = given.pop("at_minutes", None)
    if not isinstance(minutes, int | float) or minutes < 0:
        raise ValueError(f"act {number} needs at_minutes, 0 or more")
    try:
        return float(minutes), msgspec.convert(given, Act)
    except msgspec.ValidationError as error:
        raise ValueError(f"act {number}: {error}") from None
