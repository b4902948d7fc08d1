"""When a key is due back, and what happens when it does not come: reminder, key desk, shift leader, security."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from key2xs.core.database import Connection, Database
from key2xs.core.errors import Conflict, InvalidInput
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.core.settings import DeskSettings
from key2xs.keys.port import KeyKind
from key2xs.keys.types import StoredKey
from key2xs.ledger import Entry, Lane, Ledger
from key2xs.work import live_permits_of_person

from .evidence import Handling
from .parts import SQL, KeyDesk

Step: TypeAlias = Literal["due", "reminder", "key_desk", "shift_leader", "security"]
STEPS: Final[tuple[Step, ...]] = ("due", "reminder", "key_desk", "shift_leader", "security")
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Ladder:
    """How long after the due time each step comes."""

    steps: tuple[tuple[Step, timedelta], ...]

    @classmethod
    def of(cls, settings: DeskSettings) -> "Ladder":
        """Read the site's settings."""
        minutes = (
            0, settings.reminder_minutes, settings.key_desk_minutes, settings.shift_leader_minutes,
            settings.security_minutes,
        )  # fmt: skip
        return cls(tuple(zip(STEPS, (timedelta(minutes=each) for each in minutes), strict=True)))

    @property
    def names(self) -> list[str]:
        """The steps, in order."""
        return [name for name, _ in self.steps]

    @property
    def delays(self) -> list[timedelta]:
        """How long after the due time, in the same order."""
        return [after for _, after in self.steps]


async def usual_due(
    tx: Connection, desk: KeyDesk, key: StoredKey, person_id: PersonId, at: datetime
) -> datetime | None:
    """Return when a key is due back as the site is used to; None for a phone, which is its owner's own.

    The end of the shift or of the permit, whichever the site counts first; nobody keeps a key past their contract.
    """
    settings = desk.settings
    if settings.due == "none" or key.kind is KeyKind.PHONE:
        return None
    facts = await desk.identity.person_facts(tx, person_id, at)
    shift = max((duty.until for duty in facts.duties if duty.until is not None), default=None)
    permits = await live_permits_of_person(tx, person_id, at)
    permit = max((each.valid_to for each in permits if each.valid_to > at), default=None)
    first, second = (permit, shift) if settings.due == "permit" else (shift, permit)
    due = first or second or at + timedelta(hours=settings.due_hours)
    return min(due, facts.contract_until) if facts.contract_until else due


async def move_due(
    tx: Connection,
    desk: KeyDesk,
    key_id: KeyId,
    due_at: datetime | None,
    *,
    reason: str,
    actor: str,
    at: datetime,
) -> None:
    """Say when a key is due back instead; None: not at all. The escalation begins anew.

    Raises:
        NotFound: there is no such key.
        InvalidInput: the time has passed already.
        Conflict: nobody has the key.
    """
    if due_at is not None and due_at <= at:
        raise InvalidInput("due_at", "has passed already")
    await desk.ledger.lock_heads(tx, [f"key:{key_id}"])
    key = await desk.registry.get_key(tx, key_id)
    if await desk.custody.holder_at(tx, key_id, at) is None:
        message = f"key {key.stamp} was not handed out"
        raise Conflict(message)
    handling = Handling(new_id(), at, "desk", "due", due_at=due_at)
    due = due_at.isoformat() if due_at else "no end"
    await desk.custody.told(
        tx, "keys:custody:extend", key, handling, actor=actor, at=at, due=due, reason=reason
    )


class OverdueLoop:
    """Tells the log, once each, what becomes of a key that does not come back. It takes nothing away by itself."""

    name = "keys:overdue"
    heeds: Final = ("keys:custody", "keys:key", "keys:cabinet")

    def __init__(
        self, database: Database, ledger: Ledger, settings: DeskSettings, *, batch: int = BATCH
    ) -> None:
        """Work on `database`, at most `batch` steps at once."""
        self._database, self._ledger, self._batch = database, ledger, batch
        self._ladder = Ladder.of(settings)

    async def step(self, now: datetime) -> datetime | None:
        """Tell what is due; return when the next step is, `now` when more is due at once, None when none is known."""
        return await self._database.transact(lambda tx: self._tell(tx, now))

    async def _tell(self, tx: Connection, now: datetime) -> datetime | None:
        ladder = self._ladder
        found = await tx.fetch(SQL["due_steps"], now, ladder.names, ladder.delays, self._batch)
        if found:
            # Lock first, look again afterwards: the key may have come back meanwhile.
            await self._ledger.lock_heads(tx, {f"key:{row['key_id']}" for row in found})
            seen = {_step_of(row) for row in found}
            again = await tx.fetch(SQL["due_steps"], now, ladder.names, ladder.delays, self._batch)
            due = [row for row in again if _step_of(row) in seen]
            entries = await self._ledger.record_many(tx, [_entry(row, now) for row in due])
            told = [
                (row["key_id"], row["due_at"], row["step"], now, entry)
                for row, entry in zip(due, entries, strict=True)
            ]
            await tx.executemany(SQL["insert_overdue"], told)
        if len(found) == self._batch:
            return now
        upcoming: datetime | None = await tx.fetchval(SQL["next_step"], now, ladder.delays)
        return upcoming


def _step_of(row: object) -> tuple[object, ...]:
    return row["key_id"], row["due_at"], row["step"]  # type: ignore[index]


def _entry(row: object, now: datetime) -> Entry:
    each: dict[str, object] = dict(row)  # type: ignore[call-overload]
    return Entry(
        kind=f"keys:overdue:{each['step']}",
        occurred_at=each["at"],  # type: ignore[arg-type]
        recorded_at=now,
        actor="system:clock",
        subjects=(f"key:{each['key_id']}", f"person:{each['person_id']}"),
        body={"stamp": str(each["stamp"]), "due": each["due_at"].isoformat()},  # type: ignore[attr-defined]
        lane=Lane.BULK,
    )
