"""What a source says about a person becomes facts, with one entry for all of it.

The most restrictive source wins when the facts are read (`facts.py`); here each source only speaks for itself.
Being enabled again is a change of status and nothing else: roles ended with the disabling and stay ended until
somebody gives them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.ids import PersonId, new_id
from key2xs.ledger import Lane

from .desk import SQL, Desk, iso, personal, profile_values, stated, write_splice
from .links import check_free, match, references_of, write_links
from .timeline import Span, Splice, Stated, restate
from .types import PROFILE_FIELDS, Act, ContractTerms, PersonStatement, Profile, StatementResult

_NOTHING = Splice((), ())


@dataclass
class Change:
    """Everything one statement changes, worked out before anything is written."""

    profile: dict[str, str | None] = field(default_factory=dict)
    links: Mapping[tuple[str, str], bytes] = field(default_factory=dict)
    status: Splice = _NOTHING
    contract: Splice = _NOTHING
    roles_ended: tuple[Stated, ...] = ()
    was_active: bool | None = None
    has_status: bool = False
    narrows: bool = False
    terms: ContractTerms = field(default_factory=ContractTerms)

    @property
    def any(self) -> bool:
        """Tell whether anything is different."""
        return bool(
            self.profile or self.links or self.roles_ended or self.status.changes or self.contract.changes
        )


async def apply_statement(
    tx: Connection, desk: Desk, act: Act, statement: PersonStatement, *,
    person_id: PersonId | None = None, force_entry: bool = False, deleted: bool = False,
) -> StatementResult:  # fmt: skip
    """Take over what a source says about a person; make the person if the source is the first to speak of them.

    Args:
        tx: a transaction.
        desk: the room's desk.
        act: who says it and when.
        statement: all that the source says.
        person_id: whom it is about, where the caller knows; otherwise the statement's stable ids tell.
        force_entry: record an entry even when no fact changed, because the caller stores something itself.
        deleted: the source deleted its record.

    Raises:
        Conflict: a stable id belongs to somebody else.
        InvalidInput: the contract ends before it begins.
        NotFound: there is no such person.
    """
    references = references_of(desk, statement)
    if person_id is None:
        person_id = await match(tx, references)
    if person_id is None:
        return await _create(tx, desk, act, statement, references)
    await desk.lock_person(tx, person_id)
    change = await _work_out(tx, desk, act, statement, person_id, references)
    if not (change.any or force_entry):
        return StatementResult(person_id, None)
    entry = await desk.write_entry(
        tx, act, _kind(change, statement, deleted=deleted), person_id, _body(statement, change, person_id),
        also=_companies(change), lane=_lane(change, statement),
    )  # fmt: skip
    if change.profile:
        await _write_profile(tx, desk, person_id, statement.profile, entry)
    await _write_change(tx, act, statement.source, person_id, change, entry)
    return StatementResult(person_id, entry)


async def preview(
    tx: Connection, desk: Desk, act: Act, statement: PersonStatement, *, person_id: PersonId | None
) -> bool:
    """Tell whether a statement would change anything, writing nothing; raises as `apply_statement` does."""
    references = references_of(desk, statement)
    if person_id is None and (person_id := await match(tx, references)) is None:
        return True
    return (await _work_out(tx, desk, act, statement, person_id, references)).any


async def state_contract(
    tx: Connection, desk: Desk, act: Act, person_id: PersonId, terms: ContractTerms, *, source: str
) -> int | None:
    """State a contract for one source and nothing else; None when it is already so.

    Raises:
        InvalidInput: it ends before it begins.
    """
    await desk.lock_person(tx, person_id)
    statement = PersonStatement(source=source, profile=Profile(), active=None, contract=terms)
    change = Change()
    await _work_out_contract(tx, act, statement, person_id, change)
    if not change.any:
        return None
    entry = await desk.write_entry(
        tx, act, "identity:contract:change", person_id, _body(statement, change, person_id),
        also=_companies(change), lane=Lane.CONTROL if change.narrows else Lane.BULK,
    )  # fmt: skip
    await _write_change(tx, act, source, person_id, change, entry)
    return entry


async def read_profile(tx: Connection, desk: Desk, person_id: PersonId) -> Profile:
    """Return a person's profile; an erased one is empty.

    Raises:
        NotFound: no such person.
    """
    row = await tx.fetchrow(SQL["get_person"], person_id)
    if row is None:
        message = f"there is no person {person_id}"
        raise NotFound(message)
    return Profile(**{name: await desk.open(person_id, row[name]) for name in PROFILE_FIELDS})


async def _create(
    tx: Connection,
    desk: Desk,
    act: Act,
    statement: PersonStatement,
    references: Mapping[tuple[str, str], bytes],
) -> StatementResult:
    person_id = PersonId(new_id())
    change = Change(
        profile=profile_values(statement.profile),
        links=references,
        status=restate((), (Span(act.at, None), (statement.active,)), at=act.at),
        terms=statement.contract,
    )
    if statement.contract.said:
        change.contract = restate((), _contract_row(statement.contract), at=act.at)
    entry = await desk.write_entry(
        tx,
        act,
        "identity:person:create",
        person_id,
        _body(statement, change, person_id),
        also=_companies(change),
    )
    sealed = [await desk.seal(person_id, value) for value in profile_values(statement.profile).values()]
    await tx.execute(SQL["insert_person"], person_id, *sealed, act.recorded_at, entry)
    await _write_change(tx, act, statement.source, person_id, change, entry)
    return StatementResult(person_id, entry, created=True)


async def _work_out(
    tx: Connection, desk: Desk, act: Act, statement: PersonStatement, person_id: PersonId,
    references: Mapping[tuple[str, str], bytes],
) -> Change:  # fmt: skip
    change = Change(links=await check_free(tx, person_id, references))
    before = profile_values(await read_profile(tx, desk, person_id))
    after = profile_values(statement.profile)
    change.profile = {name: after[name] for name in PROFILE_FIELDS if after[name] != before[name]}
    await _work_out_status(tx, act, statement, person_id, change)
    await _work_out_contract(tx, act, statement, person_id, change)
    return change


async def _work_out_status(
    tx: Connection, act: Act, statement: PersonStatement, person_id: PersonId, change: Change
) -> None:
    rows = [
        row for row in await tx.fetch(SQL["known_status"], person_id) if row["source"] == statement.source
    ]
    known = [stated(row, "active") for row in rows]
    current = next((row for row in known if row.span.contains(act.at)), None)
    change.has_status, change.was_active = current is not None, current.value[0] if current else None
    change.status = restate(known, (Span(act.at, None), (statement.active,)), at=act.at)
    if statement.active is not True:
        roles = await tx.fetch(SQL["known_roles_of_person"], person_id, act.at)
        change.roles_ended = tuple(stated(row, "role", "origin") for row in roles)


async def _work_out_contract(
    tx: Connection, act: Act, statement: PersonStatement, person_id: PersonId, change: Change
) -> None:
    rows = [
        row for row in await tx.fetch(SQL["known_contract"], person_id) if row["source"] == statement.source
    ]
    change.terms = _complete(statement.contract, rows)
    if change.terms.said:
        known = [stated(row, "company") for row in rows]
        change.contract = restate(known, _contract_row(change.terms), at=act.at)
        change.narrows = _ends_earlier(change.terms.ends_at, rows)


def _ends_earlier(ends_at: datetime | None, rows: list[Any]) -> bool:
    return ends_at is not None and any(row["ends"] is None or ends_at < row["ends"] for row in rows)


def _complete(terms: ContractTerms, rows: list[Any]) -> ContractTerms:
    """Fill what a source did not say from what it said before: an end once stated is never lifted by silence."""
    latest = max(rows, key=lambda row: (row["ends"] is None, row["ends"] or 0), default=None)
    if latest is None:
        return terms
    ends_at = None if terms.open_ended else terms.ends_at or latest["ends"]
    return replace(
        terms,
        company=terms.company or latest["company"],
        starts_at=terms.starts_at or latest["starts"],
        ends_at=ends_at,
        open_ended=ends_at is None,
    )


def _contract_row(terms: ContractTerms) -> tuple[Span, tuple[Any, ...]]:
    span = Span(terms.starts_at, terms.ends_at)
    if span.empty:
        raise InvalidInput("contractEnd", "is not after contractStart")
    return span, (terms.company,)


def _kind(change: Change, statement: PersonStatement, *, deleted: bool) -> str:
    if deleted:
        return "identity:person:delete"
    if change.status.changes and change.has_status:
        return "identity:person:enable" if statement.active else "identity:person:disable"
    return "identity:contract:change" if change.contract.changes else "identity:person:change"


def _lane(change: Change, statement: PersonStatement) -> Lane:
    """Narrowing goes first: not active any more, roles that ended, or a contract that ends earlier."""
    disabled = change.status.changes and statement.active is not True
    return Lane.CONTROL if disabled or change.roles_ended or change.narrows else Lane.BULK


def _companies(change: Change) -> list[str]:
    return [f"company:{change.terms.company}"] if change.contract.changes and change.terms.company else []


def _body(statement: PersonStatement, change: Change, person_id: PersonId) -> dict[str, Any]:
    body: dict[str, Any] = {"source": statement.source, **personal(person_id, change.profile)}
    cleared = sorted(name for name, value in change.profile.items() if value is None)
    if cleared and change.has_status:
        body["cleared"] = cleared
    given = {"external_id": statement.external_id, "personnel_no": statement.personnel_no}
    if change.links:
        body |= personal(person_id, given)
    if change.status.changes:
        body["active"] = statement.active
    if change.contract.changes:
        body["contract"] = {
            "company": str(change.terms.company) if change.terms.company else None,
            "from": iso(change.terms.starts_at),
            "to": iso(change.terms.ends_at),
        }
    if change.roles_ended:
        body["roles_ended"] = sorted({row.value[0] for row in change.roles_ended})
    return body


async def _write_profile(
    tx: Connection, desk: Desk, person_id: PersonId, profile: Profile, entry: int
) -> None:
    sealed = [await desk.seal(person_id, value) for value in profile_values(profile).values()]
    await tx.execute(SQL["update_profile"], person_id, *sealed, entry)


async def _write_change(
    tx: Connection, act: Act, source: str, person_id: PersonId, change: Change, entry: int
) -> None:
    await write_links(tx, person_id, change.links, entry)
    await write_splice(tx, "status", (person_id, source), change.status, entry, act.recorded_at)
    await write_splice(tx, "contract", (person_id, source), change.contract, entry, act.recorded_at)
    await write_splice(tx, "role", (person_id,), _ended(change.roles_ended, act.at), entry, act.recorded_at)


def _ended(rows: tuple[Stated, ...], at: datetime) -> Splice:
    kept = tuple((part, row.value) for row in rows if (part := row.span.before(at)))
    return Splice(tuple(row.id for row in rows), kept)
