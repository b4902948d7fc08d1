"""The chaos schedule read into scenes: who is hit by what, in which story."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAKES = ("cliq", "iloq")
SCHEDULE = Path(__file__).with_name("chaos.toml")
STORY_OF = {"grant": "revoke", "revoke": "revoke", "loss": "loss"}


@dataclass(frozen=True, kw_only=True)
class Hit:
    """Calls of an act that go wrong from some phase on."""

    on: str
    effect: str
    times: int = 1
    retry_after: float | None = None
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One story of one make with what goes wrong in it."""

    id: str
    kinds: tuple[str, ...]
    make: str
    story: str = "revoke"
    phase: str = "grant"
    hits: tuple[Hit, ...] = ()
    kill: str = ""
    visit: int = 1
    first_death: str = ""
    skew: tuple[str, float] | None = None
    limit: dict[str, Any] = field(default_factory=dict)
    quick: bool = False


def read_schedule() -> dict[str, Any]:
    """Return the file as it stands."""
    return tomllib.loads(SCHEDULE.read_text(encoding="utf-8"))


def scenes() -> list[Scene]:
    """Return every scene of the schedule, for every make."""
    schedule = read_schedule()
    found = [
        scene
        for make in MAKES
        for part in (_faults, _skews, _limits, _kills, _storms)
        for scene in part(schedule, make)
    ]
    assert len({scene.id for scene in found}) == len(found), "two scenes of one name"
    return found


def _faults(schedule: dict[str, Any], make: str) -> Iterator[Scene]:
    for row in schedule["fault"]:
        then = (Hit(**row["then"]),) if "then" in row else ()
        for phase in row["during"]:
            for on in row["on"]:
                hit = Hit(
                    on=on, effect=row["effect"], times=row.get("times", 1), retry_after=row.get("retry_after")
                )
                after = f" after {row['retry_after']}" if "retry_after" in row else ""
                name = f"{row['kind']} {row['effect']}{after} {phase}/{on}{' and more' if then else ''}"
                yield Scene(
                    id=f"{make} {name}",
                    kinds=(row["kind"],),
                    make=make,
                    story=STORY_OF[phase],
                    phase=phase,
                    hits=(hit, *then),
                    quick=f"{make} {phase}/{on}" in row.get("quick", ()),
                )


def _skews(schedule: dict[str, Any], make: str) -> Iterator[Scene]:
    for row in schedule["skew"]:
        yield Scene(
            id=f"{make} clock-skew {row['whose']} {row['seconds']:+}",
            kinds=("clock-skew",),
            make=make,
            skew=(row["whose"], row["seconds"]),
        )


def _limits(schedule: dict[str, Any], make: str) -> Iterator[Scene]:
    for row in schedule["limit"]:
        limit = {name: value for name, value in row.items() if name != "quick"}
        what = " ".join(f"{name}={value}" for name, value in limit.items())
        yield Scene(
            id=f"{make} over-the-limit {what}",
            kinds=("over-the-limit",),
            make=make,
            limit=limit,
            quick=row.get("quick", False),
        )


def _kills(schedule: dict[str, Any], make: str) -> Iterator[Scene]:
    kill = schedule["kill"]
    stories, after = kill["stories"], kill["after"]
    for point in (*kill["points"], *stories, *after):
        for visit in kill["visits"] if point in kill["points"] else (1,):
            yield Scene(
                id=f"{make} kill {point} {visit}",
                kinds=("kill",),
                make=make,
                story=stories.get(point, "revoke"),
                kill=point,
                visit=visit,
                first_death=after.get(point, ""),
                quick=visit == 1 and f"{make} {point}" in kill["quick"],
            )
    for point in kill["points"]:
        for row in kill["with_faults"]:
            yield Scene(
                id=f"{make} kill {point} and {row['effect']} {row['on']}",
                kinds=("kill",),
                make=make,
                kill=point,
                hits=(Hit(**row),),
            )


def _storms(schedule: dict[str, Any], make: str) -> Iterator[Scene]:
    for row in schedule["storm"]:
        hits = tuple(Hit(**each) for each in row["hits"])
        kinds = [hit.kind for hit in hits]
        kinds += [kind for kind, name in (("clock-skew", "skew"), ("kill", "kill")) if name in row]
        yield Scene(
            id=f"{make} storm {row['during']}",
            kinds=tuple(kinds),
            make=make,
            phase=row["during"],
            hits=hits,
            kill=row.get("kill", ""),
            skew=(row["skew"]["whose"], row["skew"]["seconds"]) if "skew" in row else None,
            quick=True,
        )
