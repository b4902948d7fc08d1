"""What other rooms and the edges ask of identity.

One object holds the log, the vault and the site's time zone; every method takes the caller's transaction. Reading
facts needs none of the three: `person_facts`, `persons_of_company` and `people_on_duty` are plain functions in
`facts.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection, Database
from key2xs.core.errors import NotFound
from key2xs.core.ids import CompanyId, PersonId, UnitId
from key2xs.core.imports import ImportReport
from key2xs.core.vault import Vault
from key2xs.ledger import Lane, Ledger

from . import companies, duties, groups, importer, links, qualifications, statements
from .days import end_of_day
from .desk import SQL, Desk
from .facts import person_facts, persons_of_company
from .types import (
    LOCAL_SOURCE,
    PROFILE_FIELDS,
    Act,
    Company,
    ContractTerms,
    PersonFacts,
    PersonStatement,
    Profile,
    StatementResult,
)


class Identity:
    """People, companies, contracts, qualifications, roles and duties."""

    def __init__(self, ledger: Ledger, vault: Vault, zone: ZoneInfo) -> None:
        """Use the site's log, vault and time zone."""
        self.desk = Desk(ledger, vault, zone)

    # --- reading -------------------------------------------------------------------------------------------

    async def person_facts(
        self, tx: Connection, person_id: PersonId, at: datetime, *, known_at: int | None = None
    ) -> PersonFacts:
        """Return everything a decision reads about a person; see `facts.person_facts`."""
        return await person_facts(tx, person_id, at, known_at=known_at)

    async def find_person(
        self, tx: Connection, scheme: str, ref: str, *, source: str | None = None
    ) -> PersonId | None:
        """Return the one person who goes by a reference (`iam`, `personnel_no`, `person` or a source's name)."""
        return await links.find_person(tx, self.desk, scheme, ref, source=source)

    async def find_company(self, tx: Connection, ref: str) -> Company | None:
        """Return a company by its code."""
        return await companies.find_company(tx, ref)

    async def persons_of_company(self, tx: Connection, company_id: CompanyId, at: datetime) -> list[PersonId]:
        """Return everybody with a contract of the company now or later."""
        return await persons_of_company(tx, company_id, at)

    async def profile(self, tx: Connection, person_id: PersonId) -> Profile:
        """Return what a person is called; empty when erased.

        Raises:
            NotFound: no such person.
        """
        return await statements.read_profile(tx, self.desk, person_id)

    async def names(self, tx: Connection, people: Iterable[PersonId]) -> dict[PersonId, str | None]:
        """Return display names for a page; None for the erased, the nameless and the unknown."""
        wanted = list(set(people))
        await self.desk.vault.prepare(wanted)
        found: dict[PersonId, str | None] = dict.fromkeys(wanted)
        for row in await tx.fetch(SQL["get_people"], wanted):
            person_id = PersonId(row["id"])
            parts = [await self.desk.open(person_id, row[name]) for name in PROFILE_FIELDS[:3]]
            found[person_id] = parts[0] or " ".join(part for part in parts[1:] if part) or None
        return found

    # --- people --------------------------------------------------------------------------------------------

    async def upsert_person_from_source(
        self, tx: Connection, act: Act, statement: PersonStatement, *, person_id: PersonId | None = None
    ) -> StatementResult:
        """Take over what a source says about a person; see `statements.apply_statement`."""
        return await statements.apply_statement(tx, self.desk, act, statement, person_id=person_id)

    async def set_active(
        self, tx: Connection, act: Act, person_id: PersonId, *, active: bool, source: str = LOCAL_SOURCE
    ) -> int | None:
        """Say for one source whether a person is active; None when it said so before.

        Being active again gives no role, no grant and no key back.
        """
        statement = PersonStatement(source=source, profile=await self.profile(tx, person_id), active=active)
        result = await statements.apply_statement(tx, self.desk, act, statement, person_id=person_id)
        return result.entry

    async def end_person(self, tx: Connection, act: Act, person_id: PersonId) -> int | None:
        """End a person here and now, whatever the IAMs say."""
        return await self.set_active(tx, act, person_id, active=False)

    async def set_contract(
        self,
        tx: Connection,
        act: Act,
        person_id: PersonId,
        terms: ContractTerms,
        *,
        source: str = LOCAL_SOURCE,
    ) -> int | None:
        """State a contract for one source; None when it is already so."""
        return await statements.state_contract(tx, self.desk, act, person_id, terms, source=source)

    async def end_contract(
        self, tx: Connection, act: Act, person_id: PersonId, *, ends_at: datetime, source: str = LOCAL_SOURCE
    ) -> int | None:
        """End a person's contract; the local source's word limits what every IAM says."""
        return await self.set_contract(tx, act, person_id, ContractTerms(ends_at=ends_at), source=source)

    async def erase_person(self, database: Database, act: Act, person_id: PersonId) -> None:
        """Erase a person's data for good. Safe to repeat after a crash between the entry and the key.

        Raises:
            NotFound: no such person.
        """
        await database.transact(lambda tx: self._forget(tx, act, person_id))
        await self.desk.vault.erase(person_id)

    async def _forget(self, tx: Connection, act: Act, person_id: PersonId) -> None:
        await self.desk.lock_person(tx, person_id)
        row = await tx.fetchrow(SQL["get_person"], person_id)
        if row is None:
            message = f"there is no person {person_id}"
            raise NotFound(message)
        if row["erased_at"] is not None:
            return
        entry = await self.desk.write_entry(
            tx, act, "identity:person:erase", person_id, {}, lane=Lane.CONTROL
        )
        await tx.execute(SQL["mark_erased"], person_id, act.recorded_at, entry)
        await tx.execute(SQL["forget_links"], person_id, entry)
        await tx.execute(SQL["forget_scim_user"], person_id, act.recorded_at, entry)

    # --- companies, qualifications, duties, roles ----------------------------------------------------------

    async def put_company(self, tx: Connection, act: Act, ref: str, name: str) -> CompanyId:
        """Make a company or rename it."""
        company_id, _ = await companies.put_company(tx, self.desk, act, ref, name)
        return company_id

    async def put_qualification(
        self, tx: Connection, act: Act, person_id: PersonId, qualification: qualifications.Qualification
    ) -> int | None:
        """State one qualification; None when it is already so."""
        return await qualifications.put_qualifications(tx, self.desk, act, person_id, [qualification])

    async def put_duty(self, tx: Connection, act: Act, person_id: PersonId, duty: duties.Duty) -> int | None:
        """Put a person on duty; None when they are.

        Raises:
            Conflict: it overlaps another stretch of the same duty.
        """
        return await duties.put_duties(tx, self.desk, act, person_id, [duty])

    async def put_duties(
        self, tx: Connection, act: Act, person_id: PersonId, several: Sequence[duties.Duty]
    ) -> int | None:
        """Put a person on several duties with one entry."""
        return await duties.put_duties(tx, self.desk, act, person_id, several)

    async def end_duties(
        self,
        tx: Connection,
        act: Act,
        person_id: PersonId,
        *,
        unit_id: UnitId | None = None,
        role: str | None = None,
    ) -> int | None:
        """Take a person off duty now, and off later duties, in one unit or role or in all."""
        return await duties.end_duties(tx, self.desk, act, person_id, unit_id=unit_id, role=role)

    async def put_role(
        self, tx: Connection, act: Act, person_id: PersonId, role: str, *, origin: str = LOCAL_SOURCE
    ) -> int | None:
        """Give a person a role by hand; None when they have it."""
        return await groups.put_role(tx, self.desk, act, person_id, role, origin)

    async def create_group(
        self, tx: Connection, act: Act, source: str, *, display_name: str, people: Collection[PersonId] = ()
    ) -> UUID:
        """Make a group of a source."""
        return await groups.create_group(
            tx, self.desk, act, source, display_name=display_name, external_id=None, people=people
        )

    # --- imports -------------------------------------------------------------------------------------------

    async def import_csv(
        self,
        tx: Connection,
        kind: str,
        rows: Sequence[Mapping[str, str | None]],
        *,
        at: datetime,
        actor: str,
        dry_run: bool = False,
    ) -> ImportReport:
        """Import companies, people, qualifications, shifts or duties.

        Args:
            tx: a transaction; with errors in some rows the others are still written.
            kind: one of `importer.KINDS`.
            rows: the file's rows by column name.
            at: when; facts that a row gives no beginning for begin here.
            actor: who imports.
            dry_run: only report.

        Raises:
            InvalidInput: there is no such kind, or more rows than any site has.
        """
        return await importer.import_csv(tx, self.desk, kind, rows, act=Act(actor, at), dry_run=dry_run)

    def end_of_day(self, day: datetime) -> datetime:
        """Return the end of the site's day in which an instant lies."""
        return end_of_day(day.astimezone(self.desk.zone).date(), self.desk.zone)
