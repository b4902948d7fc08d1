"""Permits on paper, for when the permit system is down.

A sheet becomes a permit of the source *paper* like any other: policy decides on it as on every permit, it ends by
itself, a stop of its area ends it. It needs a permit system that is silent, or that two people declared down, and two
people for itself. It never widens on silence: silence only lets two people stand for it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PermitId, PersonId
from key2xs.core.settings import Continuity
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane

from .desk import Desk
from .facts import permit_facts
from .feed import feed_ok
from .paper_checks import check_form, check_two
from .paper_form import PaperForm, event_of, number_key
from .service import receive_own

_SQL = load_queries("key2xs.work", "queries_paper.sql")
MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class PaperPermit:
    """A permit on paper and what became of it."""

    permit_id: PermitId
    number: str
    stands_for: str
    issuing_id: PersonId
    performing_id: PersonId
    reason: str
    form: PaperForm
    issued_at: datetime
    ends_at: datetime
    closed_at: datetime | None
    entered_as: str | None
    entered_permit: PermitId | None
    entered_at: datetime | None

    def is_in_force(self, at: datetime) -> bool:
        """Tell whether work may go on under it, as far as paper knows."""
        return self.closed_at is None and at < self.ends_at


class PaperPermits:
    """Issuing, signing off, closing and entering permits on paper."""

    def __init__(self, desk: Desk, settings: Continuity, sources: Collection[str]) -> None:
        """`sources` are the permit systems of the site."""
        self._desk, self._sources = desk, frozenset(sources)
        self._longest = timedelta(minutes=settings.paper_permit_minutes)

    async def check(self, tx: Connection, form: PaperForm, *, written_by: PersonId, at: datetime) -> None:
        """Refuse a sheet before it is put to a second person.

        Raises:
            InvalidInput: names the field and what is wrong with it.
            NarrowOnly: nothing may widen at the moment.
        """
        await self._desk.ledger.require_widening(tx)
        await check_form(tx, self._desk.identity, form, sources=self._sources, longest=self._longest, at=at)
        check_two(form, written_by, None)

    async def issue(
        self,
        tx: Connection,
        form: PaperForm,
        *,
        reason: str,
        written_by: tuple[str, PersonId],
        confirmed_by: tuple[str, PersonId],
        at: datetime,
    ) -> PermitId:
        """Make a sheet a permit in force, once two different people stand for it.

        Args:
            tx: a transaction.
            form: the sheet.
            reason: why it is on paper.
            written_by: actor and person who wrote it.
            confirmed_by: actor and person who confirmed it.
            at: now.

        Raises:
            InvalidInput: something about it is no longer right; names the field.
            NarrowOnly: nothing may widen at the moment.
        """
        if written_by[1] == confirmed_by[1]:
            raise InvalidInput("confirmed_by", "is the person who wrote it; a permit on paper needs two")
        # Two sheets with one number at once: the second one waits here and then finds the first.
        await self._desk.ledger.lock_heads(tx, [f"paper:{number_key(form.number)}"])
        await self.check(tx, form, written_by=written_by[1], at=at)
        check_two(form, written_by[1], confirmed_by[1])
        form = not_reaching_back(form, at)
        event, data = event_of(form, verb="live", state="live", issued_at=at, sequence=1, at=at)
        made = await receive_own(tx, self._desk, event, data, at)
        entry = await self._tell(
            tx, "issue", made, form, confirmed_by[0], at, reason=reason, written_by=written_by[0],
            stands_for=form.stands_for, valid_to=form.valid_to.isoformat(),
        )  # fmt: skip
        await tx.execute(
            _SQL["add_paper"], made, form.number.strip(), number_key(form.number), form.stands_for, form.issuing,
            form.performing, written_by[0], confirmed_by[0], reason, msgspec.to_builtins(form), at, form.valid_to,
            entry,
        )  # fmt: skip
        return made

    async def sign_off(
        self, tx: Connection, permit_id: PermitId, person_id: PersonId, *, actor: str, at: datetime
    ) -> None:
        """Note that somebody stopped working under a sheet.

        Raises:
            NotFound: no such permit on paper, or the person does not stand on it.
            Conflict: it is over, or they signed off before.
        """
        paper = await self._lock(tx, permit_id)
        _require_in_force(paper, at)
        form = _signed_off(paper.form, person_id, at)
        await self._send(tx, paper, form, verb="changed", state="live", at=at)
        entry = await self._tell(tx, "sign_off", permit_id, form, actor, at, person=person_id)
        await tx.execute(_SQL["set_paper_form"], permit_id, msgspec.to_builtins(form), entry)

    async def close(
        self, tx: Connection, permit_id: PermitId, *, actor: str, at: datetime, reason: str = ""
    ) -> None:
        """Close a sheet: the work is done. All access under it ends.

        Raises:
            NotFound: no such permit on paper.
            Conflict: it is over already.
        """
        paper = await self._lock(tx, permit_id)
        _require_in_force(paper, at)
        await self._close(tx, paper, actor, at, **({"reason": reason} if reason else {}))

    async def enter(
        self, tx: Connection, permit_id: PermitId, entered_as: str, *, actor: str, at: datetime
    ) -> PaperPermit:
        """Note what a sheet became in the permit system that is back, and close it.

        Raises:
            NotFound: no such permit on paper.
            InvalidInput: the permit system told us of no such permit, and work goes on.
            Conflict: entered before, the permit system is still down, or closing would end work that goes on.
        """
        paper = await self._lock(tx, permit_id)
        if paper.entered_at is not None:
            raise Conflict(f"paper {paper.number} was entered as {paper.entered_as} already")
        if not entered_as.strip():
            raise InvalidInput("number", f"give the number it has in {paper.stands_for}")
        fresh, _ = await feed_ok(tx, paper.stands_for, at)
        if fresh != "yes":
            raise Conflict(f"{paper.stands_for} is still down; enter the permit when it is back")
        entered = await self._find_entered(tx, paper, entered_as.strip(), at)
        if paper.is_in_force(at):
            await self._close(tx, paper, actor, at)
        entry = await self._tell(
            tx, "enter", permit_id, paper.form, actor, at, entered_as=entered_as.strip(),
            permit=str(entered) if entered else None,
        )  # fmt: skip
        await tx.execute(_SQL["enter_paper"], permit_id, entered_as.strip(), entered, actor, at, entry)
        return await self.get(tx, permit_id)

    async def get(self, tx: Connection, permit_id: PermitId) -> PaperPermit:
        """Return one permit on paper.

        Raises:
            NotFound: no such permit on paper.
        """
        return await self._find(tx, permit_id, for_change=False)

    async def list(
        self, tx: Connection, *, all_of_them: bool = False, limit: int = MOST_LISTED
    ) -> list[PaperPermit]:
        """Return permits on paper, the newest first: every one that still has to be entered, or the newest of all."""
        return [_paper(row) for row in await tx.fetch(_SQL["list_paper"], all_of_them, limit)]

    async def _lock(self, tx: Connection, permit_id: PermitId) -> PaperPermit:
        return await self._find(tx, permit_id, for_change=True)

    async def _find(self, tx: Connection, permit_id: PermitId, *, for_change: bool) -> PaperPermit:
        row = await tx.fetchrow(_SQL["lock_paper" if for_change else "get_paper"], permit_id)
        if row is None:
            raise NotFound(f"there is no permit on paper {permit_id}")
        return _paper(row)

    async def _close(self, tx: Connection, paper: PaperPermit, actor: str, at: datetime, **body: Any) -> None:
        form = paper.form
        for each in form.workers:
            form = _signed_off(form, PersonId(each.person), at, again=True)
        await self._send(tx, paper, form, verb="handed_back", state="handed_back", at=at)
        await self._send(tx, paper, form, verb="closed", state="closed", at=at)
        entry = await self._tell(tx, "close", paper.permit_id, form, actor, at, **body)
        await tx.execute(_SQL["set_paper_form"], paper.permit_id, msgspec.to_builtins(form), entry)
        await tx.execute(_SQL["close_paper"], paper.permit_id, at, entry)

    async def _send(
        self, tx: Connection, paper: PaperPermit, form: PaperForm, *, verb: str, state: str, at: datetime
    ) -> None:
        sequence = await tx.fetchval(_SQL["next_sequence"], paper.permit_id)
        event, data = event_of(
            form, verb=verb, state=state, issued_at=paper.issued_at, sequence=sequence, at=at
        )
        await receive_own(tx, self._desk, event, data, at)

    async def _find_entered(
        self, tx: Connection, paper: PaperPermit, name: str, at: datetime
    ) -> PermitId | None:
        rows = await tx.fetch(_SQL["permits_called"], paper.stands_for, name)
        if len(rows) > 1:
            raise Conflict(f"several permits of {paper.stands_for} are called {name}; give its id there")
        if not rows:
            if paper.is_in_force(at):
                raise InvalidInput("number", f"{paper.stands_for} has told of no permit {name}")
            return None
        found = PermitId(rows[0]["id"])
        state = (await permit_facts(tx, found, at)).state
        if paper.is_in_force(at) and state != "live":
            raise Conflict(
                f"permit {name} is {state.replace('_', ' ')}, not in force: entering it would end the access of those who "
                "work. Issue it first, or close the paper permit"
            )
        return found

    async def _tell(
        self,
        tx: Connection,
        action: str,
        permit_id: PermitId,
        form: PaperForm,
        actor: str,
        at: datetime,
        *,
        person: PersonId | None = None,
        **body: Any,
    ) -> int:
        people = [person] if person else [PersonId(form.issuing), PersonId(form.performing)]
        return await self._desk.ledger.record(
            tx,
            Entry(
                kind=f"work:paper:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"permit:{permit_id}", *(f"person:{each}" for each in people)),
                body={"number": form.number.strip(), **body},
                lane=Lane.BULK if action in {"issue", "enter"} else Lane.CONTROL,
            ),
        )


def not_reaching_back(form: PaperForm, at: datetime) -> PaperForm:
    """Return a sheet whose window does not reach back: access begins when two people stand for it."""
    return msgspec.structs.replace(form, valid_from=max(form.valid_from, at))


def _require_in_force(paper: PaperPermit, at: datetime) -> None:
    if not paper.is_in_force(at):
        raise Conflict(f"paper {paper.number} is over already")


def _signed_off(form: PaperForm, person_id: UUID, at: datetime, *, again: bool = False) -> PaperForm:
    """Return the sheet with somebody signed off in every role."""
    on = [each for each in form.workers if each.person == person_id and each.signed_off is None]
    if not on and not again:
        stands = any(each.person == person_id for each in form.workers)
        raise (
            Conflict("has signed off already")
            if stands
            else NotFound("nobody of that id stands on the sheet")
        )
    crew = tuple(
        msgspec.structs.replace(each, signed_off=at)
        if each.person == person_id and each.signed_off is None
        else each
        for each in form.crew
    )
    own = form.performing_signed_off
    if form.performing == person_id and own is None:
        own = at
    return msgspec.structs.replace(form, crew=crew, performing_signed_off=own)


def _paper(row: Any) -> PaperPermit:
    return PaperPermit(
        permit_id=PermitId(row["permit_id"]),
        number=row["number"],
        stands_for=row["stands_for"],
        issuing_id=PersonId(row["issuing_id"]),
        performing_id=PersonId(row["performing_id"]),
        reason=row["reason"],
        form=msgspec.convert(row["form"], PaperForm),
        issued_at=row["issued_at"],
        ends_at=row["ends_at"],
        closed_at=row["closed_at"],
        entered_as=row["entered_as"],
        entered_permit=PermitId(row["entered_permit"]) if row["entered_permit"] else None,
        entered_at=row["entered_at"],
    )
