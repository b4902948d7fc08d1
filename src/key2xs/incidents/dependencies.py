"""What Key2XS leans on, and how each of it stands: people, permits, key systems, the SIEM, the log, this system.

A name is `kind:name` (`keys:iloq`, `permits:eptw`, `people:entra`, `siem:soc`), or `log`, `network`, `this`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.settings import Settings
from key2xs.core.sql import load_queries
from key2xs.identity.affiliations import last_said
from key2xs.keys.reads import SystemAge, system_ages
from key2xs.ledger.log import find_head
from key2xs.work import DeclaredDown, SourceStatus, source_status, sources_declared_down

_SQL = load_queries("key2xs.incidents", "queries_outage.sql")

Standing: TypeAlias = Literal["up", "down", "unknown"]
Kind: TypeAlias = Literal["people", "permits", "keys", "siem", "log", "network", "this"]

NETWORK: Final = "network"
THIS: Final = "this"
LOG: Final = "log"
LOG_IS_LATE: Final = timedelta(
    seconds=30
)  # entries get their place within a second; this long, something is wrong
_EVENTS_MISSED: Final = 4  # readings of a key system's log in a row
_USUAL_PACE: Final = timedelta(seconds=30)
_SHORTEST_SILENCE: Final = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing Key2XS leans on. `since`: when it was last there, where it is down or was never heard."""

    name: str
    kind: Kind
    label: str
    state: Standing
    since: datetime | None = None
    why: str = ""

    @property
    def is_down(self) -> bool:
        """Tell whether it is known to be down."""
        return self.state == "down"


async def read_dependencies(
    tx: Connection, settings: Settings, problems: Mapping[str, str], at: datetime
) -> list[Dependency]:
    """Return how everything stands. `problems` are those of the running loops, by loop name."""
    declared = await sources_declared_down(tx, at)
    heard = {status.name: status for status in await source_status(tx, at)}
    said = await last_said(tx)
    found = [_people(name, said.get(name)) for name in (source.name for source in settings.scim)]
    found += [
        _permits(source.name, heard.get(source.name), declared.get(source.name))
        for source in settings.permits
    ]
    paces = _paces(settings)
    found += [
        _keys(system, problems, paces.get(system.name, _USUAL_PACE), at) for system in await system_ages(tx)
    ]
    found += [_siem(sink.name, problems) for sink in settings.syslog]
    found.append(await _log(tx, problems, at))
    return [*found, _this(problems)]


def _people(name: str, said_at: datetime | None) -> Dependency:
    """An IAM sends changes only, so its silence says nothing; whoever knows that it is down asks what then."""
    return Dependency(
        f"people:{name}",
        "people",
        name,
        "unknown" if said_at is None else "up",
        said_at,
        "never heard" if said_at is None else "sends changes only, so its silence says nothing",
    )


def _permits(name: str, status: SourceStatus | None, declared: DeclaredDown | None) -> Dependency:
    full = f"permits:{name}"
    if declared is not None:
        return Dependency(full, "permits", name, "down", declared.since, f"declared down: {declared.reason}")
    if status is None or status.feed_ok == "unknown":
        return Dependency(full, "permits", name, "unknown", None, "never heard")
    if status.feed_ok == "no":
        return Dependency(full, "permits", name, "down", status.heard_at, "silent")
    why = ""
    if status.live_there is not None and status.live_there != status.live_here:
        why = f"it counts {status.live_there} permits in force, we know {status.live_here}"
    return Dependency(full, "permits", name, "up", status.heard_at, why)


def _keys(system: SystemAge, problems: Mapping[str, str], pace: timedelta, at: datetime) -> Dependency:
    full = f"keys:{system.name}"
    loops = (f"events:{system.name}", f"inventory:{system.name}", f"reconciler:{system.name}")
    told = next((problems[name] for name in loops if name in problems), "")
    if system.log_read_at is None:
        return Dependency(
            full, "keys", system.name, "down" if told else "unknown", None, told or "never read"
        )
    patience = max(_SHORTEST_SILENCE, pace * _EVENTS_MISSED)
    if at - system.log_read_at > patience:
        return Dependency(full, "keys", system.name, "down", system.log_read_at, told or "does not answer")
    return Dependency(full, "keys", system.name, "up", system.log_read_at, told)


def _paces(settings: Settings) -> dict[str, timedelta]:
    """Return how often each key system's log is read, whatever makes of systems the site has."""
    systems = (*settings.iloq, *getattr(settings, "cliq", ()))
    return {
        each.name: timedelta(seconds=getattr(each, "events_seconds", _USUAL_PACE.seconds)) for each in systems
    }


def _siem(name: str, problems: Mapping[str, str]) -> Dependency:
    told = problems.get(f"reader:syslog:{name}", "")
    return Dependency(f"siem:{name}", "siem", name, "down" if told else "up", None, told)


async def _log(tx: Connection, problems: Mapping[str, str], at: datetime) -> Dependency:
    try:
        head = await find_head(tx)
    except NotFound as error:
        return Dependency(LOG, "log", "the log", "unknown", None, str(error))
    if head.narrow_only_why:
        return Dependency(LOG, "log", "the log", "down", None, head.narrow_only_why)
    oldest: datetime | None = await tx.fetchval(_SQL["oldest_waiting"])
    if "sequencer" in problems or (oldest is not None and at - oldest > LOG_IS_LATE):
        why = problems.get("sequencer", "entries wait for their place")
        return Dependency(LOG, "log", "the log", "down", oldest, why)
    return Dependency(LOG, "log", "the log", "up", at)


def _this(problems: Mapping[str, str]) -> Dependency:
    """This system answers, or nobody could read it; what of it does not work is named."""
    ours = dict(_ours(problems))
    why = "; ".join(f"{name}: {problem}" for name, problem in sorted(ours.items()))
    return Dependency(THIS, "this", "Key2XS", "up", None, why)


def _ours(problems: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    others = ("events:", "inventory:", "reconciler:", "reader:syslog:", "sequencer")
    for name, problem in problems.items():
        if not name.startswith(others):
            yield name, problem
