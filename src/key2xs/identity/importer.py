"""Importing people's files: companies, people, qualifications, shifts, duties.

Rows are checked one by one; a wrong one is reported with its line and field, the others are taken. Rows about one
person become one entry. Reports name records by code or opaque id and never repeat a name, address or number of a
diploma.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from key2xs import plant
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, Key2XSError
from key2xs.core.ids import CompanyId, PersonId, UnitId
from key2xs.core.imports import ROW_LIMIT, ImportReport, Row

from . import qualifications
from .companies import find_company, put_company
from .days import parse_end, parse_start
from .desk import Desk
from .duties import Duty, known_duties, place, put_duties, put_shift
from .links import find_person
from .statements import apply_statement, preview, read_profile
from .timeline import Span, Stated
from .types import IAM, PERSONNEL_NO, PROFILE_FIELDS, SITE, Act, ContractTerms, PersonStatement, Profile

REQUIRED: Final = {
    "companies": ("ref", "name"),
    "people": ("scheme", "ref", "given_name", "family_name", "company"),
    "qualifications": ("person_scheme", "person_ref", "kind", "valid_to"),
    "shifts": ("team", "shift", "from", "to"),
    "duties": ("person_scheme", "person_ref", "role", "unit", "from", "to"),
}
KINDS: Final = tuple(REQUIRED)
_SHOWN: Final = frozenset(
    {"company", "contract_end", "contract_start", "from", "kind", "role", "scheme", "shift", "team", "to", "unit",
     "valid_to", "checked_at", "person_scheme"}
)  # fmt: skip
"""Columns whose value a report may repeat; the others may hold personal data."""


async def import_csv(
    tx: Connection,
    desk: Desk,
    kind: str,
    rows: Sequence[Mapping[str, str | None]],
    *,
    act: Act,
    dry_run: bool = False,
) -> ImportReport:
    """Import rows of one kind; see `Identity.import_csv`."""
    if kind not in REQUIRED:
        raise InvalidInput("kind", f"must be one of {', '.join(KINDS)}")
    if len(rows) > ROW_LIMIT:
        raise InvalidInput("rows", f"more than {ROW_LIMIT}")
    report = ImportReport(kind=kind, dry_run=dry_run)
    run = _Run(tx, desk, act, report)
    await run.import_rows(kind, [row for row in Row.number_rows(rows) if run.complete(row, kind)])
    report.errors.sort(key=lambda error: error.row)
    return report


class _Run:
    """One import under way."""

    def __init__(self, tx: Connection, desk: Desk, act: Act, report: ImportReport) -> None:
        self.tx, self.desk, self.act, self.report = tx, desk, act, report
        self._people: dict[tuple[str, str], PersonId | None] = {}
        self._companies: dict[str, CompanyId | None] = {}
        self._units: dict[str, UnitId | None] = {}

    async def import_rows(self, kind: str, rows: Sequence[Row]) -> None:
        """Import complete rows."""
        one_by_one: dict[str, Callable[[Row], Awaitable[None]]] = {
            "companies": self._company,
            "people": self._person,
            "shifts": self._shift,
        }
        if kind in one_by_one:
            for row in rows:
                await self._guarded(row, one_by_one[kind])
        elif kind == "qualifications":
            await self._qualifications(rows)
        else:
            await self._duties(rows)

    def complete(self, row: Row, kind: str) -> bool:
        """Report empty required cells."""
        missing = row.missing(REQUIRED[kind])
        for name in missing:
            self.report.refuse(row.number, name, "is empty")
        return not missing

    async def _guarded(self, row: Row, work: Callable[[Row], Awaitable[None]]) -> None:
        try:
            # A savepoint: a row that is refused half way leaves nothing behind.
            async with self.tx.transaction():
                await work(row)
        except Key2XSError as error:
            self._refuse(row, error)

    def _refuse(self, row: Row, error: Key2XSError) -> None:
        if isinstance(error, InvalidInput):
            shown = row.get(error.field) if error.field in _SHOWN else None
            self.report.refuse(row.number, error.field, error.problem, shown)
        else:
            self.report.refuse(row.number, "row", str(error))

    # --- one row, one record -------------------------------------------------------------------------------

    async def _company(self, row: Row) -> None:
        ref, name = row.values["ref"], row.values["name"]
        known = await find_company(self.tx, ref)
        if known is not None and known.name == name:
            return self.report.keep()
        if not self.report.dry_run:
            await put_company(self.tx, self.desk, self.act, ref, name)
        if known is None:
            return self.report.add(ref)
        return self.report.change(f"{ref}: name {known.name} -> {name}")

    async def _person(self, row: Row) -> None:
        scheme, ref = row.values["scheme"], row.values["ref"]
        if scheme not in {IAM, PERSONNEL_NO}:
            raise InvalidInput("scheme", f"must be {IAM} or {PERSONNEL_NO}")
        number = row.get("personnel_no") or (ref if scheme == PERSONNEL_NO else None)
        if scheme == PERSONNEL_NO and number != ref:
            raise InvalidInput("personnel_no", "differs from ref")
        statement = PersonStatement(
            source=SITE,
            profile=Profile(
                display_name=f"{row.values['given_name']} {row.values['family_name']}",
                given_name=row.values["given_name"],
                family_name=row.values["family_name"],
                email=row.get("email"),
                phone=row.get("phone"),
                sponsor=row.get("sponsor"),
            ),
            active=True,
            contract=await self._terms(row),
            external_id=ref if scheme == IAM else None,
            personnel_no=number,
        )
        person_id = await find_person(self.tx, self.desk, scheme, ref)
        if person_id is not None:
            statement = await self._over_known(person_id, statement)
        if self.report.dry_run:
            changes = await preview(self.tx, self.desk, self.act, statement, person_id=person_id)
            created = person_id is None
        else:
            result = await apply_statement(self.tx, self.desk, self.act, statement, person_id=person_id)
            changes, created = result.entry is not None, result.created
            person_id = result.person_id
        if created:
            self.report.add(f"person of line {row.number}")
        elif changes:
            self.report.change(f"person {person_id}")
        else:
            self.report.keep()

    async def _over_known(self, person_id: PersonId, statement: PersonStatement) -> PersonStatement:
        """An absent column is not a cleared value: keep what other sources said."""
        known = await read_profile(self.tx, self.desk, person_id)
        given = {name: getattr(statement.profile, name) or getattr(known, name) for name in PROFILE_FIELDS}
        return replace(statement, profile=Profile(**given))

    async def _terms(self, row: Row) -> ContractTerms:
        start, end = row.get("contract_start"), row.get("contract_end")
        ends_at = parse_end(end, self.desk.zone, field="contract_end") if end else None
        starts_at = parse_start(start, self.desk.zone, field="contract_start") if start else None
        if starts_at and ends_at and starts_at >= ends_at:
            raise InvalidInput("contract_end", "is not after contract_start")
        return ContractTerms(
            company=await self._find_company(row.values["company"]),
            starts_at=starts_at,
            ends_at=ends_at,
            open_ended=bool(end) and ends_at is None,
        )

    async def _shift(self, row: Row) -> None:
        span = self._span(row)
        label = f"{row.values['team']} {row.values['shift']} {row.values['from']}"
        entry, new = await put_shift(
            self.tx,
            self.desk,
            self.act,
            row.values["team"],
            row.values["shift"],
            span,
            dry_run=self.report.dry_run,
        )
        if entry is None:
            return self.report.keep()
        return self.report.add(label) if new else self.report.change(label)

    # --- rows about one person together --------------------------------------------------------------------

    async def _qualifications(self, rows: Sequence[Row]) -> None:
        by_person: dict[PersonId, list[tuple[Row, qualifications.Qualification]]] = {}
        for row in rows:
            try:
                person_id = await self._find_person(row)
                by_person.setdefault(person_id, []).append((row, self._qualification(row)))
            except Key2XSError as error:
                self._refuse(row, error)
        known = await qualifications.known_qualifications(self.tx, self.desk, by_person)
        for person_id in sorted(by_person):
            await self._qualify(person_id, known[person_id], by_person[person_id])

    def _qualification(self, row: Row) -> qualifications.Qualification:
        zone = self.desk.zone
        checked = row.get("checked_at")
        checked_at = parse_start(checked, zone, field="checked_at") if checked else None
        if checked_at and checked_at > self.act.at:
            raise InvalidInput("checked_at", "lies in the future")
        ends_at = parse_end(row.values["valid_to"], zone, field="valid_to")
        if checked_at and ends_at and checked_at >= ends_at:
            raise InvalidInput("valid_to", "is not after checked_at")
        return qualifications.Qualification(
            kind=row.values["kind"],
            valid_from=checked_at,
            valid_to=ends_at,
            number=row.get("number"),
            checked_by=row.get("checked_by"),
            checked_at=checked_at,
        )

    async def _qualify(
        self,
        person_id: PersonId,
        known: qualifications.Timelines,
        stated: Sequence[tuple[Row, qualifications.Qualification]],
    ) -> None:
        wanted: dict[str, qualifications.Qualification] = {}
        for row, each in stated:
            if each.kind in wanted:
                self.report.refuse(row.number, "kind", "stands twice for this person", each.kind)
            else:
                wanted[each.kind] = each
        planned = {each.kind for each, _ in qualifications.plan(known, list(wanted.values()), at=self.act.at)}
        for kind in sorted(wanted):
            label = f"{kind} of person {person_id}"
            if kind not in planned:
                self.report.keep()
            elif kind in known:
                self.report.change(f"{label}: until {wanted[kind].valid_to}")
            else:
                self.report.add(label)
        if not self.report.dry_run:
            await qualifications.put_qualifications(
                self.tx, self.desk, self.act, person_id, list(wanted.values()), known=known
            )

    async def _duties(self, rows: Sequence[Row]) -> None:
        by_person: dict[PersonId, list[tuple[Row, Duty]]] = {}
        for row in rows:
            try:
                person_id = await self._find_person(row)
                by_person.setdefault(person_id, []).append((row, await self._duty(row)))
            except Key2XSError as error:
                self._refuse(row, error)
        if not by_person:
            return
        earliest = min(duty.starts_at for stated in by_person.values() for _, duty in stated)
        known = await known_duties(self.tx, by_person, earliest)
        for person_id in sorted(by_person):
            await self._assign(person_id, known[person_id], by_person[person_id])

    async def _duty(self, row: Row) -> Duty:
        span = self._span(row)
        unit = row.values["unit"]
        if unit not in self._units:
            found = await plant.find_unit(self.tx, unit)
            self._units[unit] = found.id if found else None
        unit_id = self._units[unit]
        if unit_id is None:
            raise InvalidInput("unit", "is not a known unit")
        if span.start is None or span.end is None:
            raise InvalidInput("to", "must be an instant")
        return Duty(row.values["role"], unit_id, span.start, span.end)

    async def _assign(
        self, person_id: PersonId, known: Sequence[Stated], stated: Sequence[tuple[Row, Duty]]
    ) -> None:
        rows = list(known)
        wanted: list[Duty] = []
        for row, duty in sorted(stated, key=lambda pair: pair[1].starts_at):
            try:
                placed = place(rows, duty)
                if any(_clash(earlier, duty) for earlier in wanted):
                    raise Conflict("overlaps the same duty in another row")
            except Key2XSError as error:
                self._refuse(row, error)
                continue
            label = f"{duty.role} of person {person_id} from {duty.starts_at.isoformat()}"
            if placed.same:
                self.report.keep()
                continue
            wanted.append(duty)
            if placed.replaces:
                self.report.change(f"{label}: until {duty.ends_at.isoformat()}")
            else:
                self.report.add(label)
        if wanted and not self.report.dry_run:
            await put_duties(self.tx, self.desk, self.act, person_id, wanted, known=rows)

    # --- references ----------------------------------------------------------------------------------------

    async def _find_person(self, row: Row) -> PersonId:
        key = row.values["person_scheme"], row.values["person_ref"]
        if key not in self._people:
            self._people[key] = await find_person(self.tx, self.desk, *key)
        person_id = self._people[key]
        if person_id is None:
            raise InvalidInput("person_ref", f"is nobody known by {key[0]}")
        return person_id

    async def _find_company(self, ref: str) -> CompanyId:
        if ref not in self._companies:
            found = await find_company(self.tx, ref)
            self._companies[ref] = found.id if found else None
        company_id = self._companies[ref]
        if company_id is None:
            raise InvalidInput("company", "is not a known company")
        return company_id

    def _span(self, row: Row) -> Span:
        start: datetime | None = parse_start(row.values["from"], self.desk.zone, field="from")
        end = parse_end(row.values["to"], self.desk.zone, field="to")
        if start is None or end is None or start >= end:
            raise InvalidInput("to", "is not after from")
        return Span(start, end)


def _clash(one: Duty, other: Duty) -> bool:
    return one.post == other.post and one.starts_at < other.ends_at and other.starts_at < one.ends_at
