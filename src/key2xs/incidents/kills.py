"""A person's kill: of a grant, a key, a person or a company's people (S5, S3, S4).

Whoever is at work, signed on to a permit or on duty, is told of through the shift leader first: the kill shows a
countdown and proceeds when the shift leader says so, and after the wait in any case. Everybody else's access ends at
once. A stop of an area or a permit is the permit system's and never comes here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from key2xs.core.crash import declare
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import KeyId, PersonId, new_id
from key2xs.core.sql import load_queries
from key2xs.grants.holding import Kept
from key2xs.grants.mass import Affected, MassActions
from key2xs.grants.reads import get_lease
from key2xs.identity import Act, Identity
from key2xs.keys.kill import Kill as Narrow
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.ledger.entry import BodyValue
from key2xs.safety import Word, told_before_kill

from .inside import WaysOut
from .key_ends import KeyEnds
from .kill_types import Asked, AtWork, By, Ending, State, Waiting, at_work, id_of, waiting_of

_SQL = load_queries("key2xs.incidents", "queries_kills.sql")
_DONE = declare("incidents.kill.after_carry_out")
_SO_ALREADY: dict[Ending, str] = {
    "person": "this person is ended already",
    "contract": "this contract ends then already",
}
PEOPLE_NAMED = 10  # of a company's in an entry; the row names them all


class Kills:
    """Asking, proceeding and taking back."""

    def __init__(
        self,
        ledger: Ledger,
        mass: MassActions,
        narrow: Narrow,
        keys: KeyEnds,
        ways_out: WaysOut,
        identity: Identity,
        *,
        wait: timedelta,
    ) -> None:
        """A kill on somebody at work waits for `wait` at most."""
        self._identity = identity
        self._ledger, self._mass, self._narrow = ledger, mass, narrow
        self._keys, self._ways_out, self._wait = keys, ways_out, wait

    async def look(
        self,
        tx: Connection,
        subject: str,
        at: datetime,
        *,
        people: Sequence[PersonId] = (),
        two_people: bool = False,
    ) -> Asked:
        """Return whom a kill would touch, who is at work, and what a rule would keep; changes nothing.

        Raises:
            InvalidInput: a kill of such a thing does not exist.
            NotFound: there is no such thing.
            Conflict: it ended already, or is an emergency key (S1).
        """
        affected, about = await self._affected(tx, subject, people, at)
        affected = await self._mass.would_keep(tx, affected, at, two_people=two_people)
        working = [each for each in await at_work(tx, about, at) if self._is_told_first(each, at)]
        row = await tx.fetchrow(_SQL["open_kill_of"], subject)
        waiting = await self._said(row) if row else None
        one = () if subject.startswith("company:") else tuple(about)
        return Asked(affected, tuple(working), waiting, affected.kept, one)

    async def ask(
        self,
        tx: Connection,
        subject: str,
        *,
        reason: str,
        by: By,
        at: datetime,
        people: Sequence[PersonId] = (),
        two_people: bool = False,
    ) -> Asked:
        """End somebody's access: at once, or after the shift leader was told.

        Args:
            tx: a transaction.
            subject: `grant:<id>`, `key:<id>`, `person:<id>` or `company:<id>`.
            reason: why.
            by: who asks.
            at: now.
            people: whose access ends, for a company.
            two_people: two people stand for it, so the last holder on shift may go (S4).

        Raises:
            InvalidInput: a kill of such a thing does not exist, or no reason.
            NotFound: there is no such thing.
            Conflict: it ended already, waits already, or is an emergency key (S1).
        """
        if not reason.strip():
            raise InvalidInput("reason", "say why")
        # The lock first: a grant may be ending by itself at this very moment.
        own = [subject] if subject.startswith("grant:") else []
        await self._ledger.lock_heads(tx, [*own, f"kill:{subject}"])
        looked = await self.look(tx, subject, at, people=people, two_people=two_people)
        if looked.waiting is not None:
            raise Conflict(f"this was asked for already; {_what_next(looked.waiting, at)}")
        working = [each.person_id for each in looked.at_work]
        rest = replace(
            looked.affected,
            leases=tuple(lease for lease in looked.affected.leases if lease.person_id not in working),
        )
        waiting, kept = None, list(looked.kept)
        if working:
            waiting = await self._put(
                tx, subject, working, reason, by, at, state="waiting", two_people=two_people
            )
            await self._ways_out.ask(
                tx, looked.affected.leases, cause="kill", at=at, ends_at=waiting.proceeds_at
            )
        others = [person for person in (people or looked.about) if person not in working]
        if others or not working:
            await self._ways_out.ask(tx, rest.leases, cause="kill", at=at, ends_at=at)
            made = await self._carry_out(
                tx, subject, rest, others, reason, by, at, two_people=two_people, whole=not working
            )
            waiting = waiting or made[1]
            kept = [each for each in kept if each.lease.person_id in working] + made[0]
        return Asked(looked.affected, looked.at_work, waiting, tuple(kept), looked.about)

    async def tell_first(
        self, tx: Connection, mass: UUID, people: Sequence[PersonId], *, reason: str, by: By, at: datetime
    ) -> tuple[Waiting, list[PersonId]] | None:
        """Tell the shift leader of those who are at work before an act on many reaches them (S5).

        Returns:
            The stop that waits and whom it is about; None where nobody among them is at work.
        """
        working = [each for each in await at_work(tx, people, at) if self._is_told_first(each, at)]
        if not working:
            return None
        told = [each.person_id for each in working]
        subject = f"mass:{mass}:{new_id()}"  # somebody may come to work while others are waited for
        return await self._put(tx, subject, told, reason, by, at, state="waiting", two_people=True), told

    async def end_person(
        self,
        tx: Connection,
        person_id: PersonId,
        ending: Ending,
        *,
        reason: str,
        by: By,
        at: datetime,
        contract_ends_at: datetime | None = None,
    ) -> Waiting | None:
        """End a person here, or their contract: at once, or after the shift leader was told (S5).

        A contract that ends later than the wait takes is planned, and nobody is told of it: it ends by the clock. Neither
        is anybody told of somebody who lost everything before.

        Args:
            tx: a transaction.
            person_id: who.
            ending: *person* or *contract*.
            reason: why.
            by: who asks.
            at: now.
            contract_ends_at: when the contract ends.

        Returns:
            The kill that waits; None where it is done.

        Raises:
            NotFound: there is no such person.
            Conflict: it is so already, or a stop of this person waits already.
        """
        subject = f"person:{person_id}"
        await self._ledger.lock_heads(tx, [f"kill:{subject}"])
        row = await tx.fetchrow(_SQL["open_kill_of"], subject)
        if row is not None:
            raise Conflict(
                f"a stop of this person was asked for already; {_what_next(await self._said(row), at)}"
            )
        facts = await self._identity.person_facts(tx, person_id, at)
        planned = contract_ends_at is not None and contract_ends_at > at + self._wait
        working = [each for each in await at_work(tx, [person_id], at) if self._is_told_first(each, at)]
        if planned or not working or "no" in {facts.active, facts.contract}:
            if not await self._end_identity(tx, person_id, ending, contract_ends_at, by.actor, at):
                raise Conflict(_SO_ALREADY[ending])
            return None
        waiting = await self._put(
            tx, subject, [person_id], reason, by, at, state="waiting", two_people=False, ending=ending,
            contract_ends_at=contract_ends_at,
        )  # fmt: skip
        affected = await self._mass.look(tx, [person_id])
        await self._ways_out.ask(tx, affected.leases, cause="kill", at=at, ends_at=waiting.proceeds_at)
        return waiting

    async def _end_identity(
        self,
        tx: Connection,
        person_id: PersonId,
        ending: Ending,
        contract_ends_at: datetime | None,
        actor: str,
        at: datetime,
    ) -> bool:
        """End a person or a contract; False where it is so already. What they may open is decided again from it."""
        act = Act(actor, at)
        if ending == "person":
            return await self._identity.end_person(tx, act, person_id) is not None
        ends_at = contract_ends_at or at
        return await self._identity.end_contract(tx, act, person_id, ends_at=ends_at) is not None

    async def proceed_now(
        self, tx: Connection, kill_id: UUID, *, by: By, at: datetime, is_shift_leader: bool, reason: str = ""
    ) -> Waiting:
        """Carry a waiting kill out now: the shift leader says so.

        Raises:
            NotFound: no such kill.
            Conflict: it waits no more.
            NotAllowed: whoever asked is no shift leader and cannot tell themselves.
        """
        kill = await self._lock(tx, kill_id)
        if not is_shift_leader and by.user_id is not None and by.user_id == kill.asked_user:
            raise NotAllowed("you asked for it: a shift leader says go, or it goes when the time is up")
        return await self._finish(tx, kill, at, by, reason)

    async def withdraw(
        self, tx: Connection, kill_id: UUID, *, by: By, at: datetime, found: bool = False, reason: str = ""
    ) -> Waiting:
        """Take back what one asked for; with `found` it was asked for over a lost key, which is there again.

        Raises:
            NotFound: no such kill.
            Conflict: it waits no more.
            NotAllowed: somebody else asked.
        """
        kill = await self._lock(tx, kill_id)
        if not found and (by.user_id is None or by.user_id != kill.asked_user):
            raise NotAllowed("only whoever asked for it takes it back")
        entry = await self._tell(
            tx, "withdraw", kill.subject, kill.people, by.actor, at, kill=str(kill.id), **_why(reason)
        )
        await tx.execute(_SQL["set_kill"], kill.id, "withdrawn", by.actor, at, at, entry)
        return await self.get(tx, kill.id)

    async def second_person(self, tx: Connection, kill_id: UUID, *, by: By, at: datetime) -> None:
        """Note that a second person stands for a waiting kill; nothing where it waits no more."""
        kill = await self.get(tx, kill_id)
        await self._ledger.lock_heads(tx, [f"kill:{kill.subject}"])
        kill = await self.get(tx, kill_id)
        if kill.state == "waiting":
            entry = await self._tell(
                tx, "confirm", kill.subject, kill.people, by.actor, at, kill=str(kill.id)
            )
            await tx.execute(_SQL["second_person"], kill.id, entry)

    async def open(self, tx: Connection) -> list[Waiting]:
        """Return the kills that are not done, the next one first."""
        return [await self._said(row) for row in await tx.fetch(_SQL["open_kills"])]

    async def get(self, tx: Connection, kill_id: UUID) -> Waiting:
        """Return one kill.

        Raises:
            NotFound: no such kill.
        """
        row = await tx.fetchrow(_SQL["find_kill"], kill_id)
        if row is None:
            raise NotFound(f"there is no such stop {kill_id}")
        return await self._said(row)

    async def go_on(self, tx: Connection, kill_id: UUID, at: datetime) -> None:
        """Carry out what is due, and block a key whose hold is over; nothing where it is not so."""
        kill = await self.get(tx, kill_id)
        await self._ledger.lock_heads(tx, [f"kill:{kill.subject}"])
        kill = await self.get(tx, kill_id)
        if kill.state == "waiting":
            word = Word(kill.asked_at, kill.decided_at)
            ruling = told_before_kill(
                word, signed_on=True, on_duty=False, wait=kill.proceeds_at - kill.asked_at, at=at
            )
            if ruling.goes:
                await self._finish(tx, kill, at, None)
        elif kill.state == "holding":
            key, asked_by = _key(kill.subject), kill.asked_by
            if await self._keys.block_when_free(tx, key, reason=kill.reason, actor=asked_by, at=at):
                await self._set(tx, kill, "done", None, at)

    def _is_told_first(self, someone: AtWork, at: datetime) -> bool:
        ruling = told_before_kill(
            Word(at), signed_on=bool(someone.permits), on_duty=someone.on_duty, wait=self._wait, at=at
        )
        return ruling.outcome == "tell_first"

    async def _finish(
        self, tx: Connection, kill: Waiting, at: datetime, by: By | None, word: str = ""
    ) -> Waiting:
        """Carry out what waited; `word`: what whoever lets it proceed said to it."""
        if kill.what == "mass":
            # The act on many goes on with these people by itself; here only the waiting is over.
            await self._set(tx, kill, "done", by, at, word)
            _DONE.reach()
            return await self.get(tx, kill.id)
        try:
            affected, _ = await self._affected(tx, kill.subject, kill.people, at)
        except (Conflict, NotFound):
            # It ended by itself meanwhile: then there is nothing left to end.
            await self._set(tx, kill, "done", by, at, word)
            return await self.get(tx, kill.id)
        asked = By(kill.asked_by, kill.asked_user)
        await self._ways_out.ask(tx, affected.leases, cause="kill", at=at, ends_at=at)
        if kill.ending is not None:
            person = kill.people[0]
            await self._end_identity(tx, person, kill.ending, kill.contract_ends_at, asked.actor, at)
            await self._set(tx, kill, "done", by, at, word)
            _DONE.reach()
            return await self.get(tx, kill.id)
        _, made = await self._carry_out(
            tx, kill.subject, affected, kill.people, kill.reason, asked, at,
            two_people=kill.two_people, whole=True, kill=kill, word=word,
        )  # fmt: skip
        if made is None:
            await self._set(tx, kill, "done", by, at, word)
        _DONE.reach()
        return await self.get(tx, kill.id)

    async def _set(
        self, tx: Connection, kill: Waiting, state: State, by: By | None, at: datetime, word: str = ""
    ) -> None:
        actor = by.actor if by else "system:clock"
        entry = await self._tell(
            tx, "proceed", kill.subject, kill.people, actor, at, kill=str(kill.id), state=state, **_why(word)
        )
        ended = at if state == "done" else None
        await tx.execute(
            _SQL["set_kill"], kill.id, state, by.actor if by else None, at if by else None, ended, entry
        )

    async def _carry_out(
        self,
        tx: Connection,
        subject: str,
        affected: Affected,
        people: Sequence[PersonId],
        reason: str,
        by: By,
        at: datetime,
        *,
        two_people: bool,
        whole: bool,
        kill: Waiting | None = None,
        word: str = "",
    ) -> tuple[list[Kept], Waiting | None]:
        """End what is affected; returns what a rule keeps, and the kill where its block has to wait for that."""
        what = subject.partition(":")[0]
        if what == "key" and whole:
            return await self._end_key(
                tx, subject, affected, reason, by, at, two_people=two_people, kill=kill, word=word
            )
        if what == "grant":
            kept = []
            for lease in affected.leases:
                kept += await self._mass.end_one(
                    tx, lease, reason=reason, actor=by.actor, at=at, two_people=two_people
                )
        else:
            kept = await self._mass.end_all(
                tx, affected, subject=subject, reason=reason, actor=by.actor, at=at, two_people=two_people
            )
            await self._keys.end_standing(tx, people, reason=reason, actor=by.actor, at=at)
        await self._narrow.narrow_persons(tx, {*affected.persons, *people}, at)
        return kept, None

    async def _end_key(
        self,
        tx: Connection,
        subject: str,
        affected: Affected,
        reason: str,
        by: By,
        at: datetime,
        *,
        two_people: bool,
        kill: Waiting | None,
        word: str,
    ) -> tuple[list[Kept], Waiting | None]:
        kept = await self._keys.end(
            tx, _key(subject), affected, reason=reason, actor=by.actor, at=at, two_people=two_people
        )
        if not kept:
            return [], None
        if kill is None:
            people = sorted(affected.persons)
            kill = await self._put(
                tx, subject, people, reason, by, at, state="holding", two_people=two_people
            )
        else:
            await self._set(tx, kill, "holding", None, at, word)
        return kept, await self.get(tx, kill.id)

    async def _affected(
        self, tx: Connection, subject: str, people: Sequence[PersonId], at: datetime
    ) -> tuple[Affected, list[PersonId]]:
        """Return what would end, and whose access it is."""
        what, _, name = subject.partition(":")
        made = id_of(name)
        if what == "grant":
            lease = await get_lease(tx, made)
            if lease is None:
                raise NotFound(f"there is no grant {name}")
            if lease.state == "ended":
                raise Conflict("the grant has ended already; ended is final")
            return Affected((lease,), ()), [lease.person_id]
        if what == "key":
            _, affected, about = await self._keys.affected(tx, KeyId(made), at)
            return affected, about
        if what == "person":
            return await self._mass.look(tx, [PersonId(made)]), [PersonId(made)]
        if what == "company":
            affected = await self._mass.look(tx, list(people))
            return affected, list(people)
        raise InvalidInput("subject", "must be a grant, a key, a person or a company")

    async def _put(
        self,
        tx: Connection,
        subject: str,
        people: Sequence[PersonId],
        reason: str,
        by: By,
        at: datetime,
        *,
        state: State,
        two_people: bool,
        ending: Ending | None = None,
        contract_ends_at: datetime | None = None,
    ) -> Waiting:
        kill_id = new_id()
        proceeds_at = at + self._wait if state == "waiting" else at
        entry = await self._tell(
            tx, "ask", subject, people, by.actor, at,
            kill=str(kill_id), reason=typed(by.actor, reason), proceeds_at=proceeds_at.isoformat(), state=state,
            **({"ending": ending} if ending else {}),
        )  # fmt: skip
        await tx.execute(
            _SQL["insert_kill"], kill_id, subject.partition(":")[0], subject, sorted(people),
            await self._ledger.seal_words(by.actor, reason.strip()),
            two_people, by.actor, by.user_id, at, proceeds_at, state, entry,
            ending, contract_ends_at,
        )  # fmt: skip
        return await self.get(tx, kill_id)

    async def _said(self, row: asyncpg.Record) -> Waiting:
        return waiting_of(row, await self._ledger.read_words(row["reason"]))

    async def _lock(self, tx: Connection, kill_id: UUID) -> Waiting:
        kill = await self.get(tx, kill_id)
        await self._ledger.lock_heads(tx, [f"kill:{kill.subject}"])
        kill = await self.get(tx, kill_id)
        if kill.state != "waiting":
            raise Conflict(
                {"done": "it is done already", "withdrawn": "it was taken back"}.get(
                    kill.state, "everything has ended but the block, which a safety rule holds"
                )
            )
        return kill

    async def _tell(
        self,
        tx: Connection,
        action: str,
        subject: str,
        people: Iterable[PersonId],
        actor: str,
        at: datetime,
        **body: BodyValue,
    ) -> int:
        persons = sorted(people)
        return await self._ledger.record(
            tx,
            Entry(
                kind=f"incidents:kill:{action}",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=tuple(dict.fromkeys([subject, *(f"person:{p}" for p in persons[:PEOPLE_NAMED])])),
                body={"people": len(persons), **body},
                lane=Lane.CONTROL,
            ),
        )


def _why(reason: str) -> dict[str, str]:
    return {"reason": reason} if reason else {}


def _key(subject: str) -> KeyId:
    return KeyId(id_of(subject.partition(":")[2]))


def _what_next(kill: Waiting, at: datetime) -> str:
    """Say what a kill that is not done waits for."""
    if kill.state == "holding":
        return "everything has ended but what a safety rule holds, and the key is blocked when that is over"
    return f"it proceeds at {kill.proceeds_at:%H:%M:%S} UTC" if kill.proceeds_at > at else "it proceeds now"
