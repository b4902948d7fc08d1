"""What every change in this room needs: the log, the vault, and the site's time zone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.core.sql import load_queries
from key2xs.core.vault import Erased, Vault
from key2xs.ledger import Entry, Lane, Ledger, Personal

from .timeline import Span, Splice, Stated
from .types import PROFILE_FIELDS, Act, Profile

SQL = load_queries("key2xs.identity")


@dataclass(frozen=True, slots=True)
class Desk:
    """The log, the vault and the time zone; handed to every function that changes something."""

    ledger: Ledger
    vault: Vault
    zone: ZoneInfo

    async def seal(self, owner: PersonId, value: str | None) -> bytes | None:
        """Seal a value that may be absent."""
        return None if value is None else await self.vault.seal(owner, value)

    async def open(self, owner: PersonId, blob: bytes | None) -> str | None:
        """Open a value that may be absent; an erased one reads as absent."""
        if blob is None:
            return None
        value = await self.vault.open(owner, blob)
        return None if isinstance(value, Erased) else value

    async def write_entry(
        self,
        tx: Connection,
        act: Act,
        kind: str,
        person_id: PersonId,
        body: Mapping[str, Any],
        *,
        also: Iterable[str] = (),
        lane: Lane = Lane.BULK,
        occurred_at: datetime | None = None,
    ) -> int:
        """Record one entry about one person, whose head it moves; `also` are further subjects."""
        subject = f"person:{person_id}"
        return await self.ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=occurred_at or act.at,
                recorded_at=act.recorded_at,
                actor=act.actor,
                subjects=(subject, *sorted(set(also))),
                heads=(subject,),
                body=dict(body),
                lane=lane,
            ),
        )

    async def lock_person(self, tx: Connection, person_id: PersonId) -> None:
        """Keep other writers off a person's facts until commit."""
        await self.ledger.lock_heads(tx, [f"person:{person_id}"])


def personal(person_id: PersonId, values: Mapping[str, Any]) -> dict[str, Personal]:
    """Wrap values for an entry's body; absent ones are left out."""
    return {name: Personal(person_id, value) for name, value in values.items() if value is not None}


def profile_values(profile: Profile) -> dict[str, str | None]:
    """Return a profile field by field, in the order of the table's columns."""
    return {name: getattr(profile, name) for name in PROFILE_FIELDS}


def stated(row: Any, *value: str) -> Stated:
    """Read one row of a fact table."""
    return Stated(row["id"], Span(row["starts"], row["ends"]), tuple(row[name] for name in value))


async def write_splice(
    tx: Connection, table: str, key: tuple[Any, ...], splice: Splice, entry: int, stated_at: datetime
) -> None:
    """Close and write the rows of one timeline; the value's columns follow the key's in the statement."""
    if splice.close:
        await tx.execute(SQL[f"close_{table}"], list(splice.close), entry)
    rows = [(*key, *value, span.start, span.end, entry, stated_at) for span, value in splice.write]
    if rows:
        await tx.executemany(SQL[f"write_{table}"], rows)


def iso(at: datetime | None) -> str | None:
    """Write an optional instant into an entry's body."""
    return at.isoformat() if at else None
