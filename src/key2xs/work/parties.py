"""People on permits: found by a blind index, sealed, and matched to identities as soon as there are any."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.ids import PersonId, new_id
from key2xs.core.vault import Erased
from key2xs.ledger import Entry

from .desk import SQL, Desk
from .document import Reference
from .types import Party

PARTIES_A_STEP: Final = 200  # unresolved parties looked at in one go
_PERMITS_AN_ENTRY: Final = 12  # an entry has at most 16 streams


@dataclass(frozen=True, slots=True)
class NewParty:
    """Somebody named for the first time, not yet stored."""

    party: Party
    reference: Reference
    blind: bytes


@dataclass(frozen=True, slots=True)
class Roll:
    """Everybody one message names."""

    parties: Mapping[Reference, Party]
    new: Sequence[NewParty]

    def id_of(self, reference: Reference) -> UUID:
        """Return the party of a reference."""
        return self.parties[reference].id

    @property
    def unresolved(self) -> int:
        """How many no identity is known for."""
        return sum(party.person_id is None for party in self.parties.values())


async def call_roll(tx: Connection, desk: Desk, source: str, references: Iterable[Reference]) -> Roll:
    """Find or prepare a party for every reference; nothing is written yet, because that needs an entry."""
    blinds = {reference: _blind(desk, source, reference) for reference in references}
    known = await _known(tx, source, blinds)
    if len(known) < len(blinds):
        # Two messages may name the same new person at once; the second one waits and then finds the first one's.
        await tx.execute(SQL["serialise_subject"], f"work/parties/{source}")
        known = await _known(tx, source, blinds)
    parties, new = {}, []
    for reference, blind in blinds.items():
        party = known.get((reference[0], blind))
        if party is None:
            person_id = await desk.identity.find_person(tx, *reference)
            party = Party(new_id(), person_id)
            new.append(NewParty(party, reference, blind))
        parties[reference] = party
    return Roll(parties, new)


async def store_parties(tx: Connection, desk: Desk, source: str, new: Sequence[NewParty], entry: int) -> None:
    """Write the parties named for the first time; their references are sealed."""
    rows = []
    for each in new:
        owner = each.party.person_id or each.party.id
        sealed = await desk.vault.seal(owner, each.reference[1])
        rows.append((
            each.party.id, source, each.reference[0], each.blind, sealed, owner, each.party.person_id, entry,
        ))  # fmt: skip
    await tx.executemany(SQL["add_party"], rows)


async def resolve_people(
    tx: Connection, desk: Desk, *, at: datetime, limit: int = PARTIES_A_STEP
) -> list[UUID]:
    """Match parties that no identity was known for, and return those that now have one.

    The permits they are on change by it, so grants may follow. The caller erases the returned parties' own data keys
    after the commit: their references are sealed under the person's key from then on.
    """
    resolved = []
    for row in await tx.fetch(SQL["unresolved_parties"], limit):
        ref = await desk.vault.open(row["owner"], row["ref_sealed"])
        if isinstance(ref, Erased):
            continue
        person_id = await desk.identity.find_person(tx, row["scheme"], ref)
        if person_id is not None:
            await _resolve(tx, desk, row["id"], person_id, ref, at)
            resolved.append(row["id"])
    return resolved


async def _resolve(
    tx: Connection, desk: Desk, party_id: UUID, person_id: PersonId, ref: str, at: datetime
) -> None:
    permits = [row["permit_id"] for row in await tx.fetch(SQL["permits_of_party"], party_id)]
    chunks = [
        permits[start : start + _PERMITS_AN_ENTRY] for start in range(0, len(permits), _PERMITS_AN_ENTRY)
    ]
    entries = [
        Entry(
            kind="work:person:resolve",
            occurred_at=at,
            recorded_at=at,
            actor="system:work",
            subjects=(f"person:{person_id}", *(f"permit:{permit}" for permit in some)),
            heads=tuple(f"permit:{permit}" for permit in some),
            body={"party": str(party_id)},
        )
        for some in chunks or [[]]
    ]
    numbers = await desk.ledger.record_many(tx, entries)
    sealed = await desk.vault.seal(person_id, ref)
    await tx.execute(SQL["resolve_party"], party_id, person_id, sealed, numbers[0])


async def _known(
    tx: Connection, source: str, blinds: Mapping[Reference, bytes]
) -> dict[tuple[str, bytes], Party]:
    schemes = [scheme for scheme, _ in blinds]
    rows = await tx.fetch(SQL["find_parties"], source, schemes, list(blinds.values()))
    return {(row["scheme"], row["ref_blind"]): Party(row["id"], row["person_id"]) for row in rows}


def _blind(desk: Desk, source: str, reference: Reference) -> bytes:
    scheme, ref = reference
    return desk.vault.blind(f"work/{source}/{scheme}", ref.strip())
