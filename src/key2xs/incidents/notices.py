"""Telling the shift leader at once that somebody at work lost their identity (S5).

An end by a person here waits as a stop does and was told of before; it is not told again.

A disable by the IAM is not held as a person's kill is: it takes effect as it comes. Whoever leads the shift has to know
of it in the same moment, because somebody may be in the middle of the work.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, ReadEntry, own_words

from .kill_types import Waiting, at_work, waiting_of

_SQL = load_queries("key2xs.incidents", "queries_kills.sql")

_KINDS: Final = frozenset({"identity:person:disable", "identity:person:delete"})
_ASKED_BY: Final = "system:identity"
_WHY: Final = "their identity is not active any more"
SHOWN_FOR: Final = timedelta(hours=12)
"""A notice is shown while they are at work; after a shift nobody has to hear of it."""


class IdentityNotices:
    """A reader of the log that tells of everybody at work whose identity ended; what it tells commits with its place."""

    name = "identity-notices"
    passes_over: Final = ("keys:opening",)

    def __init__(self, ledger: Ledger) -> None:
        """Record every notice with `ledger`."""
        self._ledger = ledger

    async def handle(self, tx: Connection, entries: Sequence[ReadEntry]) -> None:
        """Tell of everybody who is signed on to a permit or on duty."""
        for entry in entries:
            if entry.kind in _KINDS:
                people = [_person(subject) for subject in entry.subjects if subject.startswith("person:")]
                for each in await at_work(tx, people, entry.recorded_at):
                    subject = f"person:{each.person_id}"
                    if not await tx.fetchval(_SQL["ended_here"], subject, entry.recorded_at):
                        await self._tell(tx, each.person_id, entry.recorded_at)

    async def _tell(self, tx: Connection, person: PersonId, at: datetime) -> None:
        subject, notice_id = f"person:{person}", new_id()
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="incidents:kill:notice",
                occurred_at=at,
                recorded_at=at,
                actor="system:safety",
                subjects=(subject,),
                # No head moves: telling decides nothing about access.
                body={"people": 1, "kill": str(notice_id), "why": _WHY},
                lane=Lane.CONTROL,
            ),
        )
        await tx.execute(
            _SQL["insert_notice"], notice_id, "person", subject, [person], own_words(_WHY), _ASKED_BY, at, entry
        )  # fmt: skip


async def notices(tx: Connection, at: datetime) -> list[Waiting]:
    """Return what was told of people who are still at work, the newest first: stops that are done already."""
    rows = await tx.fetch(_SQL["notices"], _ASKED_BY, at - SHOWN_FOR)
    told = {row["subject"]: waiting_of(row, _WHY) for row in reversed(rows)}
    working = {each.person_id for each in await at_work(tx, {n.people[0] for n in told.values()}, at)}
    return sorted(
        (notice for notice in told.values() if notice.people[0] in working),
        key=lambda notice: notice.asked_at,
        reverse=True,
    )


def _person(subject: str) -> PersonId:
    return PersonId(UUID(subject.partition(":")[2]))
