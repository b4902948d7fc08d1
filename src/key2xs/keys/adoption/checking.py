"""Whether a connection is ready to be relied on: its account, and every lock as it was listed last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from key2xs.core.database import Connection
from key2xs.core.errors import CallFailed
from key2xs.core.sql import load_queries
from key2xs.core.tri import NO, UNKNOWN, Tri
from key2xs.keys.onboarding import Examined, Finding, Weight
from key2xs.keys.port import KeySystemPort

from .connections import ConnectionState

__all__ = ["CheckReport", "CheckedLock", "examine_account", "judge_locks", "read_locks", "report_of", "shown"]

_SQL = load_queries("key2xs.keys.adoption", "queries_check.sql")
_ORDER: Final = (Weight.STOPS, Weight.WEAKENS, Weight.NOT_CHECKED, Weight.NOTE, Weight.FINE)
_ADMINISTRATOR: Final = "key system administrator"
_LISTS_IN_KEYS: Final = "cliq"  # lists and clocks are in its keys: no lock has to have a right or a clock

_KEYS_JUDGE: Final = Finding(
    "no_clock", Weight.FINE, "Its keys judge the time by clocks of their own; its cylinders need none."
)


@dataclass(frozen=True, slots=True)
class CheckedLock:
    """What matters of one lock. `programmed` None: the vendor does not tell the lock itself from its plan."""

    lock: str
    access_point: str | None
    has_clock: Tri
    honours_limits: Tri
    hidden_rights: bool
    planned: bool
    programmed: bool | None

    @property
    def name(self) -> str:
        """The lock's stamp, and its access point where it is mapped to one."""
        return f"{self.lock} ({self.access_point})" if self.access_point else self.lock


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The findings, the worst first. `ready`: nothing stops it and everything was looked at."""

    system: str
    at: datetime
    listed_at: datetime | None
    ready: bool
    findings: tuple[Finding, ...]


async def examine_account(port: KeySystemPort | None) -> tuple[Finding, ...]:
    """Ask the vendor what the account lacks; what cannot be asked is said to be unchecked."""
    if port is None:
        return (_unchecked("This key system is not in the settings of the running service."),)
    if not isinstance(port, Examined):
        return (_unchecked("The interface of this make does not say what its account may do."),)
    try:
        return await port.examine()
    except CallFailed as error:
        return (_unchecked(f"The vendor could not be asked: {error}."),)


async def read_locks(tx: Connection, system: ConnectionState) -> list[CheckedLock]:
    """Return the locks of a key system as they were listed last."""
    return [CheckedLock(**row) for row in await tx.fetch(_SQL["lock_checks"], system.id)]


def report_of(
    system: ConnectionState, account: Sequence[Finding], locks: Sequence[CheckedLock], at: datetime
) -> CheckReport:
    """Put the report together."""
    found = (*account, *judge_locks(system, locks))
    ordered = sorted(found, key=lambda each: _ORDER.index(each.weight))
    ready = all(each.weight not in {Weight.STOPS, Weight.NOT_CHECKED} for each in found)
    return CheckReport(system.name, at, system.inventory_at, ready, tuple(ordered))


def judge_locks(system: ConnectionState, locks: Sequence[CheckedLock]) -> tuple[Finding, ...]:
    """Judge the locks: API rights, clocks, time limits, and what cannot be seen."""
    if system.inventory_at is None:
        return (Finding("locks", Weight.NOT_CHECKED, "The locks have not been listed yet."),)
    if not locks:
        return (Finding("locks", Weight.NOT_CHECKED, "The key system listed no locks."),)
    if system.vendor == _LISTS_IN_KEYS:
        return (_KEYS_JUDGE, *_limits(locks), *_hidden(locks))
    return (*_rights(locks), *_clocks(locks), *_limits(locks), *_hidden(locks))


def _rights(locks: Sequence[CheckedLock]) -> tuple[Finding, ...]:
    without = [lock for lock in locks if not lock.planned]
    waiting = [lock for lock in locks if lock.planned and lock.programmed is False]
    if not without and not waiting:
        return (Finding("api_rights", Weight.FINE, "Every lock takes a right that Key2XS may write."),)
    return (
        *_about(
            "api_rights",
            Weight.STOPS,
            without,
            "{} no access right that Key2XS may write; it can give nobody access there.",
            "allow API access rights on the lock, add such a right to it and program it once. A standard right cannot be "
            "converted: make a copy of it as an API right",
            has=("has", "have"),
        ),
        *_about(
            "to_program",
            Weight.STOPS,
            waiting,
            "{} the right only in the plan, not in the lock.",
            "visit the lock once with the programming key",
            has=("has", "have"),
        ),
    )


def _clocks(locks: Sequence[CheckedLock]) -> tuple[Finding, ...]:
    found = (
        *_about(
            "no_clock",
            Weight.WEAKENS,
            [lock for lock in locks if lock.has_clock == NO],
            "{} no clock. An end date in a key cannot be trusted there, and openings have no certain time.",
            "fit a clock, or use only phones and fobs with a short offline time there",
            has=("has", "have"),
        ),
        *_about(
            "clock_unknown",
            Weight.WEAKENS,
            [lock for lock in locks if lock.has_clock == UNKNOWN],
            "{} listed without a word on a clock, which counts as having none.",
            "look the lock up and enter it in the key system",
            has=("is", "are"),
        ),
    )
    return found or (Finding("no_clock", Weight.FINE, "Every lock has a clock."),)


def _limits(locks: Sequence[CheckedLock]) -> tuple[Finding, ...]:
    found = (
        *_about(
            "limits_ignored",
            Weight.WEAKENS,
            [lock for lock in locks if lock.honours_limits == NO],
            "{} not heed time limits: a key opens there after its end date, until it is emptied or blocked.",
            "switch on that the lock respects all time limits, and program it",
            has=("does", "do"),
        ),
        *_about(
            "limits_unknown",
            Weight.WEAKENS,
            [lock for lock in locks if lock.honours_limits == UNKNOWN],
            "{} not known to heed time limits. An end date counts for nothing there until somebody tried it.",
            "try it at the lock with a key whose end date is over",
            has=("is", "are"),
        ),
    )
    return found or (Finding("limits_ignored", Weight.FINE, "Every lock heeds the end date in a key."),)


def _hidden(locks: Sequence[CheckedLock]) -> tuple[Finding, ...]:
    return _about(
        "hidden_rights",
        Weight.WEAKENS,
        [lock for lock in locks if lock.hidden_rights],
        "{} rights that this account cannot see. Who may open there is never complete.",
        "give the service user the zones that these rights belong to",
        has=("has", "have"),
    )


def _about(
    check: str,
    weight: Weight,
    locks: Sequence[CheckedLock],
    says: str,
    does: str,
    *,
    has: tuple[str, str],
) -> tuple[Finding, ...]:
    if not locks:
        return ()
    one, many = has
    counted = f"1 lock {one}" if len(locks) == 1 else f"{len(locks)} locks {many}"
    names = tuple(lock.name for lock in locks)
    return (
        Finding(check, weight, says.format(counted), _ADMINISTRATOR, does, names=names, count=len(locks)),
    )


def _unchecked(says: str) -> Finding:
    return Finding("account", Weight.NOT_CHECKED, says)


def shown(report: CheckReport, most: int) -> dict[str, Any]:
    """Write a report as JSON has it, with at most so many names a line; `count` has them all."""
    return {
        "system": report.system,
        "at": report.at,
        "listed_at": report.listed_at,
        "ready": report.ready,
        "findings": [_line(each, most) for each in report.findings],
    }


def _line(found: Finding, most: int) -> Mapping[str, Any]:
    return {
        "check": found.check,
        "weight": str(found.weight),
        "says": found.says,
        "who": found.who,
        "does": found.does,
        "count": found.count,
        "names": list(found.names[:most]),
    }
