"""Taking in what cabinets tell: once each, in any order, late or not; what does not fit becomes a finding."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, new_id
from key2xs.core.outside import CabinetSource
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased
from key2xs.keys.desk.evidence import CLASHES, Handling
from key2xs.keys.desk.lists import keys_by_stamp
from key2xs.keys.desk.parts import SQL, KeyDesk
from key2xs.keys.types import StoredKey
from key2xs.ledger import Entry, ReadEntry

from .events import RETURNED, TAKEN, CabinetEvent, in_time

_OWN = load_queries("key2xs.keys", "queries_cabinets.sql")

AHEAD: Final = timedelta(minutes=5)
"""A cabinet's clock may be this far ahead before somebody is told; its events count as of their arrival."""
_RESOLVE_BATCH: Final = 200
_ENTRIES: Final = {
    "out": "keys:custody:hand_out",
    "back": "keys:custody:take_back",
    "due": "keys:custody:extend",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one event: *new*, or *known* already; and what a person should look at because of it."""

    event_id: str
    outcome: str
    findings: tuple[str, ...] = ()


async def take_events(
    tx: Connection, desk: KeyDesk, source: CabinetSource, events: Sequence[CabinetEvent], at: datetime
) -> list[Taken]:
    """Take in events of one source; those that are known already change nothing."""
    # One message of a source after the other: a repeated one then finds what the first one wrote.
    await desk.ledger.lock_heads(tx, [f"cabinets:{source.name}"])
    ids = [each.event_id for each in events]
    known = {row["event_id"] for row in await tx.fetch(_OWN["known_events"], source.name, ids)}
    done = []
    for event in in_time(events):
        if event.event_id in known:
            done.append(Taken(event.event_id, "known"))
            continue
        known.add(event.event_id)
        done.append(Taken(event.event_id, "new", await _Taking(tx, desk, source, event, at).run()))
    return done


class _Taking:
    """One event on its way in."""

    def __init__(
        self, tx: Connection, desk: KeyDesk, source: CabinetSource, event: CabinetEvent, at: datetime
    ) -> None:
        self._tx, self._desk, self._source, self._event, self._now = tx, desk, source, event, at
        # Nothing happened later than it was told: the desk's clock and the cabinet's have one order then.
        self._at = min(event.at, at)
        self._actor = f"system:cabinet/{source.name}"
        self._findings: list[str] = []
        self._row_id = new_id()
        self._key: StoredKey | None = None
        self._person: PersonId | None = None
        self._online = True

    async def run(self) -> tuple[str, ...]:
        """Take it in; returns what a person should look at."""
        event = self._event
        self._key = await self._find_key() if event.stamp else None
        self._person = await self._find_person() if event.person_ref else None
        handling = self._handling() if self._key else None
        if handling is not None:
            entry = await self._tell_custody(handling)
        else:
            entry = await self._tell_plain()
        await self._write(entry, handling)
        await self._note_findings(entry, handling)
        return tuple(self._findings)

    async def _find_key(self) -> StoredKey | None:
        found = await keys_by_stamp(self._tx, self._event.stamp or "")
        if self._source.key_system:
            found = [each for each in found if each[1] == self._source.key_system]
        if len(found) == 1:
            return found[0][0]
        self._findings.append("unknown_key" if not found else "ambiguous_key")
        return None

    async def _find_person(self) -> PersonId | None:
        ref, scheme = self._event.person_ref or "", self._source.person_scheme
        own, _, rest = ref.partition(":")
        if own == "person" and rest:
            scheme, ref = "person", rest  # our own id, as the file for cabinets writes it
        return await self._desk.identity.find_person(self._tx, scheme, ref)

    def _handling(self) -> Handling | None:
        kind = self._event.kind
        if kind in TAKEN:
            return self._made("out", self._person)
        if kind in RETURNED:
            return self._made("back", self._person)
        return self._made("due", None, due_at=self._at) if kind == "item_overdue" else None

    def _made(self, kind: Any, person: PersonId | None, due_at: datetime | None = None) -> Handling:
        # What came back was taken before: at one instant the return of the one goes before the taking of the next.
        mark = f"{0 if kind == 'back' else 1}{self._event.event_id}"
        return Handling(
            new_id(), self._at, "cabinet", kind, person, due_at=due_at, mark=mark, place=self._event.place
        )

    async def _tell_custody(self, handling: Handling) -> int:
        if self._key is None:
            raise AssertionError  # pragma: no cover - the caller found it
        change = await self._desk.custody.look(self._tx, self._key, handling)
        self._findings += [clash.kind for clash in change.clashes]
        await self._compare_with_reports(handling)
        return await self._desk.custody.told(
            self._tx, _ENTRIES[handling.kind], self._key, handling, actor=self._actor, at=self._now, mark=handling.mark,
            cabinet=self._event.place, event=self._event.event_id,
        )  # fmt: skip

    async def _compare_with_reports(self, handling: Handling) -> None:
        if self._key is None:
            return
        report = await self._tx.fetchrow(SQL["open_report"], self._key.id)
        if report is not None and handling.at >= report["since"]:
            self._findings.append("reported_key_seen")
        elif (
            self._key.blocked_at is not None
            and handling.kind == "out"
            and handling.at >= self._key.blocked_at
        ):
            self._findings.append("blocked_key_taken")

    async def _tell_plain(self) -> int:
        key = (self._key.subject,) if self._key else ()
        person = (f"person:{self._person}",) if self._person else ()
        # A number that no key carries may be anything, a badge's for one: it does not go into the log.
        stamp = {"stamp": self._key.stamp} if self._key else {}
        return await self._desk.ledger.record(
            self._tx,
            Entry(
                kind=f"keys:cabinet:{self._event.kind}",
                occurred_at=self._at,
                recorded_at=self._now,
                actor=self._actor,
                subjects=(*key, *person) or (f"cabinets:{self._source.name}",),
                body={"cabinet": self._event.place, "event": self._event.event_id, **stamp},
            ),
        )

    async def _write(self, entry: int, handling: Handling | None) -> None:
        event, sealed = self._event, None
        if event.person_ref and self._person is None:
            sealed = await self._desk.vault.seal(self._row_id, event.person_ref)
        await self._tx.execute(
            _OWN["insert_event"], self._row_id, self._source.name, event.event_id, event.cabinet, event.kind,
            self._at, self._now, event.slot, event.stamp if self._key else None,
            self._key.id if self._key else None, self._person, sealed, handling.id if handling else None, entry,
        )  # fmt: skip
        self._online = await self._tx.fetchval(
            _OWN["put_cabinet"], self._source.name, event.cabinet, event.kind != "cabinet_offline", self._now,
            self._at, entry,
        )  # fmt: skip

    async def _note_findings(self, entry: int, handling: Handling | None) -> None:
        event = self._event
        # A word about an outage that is over already, arriving late, is nothing to look at.
        if event.kind in {"door_forced", "item_removed_outside_schedule"} or (
            event.kind == "cabinet_offline" and not self._online
        ):
            self._findings.append(event.kind)
        if event.at > self._now + AHEAD:
            self._findings.append("clock_ahead")
        own = [each for each in self._findings if each not in CLASHES]
        for kind in own:
            await self._tx.execute(
                SQL["insert_finding"], new_id(), kind, self._key.id if self._key else None,
                handling.id if handling else None, event.place, self._key.stamp if self._key else None, self._at,
                self._now, self._person, None, entry,
            )  # fmt: skip
        if event.kind == "cabinet_online":
            await self._tx.execute(
                SQL["settle_cabinet"], event.place, "cabinet_offline", self._now, self._actor, "online", entry
            )


class TakerReader:
    """A reader of the log that matches people whom cabinets named, when identities appear."""

    name = "cabinet_people"
    passes_over: Final = ("keys:opening",)

    def __init__(self, desk: KeyDesk) -> None:
        """Match with `desk`."""
        self._desk = desk
        self._outworn: list[UUID] = []

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Look for the unresolved when the log tells of a new person."""
        for row_id in self._outworn:  # resolved in an earlier, committed step
            await self._desk.vault.erase(row_id)
        self._outworn = []
        at = max(
            (each.recorded_at for each in entries if each.kind.startswith("identity:person:")), default=None
        )
        if at is None:
            return
        schemes = {source.name: source.person_scheme for source in self._desk.cabinets}
        for row in await tx.fetch(_OWN["unresolved"], _RESOLVE_BATCH):
            ref = await self._desk.vault.open(row["id"], row["ref_sealed"])
            if isinstance(ref, Erased) or row["source"] not in schemes:
                continue
            person = await self._desk.identity.find_person(tx, schemes[row["source"]], ref)
            if person is not None:
                await self._name(tx, row, person, at)
                self._outworn.append(row["id"])

    async def _name(self, tx: Connection, row: Any, person: PersonId, at: datetime) -> None:
        desk, actor = self._desk, f"system:cabinet/{row['source']}"
        handled = await tx.fetchrow(SQL["find_handling"], row["handling_id"]) if row["handling_id"] else None
        if handled is None:
            entry = await desk.ledger.record(
                tx,
                Entry(
                    kind="keys:cabinet:name", occurred_at=row["occurred_at"], recorded_at=at, actor=actor,
                    subjects=(f"person:{person}",), body={"event": row["event_id"]},
                ),
            )  # fmt: skip
        else:
            key = await desk.registry.get_key(tx, handled["key_id"])
            handling = Handling(
                handled["id"], handled["at"], handled["source"], handled["kind"], person,
                mark=handled["mark"], place=handled["place"],
            )  # fmt: skip
            entry = await desk.custody.told(
                tx,
                "keys:custody:name",
                key,
                handling,
                actor=actor,
                at=at,
                known_before=True,
                event=row["event_id"],
            )
        await tx.execute(_OWN["resolve"], row["id"], person, entry)
