"""Warnings while there is time to act: told once on the log, changed where the time moves, and taken back when over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from key2xs.core.database import Connection, Database
from key2xs.core.ids import new_id
from key2xs.core.settings import Settings
from key2xs.core.sql import load_queries
from key2xs.keys.sealed import SealedKeys
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.work import PaperPermit, PaperPermits, feed_ok

from .dependencies import Dependency, read_dependencies
from .outage import Outage, RoleLasts, read_outage

_SQL = load_queries("key2xs.incidents", "queries_outage.sql")

WarningKind: TypeAlias = Literal["dependency_down", "role_runs_out", "paper_to_enter", "seal_overdue"]
PACE: Final = timedelta(minutes=1)
# A promise that moves by less is the same one: nobody is told twice for a second.
_SAME: Final = timedelta(minutes=1)
_FOR_ACCESS: Final = frozenset({"keys", "network", "this", "permits"})


@dataclass(frozen=True, slots=True)
class OpenWarning:
    """What people are warned of. `due_at` None: it has happened already."""

    kind: WarningKind
    subject: str
    text: str
    due_at: datetime | None
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class _Wanted:
    text: str
    due_at: datetime | None


async def open_warnings(tx: Connection) -> list[OpenWarning]:
    """Return what people are warned of now, what has happened first, then the soonest."""
    return [
        OpenWarning(row["kind"], row["subject"], row["text"], row["due_at"], row["raised_at"])
        for row in await tx.fetch(_SQL["open_warnings"])
    ]


class WarningLoop:
    """Looks once a minute at what is down, who runs out of keys by it, and what is overdue."""

    name = "incidents:warnings"
    heeds: Final[tuple[str, ...]] = ()

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        settings: Settings,
        paper: PaperPermits,
        sealed: SealedKeys,
        problems: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Work on `database`; `problems` tells what is wrong with the loops of this process."""
        self._database, self._ledger, self._settings = database, ledger, settings
        self._paper, self._sealed, self.problems = paper, sealed, problems
        self._due: datetime | None = None

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is new and take back what is over."""
        if self._due is None or now >= self._due:
            await self._database.transact(lambda tx: self._look(tx, now))
            self._due = now + PACE
        return self._due

    async def _look(self, tx: Connection, now: datetime) -> None:
        wanted = await self._wanted(tx, now)
        stored = {(row["kind"], row["subject"]): row for row in await tx.fetch(_SQL["open_warnings"])}
        if not wanted and not stored:
            return
        # One worker tells at a time; what another one told meanwhile is seen after the lock.
        await self._ledger.lock_heads(tx, ["incident:warnings"])
        stored = {(row["kind"], row["subject"]): row for row in await tx.fetch(_SQL["open_warnings"])}
        for place, warning in wanted.items():
            await self._tell(tx, place, warning, stored.get(place), now)
        for place in stored.keys() - wanted.keys():
            entry = await self._record(tx, "clear", place, now, {})
            await tx.execute(_SQL["clear_warning"], stored[place]["id"], now, entry)

    async def _wanted(self, tx: Connection, now: datetime) -> dict[tuple[str, str], _Wanted]:
        dependencies = await read_dependencies(tx, self._settings, self.problems(), now)
        found = dict(_down(dependencies))
        if any(each.is_down and each.kind in _FOR_ACCESS for each in dependencies):
            outage = await read_outage(tx, self._settings, now, problems=self.problems())
            ahead = timedelta(minutes=self._settings.continuity.warn_ahead_minutes)
            found |= {
                ("role_runs_out", f"unit:{role.unit_id}/{role.role}"): _Wanted(
                    role_text(role, outage), role.until
                )
                for role in outage.due_before(ahead)
            }
        found |= await self._paper_to_enter(tx, now)
        return found | await self._seals_overdue(tx, now)

    async def _paper_to_enter(self, tx: Connection, now: datetime) -> dict[tuple[str, str], _Wanted]:
        late = timedelta(minutes=self._settings.continuity.paper_entry_minutes)
        return {
            ("paper_to_enter", f"permit:{paper.permit_id}"): _Wanted(
                f"paper {paper.number} has to be entered in {paper.stands_for}, which is back",
                paper.issued_at + late,
            )
            for paper in await papers_to_enter(tx, self._paper, now)
        }

    async def _seals_overdue(self, tx: Connection, now: datetime) -> dict[tuple[str, str], _Wanted]:
        found: dict[tuple[str, str], _Wanted] = {}
        for use in await self._sealed.uses(tx):
            if overdue := use.overdue(now):
                found["seal_overdue", f"key:{use.key_id}/{use.id}"] = _Wanted(
                    f"emergency key {use.stamp} is {overdue}; its seal {use.seal} was broken", None
                )
        for key in await self._sealed.all(tx):
            if key.is_check_overdue(now):
                found["seal_overdue", f"key:{key.key_id}"] = _Wanted(
                    f"nobody has looked at the seal of emergency key {key.stamp} ({key.place})", None
                )
        return found

    async def _tell(
        self, tx: Connection, place: tuple[str, str], wanted: _Wanted, row: Any, now: datetime
    ) -> None:
        if row is None:
            entry = await self._record(tx, "raise", place, now, _body(wanted))
            await tx.execute(_SQL["add_warning"], new_id(), *place, wanted.text, wanted.due_at, now, entry)
        elif _moved(row["due_at"], wanted.due_at):
            entry = await self._record(tx, "change", place, now, _body(wanted))
            await tx.execute(_SQL["move_warning"], row["id"], wanted.text, wanted.due_at, entry)

    async def _record(
        self, tx: Connection, action: str, place: tuple[str, str], now: datetime, body: dict[str, Any]
    ) -> int:
        kind, subject = place
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"incidents:warning:{action}",
                occurred_at=now,
                recorded_at=now,
                actor="system:incidents",
                subjects=(subject_of(subject),),
                body={"warning": kind, **body},
                lane=Lane.CONTROL if action == "raise" else Lane.BULK,
            ),
        )


def role_text(role: RoleLasts, outage: Outage) -> str:
    """Say which role runs out of keys, and because of what."""
    because = ", ".join(each.label for each in outage.down if each.kind in _FOR_ACCESS)
    return (
        f"{role.role.replace('_', ' ')} in {role.unit} loses the last key that surely works ({because} down)"
    )


async def papers_to_enter(tx: Connection, paper: PaperPermits, at: datetime) -> list[PaperPermit]:
    """Return permits on paper that have to be entered, because the system they stand for is back."""
    found = []
    for each in await paper.list(tx):
        fresh, _ = await feed_ok(tx, each.stands_for, at)
        if fresh == "yes":
            found.append(each)
    return found


def subject_of(subject: str) -> str:
    """Return the log's subject of a warning: `unit:<id>` of `unit:<id>/<role>`."""
    return subject.partition("/")[0]


_KINDS: Final = {"permits": "the permit system ", "keys": "the key system ", "siem": "the SIEM "}


def _down(dependencies: Iterable[Dependency]) -> Iterable[tuple[tuple[str, str], _Wanted]]:
    for each in dependencies:
        # A permit system's silence is told by the work room, with an entry of its own; here it is shown.
        if each.is_down:
            why = f": {each.why}" if each.why else ""
            yield (
                ("dependency_down", f"dependency:{each.name.replace(':', '-')}"),
                _Wanted(f"{_KINDS.get(each.kind, '')}{each.label} is down{why}", None),
            )


def _moved(before: datetime | None, after: datetime | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= _SAME


def _body(wanted: _Wanted) -> dict[str, Any]:
    return {"text": wanted.text, "due_at": wanted.due_at.isoformat() if wanted.due_at else None}
