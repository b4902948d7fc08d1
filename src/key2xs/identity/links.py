"""Matching people across sources: by stable ids, through a blind index, never by name."""

from collections.abc import Mapping
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import PersonId, parse_id
from key2xs.core.vault import Vault

from .desk import SQL, Desk
from .types import IAM, PERSONNEL_NO, SITE, PersonStatement

Reference = tuple[str, str, bytes]
"""Scheme, source and blind value."""


def blind_reference(vault: Vault, scheme: str, ref: str) -> bytes:
    """Return the blind form of a stable id. Ids are opaque: nothing is folded but outer blanks."""
    return vault.blind(f"person/{scheme}", ref.strip())


def blind_name(vault: Vault, source: str, user_name: str) -> bytes:
    """Return the blind form of a user name, which SCIM compares without regard to case."""
    return vault.blind(f"scim/{source}/user_name", user_name.strip().casefold())


def blind_email(vault: Vault, source: str, address: str) -> bytes:
    """Return the blind form of a mail address."""
    return vault.blind(f"scim/{source}/email", address.strip().casefold())


def references_of(desk: Desk, statement: PersonStatement) -> dict[tuple[str, str], bytes]:
    """Return the references a statement gives, by scheme and source."""
    found = {}
    if statement.external_id:
        found[IAM, statement.source] = blind_reference(desk.vault, IAM, statement.external_id)
    if statement.personnel_no:
        found[PERSONNEL_NO, SITE] = blind_reference(desk.vault, PERSONNEL_NO, statement.personnel_no)
    return found


async def find_person(
    tx: Connection, desk: Desk, scheme: str, ref: str, *, source: str | None = None
) -> PersonId | None:
    """Return the one person who goes by a reference.

    Args:
        tx: a transaction.
        desk: the room's desk.
        scheme: `iam` (the id at the IAM, any IAM), `personnel_no`, `person` (our own id), or the name of a SCIM
            source (the id at that IAM).
        ref: the reference, as it came.
        source: look at this IAM only.

    Returns:
        None when nobody, an erased person, or more than one person goes by it. Two IAMs that give the same id to
        different people are never guessed between.
    """
    if scheme == "person":
        known = parse_id(ref.strip())
        row = await tx.fetchrow(SQL["get_person"], known) if known else None
        return PersonId(known) if known and row and row["erased_at"] is None else None
    if scheme not in {IAM, PERSONNEL_NO}:
        scheme, source = IAM, scheme
    rows = await tx.fetch(SQL["find_links"], scheme, blind_reference(desk.vault, scheme, ref), source)
    found = [PersonId(row["person"]) for row in rows if await _is_kept(desk, row["person"], row["probe"])]
    return found[0] if len(found) == 1 else None


async def _is_kept(desk: Desk, person: UUID, probe: bytes | None) -> bool:
    """Tell whether a person still has a data key; one without any sealed value has nothing to erase."""
    return probe is None or await desk.open(PersonId(person), probe) is not None


async def holder_of(tx: Connection, scheme: str, source: str, ref: bytes) -> PersonId | None:
    """Return who a blind reference of one source belongs to."""
    rows = await tx.fetch(SQL["find_links"], scheme, ref, source)
    return PersonId(rows[0]["person"]) if rows else None


async def match(tx: Connection, references: Mapping[tuple[str, str], bytes]) -> PersonId | None:
    """Return the person whom a statement's references mean.

    Raises:
        Conflict: they mean two different people; nobody may decide that but a person.
    """
    found = {
        holder
        for (scheme, source), ref in references.items()
        if (holder := await holder_of(tx, scheme, source, ref))
    }
    if len(found) > 1:
        message = "the id at the source and the personnel number belong to two different people"
        raise Conflict(message)
    return found.pop() if found else None


async def check_free(
    tx: Connection, person_id: PersonId, references: Mapping[tuple[str, str], bytes]
) -> dict[tuple[str, str], bytes]:
    """Return the references that are new for a person.

    Raises:
        Conflict: one of them is another person's; two people are never merged silently.
    """
    mine = {
        (row["scheme"], row["source"]): row["ref"]
        for row in await tx.fetch(SQL["links_of_person"], person_id)
    }
    fresh = {key: ref for key, ref in references.items() if mine.get(key) != ref}
    for (scheme, source), ref in fresh.items():
        holder = await holder_of(tx, scheme, source, ref)
        if holder is not None and holder != person_id:
            name = "externalId" if scheme == IAM else "employeeNumber"
            message = f"{name} belongs to another person"
            raise Conflict(message)
    return fresh


async def write_links(
    tx: Connection, person_id: PersonId, fresh: Mapping[tuple[str, str], bytes], entry: int
) -> None:
    """Store new references."""
    for (scheme, source), ref in fresh.items():
        await tx.execute(SQL["put_link"], person_id, scheme, source, ref, entry)
