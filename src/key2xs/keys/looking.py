"""What many openings mean: everything that is known about a page of them, read at once, and the class of each.

A log may bring thousands of rows a second: how often the database is asked depends on the pages, not on the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId
from key2xs.core.sql import load_queries
from key2xs.grants.reads import LeasesAt, leases_at

from .adoption.counting import kept_when
from .classify import Class, Evidence, classify
from .custody import Custody
from .desk.certainty import NOBODY_KNOWN, Custodian
from .port import LockEventOutcome, TimeQuality
from .sealed_watch import judge_by_seal
from .types import StoredKey

_SQL = load_queries("key2xs.keys")
_NOTHING = LeasesAt(None, None)


@dataclass(frozen=True, slots=True)
class Opening:
    """A row of a lock's log, with the key and the cylinder of our registers where there are any."""

    key: StoredKey | None
    cylinder_id: CylinderId | None
    outcome: LockEventOutcome
    time_quality: TimeQuality
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What one row means, as known now."""

    opening: Opening
    custodian: Custodian
    found: Class

    @property
    def key_id(self) -> KeyId | None:
        """The key of our register, if it is one."""
        return self.opening.key.id if self.opening.key is not None else None


@dataclass(slots=True)
class _Facts:
    """What is known about one row so far."""

    custodian: Custodian = NOBODY_KNOWN
    leases: LeasesAt = _NOTHING
    was_possible: bool = False
    kept: bool = False
    kept_until: datetime | None = None


class Looking:
    """Looks at openings."""

    def __init__(self, custody: Custody) -> None:
        """Ask `custody` who had the keys."""
        self._custody = custody

    async def at(self, tx: Connection, openings: Sequence[Opening]) -> list[Looked]:
        """Class each opening, in the order given."""
        facts = [_Facts() for _ in openings]
        pairs = list(zip(openings, facts, strict=True))
        await self._who(tx, pairs)
        await _granted(tx, pairs)
        await _kept(tx, pairs)
        return [await _judged(tx, opening, known) for opening, known in pairs]

    async def _who(self, tx: Connection, pairs: Sequence[tuple[Opening, _Facts]]) -> None:
        asked = [
            (opening.key.id, opening.occurred_at, facts)
            for opening, facts in pairs
            if opening.key is not None and opening.occurred_at is not None
        ]
        found = await self._custody.custodians_at(tx, [(key, at) for key, at, _ in asked])
        for (_, _, facts), custodian in zip(asked, found, strict=True):
            facts.custodian = custodian


async def _granted(tx: Connection, pairs: Sequence[tuple[Opening, _Facts]]) -> None:
    asked = [
        (opening.key.id, facts.custodian.person_id, opening.cylinder_id, opening.occurred_at, facts)
        for opening, facts in pairs
        if opening.key is not None
        and facts.custodian.person_id is not None
        and opening.cylinder_id is not None
        and opening.occurred_at is not None
    ]
    if not asked:
        return
    keys, persons, cylinders, instants, known = zip(*asked, strict=True)
    leases = await leases_at(tx, list(zip(persons, cylinders, instants, strict=True)))
    possible = await tx.fetch(_SQL["were_possible"], keys, cylinders, instants)
    for facts, lease, row in zip(known, leases, possible, strict=True):
        facts.leases, facts.was_possible = lease, row["possible"]


async def _kept(tx: Connection, pairs: Sequence[tuple[Opening, _Facts]]) -> None:
    asked = [
        (opening.key.id, opening.cylinder_id, opening.occurred_at, facts)
        for opening, facts in pairs
        if opening.key is not None
        and opening.key.adopted_at is not None
        and opening.cylinder_id is not None
        and opening.occurred_at is not None
    ]
    found = await kept_when(tx, [(key, cylinder, at) for key, cylinder, at, _ in asked])
    for (_, _, _, facts), (kept, until) in zip(asked, found, strict=True):
        facts.kept, facts.kept_until = kept, until
        facts.was_possible = facts.was_possible or kept or until is not None


async def _judged(tx: Connection, opening: Opening, facts: _Facts) -> Looked:
    key, had, at = opening.key, facts.custodian, opening.occurred_at
    found = classify(
        Evidence(
            outcome=opening.outcome,
            time_quality=opening.time_quality,
            occurred_at=at,
            cylinder_known=opening.cylinder_id is not None,
            key_known=key is not None,
            managed=bool(key and key.adopted_at and (at is None or key.adopted_at <= at)),
            holder_known=had.person_id is not None,
            covered_by=facts.leases.covered_by,
            ended=facts.leases.ended,
            was_possible=facts.was_possible,
            blocked_at=key.blocked_at if key is not None else None,
            kept=facts.kept,
            kept_until=facts.kept_until,
        )
    )
    if key is not None and key.emergency and opening.outcome is LockEventOutcome.OPENED and at is not None:
        # There are few emergency keys, and they hardly ever open anything: each such row is looked up by itself.
        found, taken_by = await judge_by_seal(tx, key.id, at, found)
        had = replace(had, person_id=taken_by, certainty="sure") if taken_by else had
    return Looked(opening, had, found)
