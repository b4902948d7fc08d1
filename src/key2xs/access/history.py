"""A person's history: opened for a stated purpose, over a limited stretch, and never without a trace."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.grants.reads import leases_of_person
from key2xs.grants.types import Lease
from key2xs.keys.person_reads import HadKey, custody_of_person, openings_of_person
from key2xs.keys.types import StoredEvent

from .looks import Look, Looks, Purpose
from .types import Principal


@dataclass(frozen=True, slots=True)
class History:
    """What was opened, and the trace that it was."""

    look: Look
    openings: tuple[StoredEvent, ...]
    keys: tuple[HadKey, ...]
    grants: tuple[Lease, ...]


class PersonHistory:
    """Opens histories."""

    def __init__(self, looks: Looks) -> None:
        """Leave traces with `looks`."""
        self._looks = looks

    async def open(
        self, tx: Connection, person_id: PersonId, by: Principal, asked: Purpose, *, at: datetime
    ) -> History:
        """Read a history; the trace is written in the same transaction, so there is none without it.

        Raises:
            InvalidInput: no purpose of the list, no reason, or too long a stretch.
        """
        look = await self._looks.history(tx, person_id, by, asked, at=at)
        grants = await leases_of_person(tx, person_id)
        return History(
            look,
            tuple(await openings_of_person(tx, person_id, asked.begins, asked.ends)),
            tuple(await custody_of_person(tx, person_id, asked.begins, asked.ends)),
            tuple(lease for lease in grants if lease.starts_at < asked.ends and _over(lease) > asked.begins),
        )


def _over(lease: Lease) -> datetime:
    return min(lease.ends_at, lease.ended_at) if lease.ended_at is not None else lease.ends_at
