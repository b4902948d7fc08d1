"""Deciding grants again whenever a fact they rest on may have changed.

Level-triggered: a mark says only *look at this subject*, and looking twice does no harm. One subject is one
transaction, so one that cannot be evaluated never stops another. While it cannot, its grants rest on changed facts
and are not effective, so keys are narrowed rather than left as they were.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from key2xs.core.crash import declare
from key2xs.core.database import Connection, Database
from key2xs.core.errors import Key2XSError, NarrowOnly
from key2xs.core.ids import CylinderId, PersonId
from key2xs.core.sql import load_queries
from key2xs.identity.types import PersonFacts
from key2xs.ledger import Entry, Ledger
from key2xs.plant.types import CylinderFacts
from key2xs.policy.bundle import Bundle
from key2xs.safety import Act

from .bases import BasisReader, BasisState
from .holding import Holding, acts_of
from .look import BUNDLE_SUBJECT, Look, cut, noted, refused, told_of_key
from .stops import SUBJECT as STOPS_SUBJECT, Barred, barred, open_stops
from .store import LeaseStore, is_newer
from .types import EndReason, KeyFacts, Keys, Lease, Verdict

_SQL = load_queries("key2xs.grants")
_LOG = logging.getLogger("key2xs.grants")
_DECIDED = declare("grants.evaluate.after_decide")
_CLEARED = declare("grants.evaluate.after_clear")

FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=5)
# Facts that change under a look are read again; more often than this means somebody is changing them in a loop.
READ_ATTEMPTS = 4


class Evaluator:
    """Decides one marked subject a step."""

    name = "grants"
    heeds: Final[tuple[str, ...]] = ()  # what there is to decide is marked; it follows those who mark
    idle = False

    def __init__(
        self, database: Database, ledger: Ledger, bases: BasisReader, keys: KeyFacts, holding: Holding
    ) -> None:
        """Read bases with `bases` and keys through the port `keys`; end leases through `holding`."""
        self._database, self._ledger, self._bases, self._keys = database, ledger, bases, keys
        self._holding = holding
        self._store = LeaseStore(ledger)

    async def step(self, now: datetime) -> datetime | None:
        """Decide the next due subject; `now` when there was one, else when the next is due."""
        claimed: list[str] = []
        self.idle = False
        try:
            worked = await self._database.transact(lambda tx: self._decide_marked(tx, now, claimed))
        except Exception as error:
            if not claimed:
                raise
            # Its own failure must not stop the others.
            await self._database.transact(lambda tx, e=error: self._delay(tx, claimed[-1], now, e))  # type: ignore[misc]
            return now
        self.idle = not worked
        if worked:
            return now
        async with self._database.read() as tx:
            due: datetime | None = await tx.fetchval(_SQL["next_mark"])
            return due

    async def evaluate(self, tx: Connection, subject: str, at: datetime) -> None:
        """Decide everything that one subject stands for, or mark what it fans out to."""
        noun = subject.partition(":")[0]
        if noun in {"permit", "request"}:
            await self._settle(tx, subject, at)
        elif noun == "person":
            await self._settle(tx, subject, at)
            await self.mark(tx, await self._bases.bases_of_person(tx, subject, at), at)
        else:
            await self.mark(tx, await self._fan_out(tx, subject, at), at)

    async def mark(self, tx: Connection, subjects: Iterable[str], at: datetime) -> None:
        """Note that these subjects must be decided again."""
        wanted = sorted(set(subjects))
        if wanted:
            await tx.execute(_SQL["mark"], wanted, at)

    async def _decide_marked(self, tx: Connection, now: datetime, claimed: list[str]) -> bool:
        row = await tx.fetchrow(_SQL["claim_mark"], now)
        if row is None:
            return False
        claimed.append(row["subject"])
        await self.evaluate(tx, row["subject"], now)
        _DECIDED.reach()
        await tx.execute(_SQL["clear_mark"], row["subject"], row["marks"])
        _CLEARED.reach()
        return True

    async def _delay(self, tx: Connection, subject: str, now: datetime, error: Exception) -> None:
        row = await tx.fetchrow("SELECT failures FROM grant_mark WHERE subject = $1 FOR UPDATE", subject)
        if row is None:
            return
        wait = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(row["failures"], 10))
        # People read this on *My area*: what we cannot explain ourselves is named there, and the service's log has it all.
        known = isinstance(error, Key2XSError)
        problem = (
            str(error)[:500]
            if known
            else f"a fault of Key2XS ({type(error).__name__}): tell the administrator"
        )
        await tx.execute(_SQL["delay_mark"], subject, now + wait, problem)
        if row["failures"] == 0:
            _LOG.error("cannot be decided", exc_info=error, extra={"subject": subject})
            await self._ledger.record(
                tx,
                Entry(
                    kind="grants:evaluation:fail",
                    occurred_at=now,
                    recorded_at=now,
                    actor="system:grants",
                    subjects=(subject,),
                    body={"problem": type(error).__name__},
                ),
            )

    async def _fan_out(self, tx: Connection, subject: str, at: datetime) -> set[str]:
        leases = await self._store.find_open(tx, subject=subject)
        marks = {_unit_of(lease) for lease in leases}
        if subject.startswith(
            ("asset:", "cylinder:", "access_point:", "zone:", "area:", "unit:", "work_source:")
        ):
            # What was unmapped may be mapped now, a permit system that was silent may be back: permits that got
            # nothing have no lease to be found by.
            marks |= await self._bases.open_permits(tx, at)
        return marks

    async def _settle(self, tx: Connection, subject: str, at: datetime) -> None:
        """Bring the leases of one permit, person's duties or request in line with the facts."""
        state, people, cylinders, keys, bundle, heads = await self._read(tx, subject, at)
        # A person may end a lease at this very moment: whoever comes second sees what the first did.
        await self._ledger.lock_heads(tx, [lease.subject for lease in await self._leases_of(tx, subject)])
        leases = await self._leases_of(tx, subject)
        wishes = dict(state.wishes)
        for lease in leases:
            if lease.hold is not None:
                # Over for everything but its rule: the wish may give a new lease, never this one.
                await self._holding.again(tx, lease, at)
                continue
            wish = wishes.pop(lease.key, None)
            if lease.ends_at <= at:
                await self._lose(tx, lease, "lapsed", "its window ran out", "clock", at)
            elif wish is None:
                act: Act = "identity" if lease.basis_kind == "duty_role" else "facts"
                await self._lose(tx, lease, "basis_lost", state.why_lost(lease.key), act, at)
            else:
                look = Look(wish, people[wish.key.person_id], cylinders, keys[wish.key.person_id], bundle, at)
                await self._again(tx, lease, look, state, heads)
        for wish in wishes.values():
            look = Look(wish, people[wish.key.person_id], cylinders, keys[wish.key.person_id], bundle, at)
            await self._begin(tx, look, heads, state)

    async def _leases_of(self, tx: Connection, subject: str) -> list[Lease]:
        if subject.startswith("person:"):
            person = PersonId(_uuid(subject))
            leases = await self._store.find_open(tx, persons=[person])
            return [lease for lease in leases if lease.basis_ref.startswith("duty:")]
        return await self._store.find_open(tx, basis_ref=subject)

    async def _read(
        self, tx: Connection, subject: str, at: datetime
    ) -> tuple[
        BasisState,
        Mapping[PersonId, PersonFacts],
        Mapping[CylinderId, CylinderFacts],
        Mapping[PersonId, Keys],
        Bundle,
        Mapping[str, int],
    ]:
        """Read all facts, lock their heads against change, and make sure they are still those that were read."""
        heads: dict[str, int] = {}
        for _ in range(READ_ATTEMPTS):
            state = await self._bases.read(tx, subject, at)
            leases = await self._leases_of(tx, subject)
            persons = {key.person_id for key in state.wishes} | {lease.person_id for lease in leases}
            wanted = {c for wish in state.wishes.values() for c in wish.cylinders}
            wanted |= {c for lease in leases for c in lease.cylinders}
            people = {person: await self._bases.person(tx, person, at) for person in sorted(persons)}
            cylinders = await self._bases.cylinders(tx, wanted, at)
            keys = {person: await self._keys.key_of(tx, person, wanted, at) for person in sorted(persons)}
            bundle = await self._bases.bundle(tx, at)
            subjects = {BUNDLE_SUBJECT, STOPS_SUBJECT, *state.heads}
            subjects.update(head for wish in state.wishes.values() for head in wish.heads)
            subjects.update(head for facts in people.values() for head in facts.heads)
            subjects.update(head for facts in cylinders.values() for head in facts.heads)
            subjects.update(f"key:{key}" for each in keys.values() for key in each.ids)
            subjects.update(subject for lease in leases for subject in lease.facts)
            if heads and subjects <= heads.keys():
                return state, people, cylinders, keys, bundle, heads
            # Locked now; the next round reads what is true under the lock.
            heads = await self._ledger.share_heads(tx, subjects | heads.keys())
        message = f"facts about {subject} keep changing while they are read"
        raise RuntimeError(message)

    async def _begin(self, tx: Connection, look: Look, heads: Mapping[str, int], basis: BasisState) -> None:
        look, wish = look.as_new(), look.wish
        if not await is_newer(tx, wish):
            return  # P7: nothing comes back by itself.
        if wish.ends_at <= look.at:
            return
        verdict = told_of_key(noted(look.verdict(), basis.note), look.why_nothing_new)
        if basis.silent and verdict.allowed:
            # P6: the source may have suspended it since. Running leases end by themselves; nothing new begins.
            await self._store.put_refusal(tx, wish, refused(verdict, "the permit system is silent"), look.at)
            return
        ends_at = min(look.first_refusal(verdict), wish.ends_at, wish.starts_at + wish.longest)
        if not verdict.allowed or ends_at <= wish.starts_at:
            await self._store.put_refusal(tx, wish, verdict, look.at)
            return
        try:
            await self._ledger.require_widening(tx)
        except NarrowOnly as narrow:
            await self._store.put_refusal(tx, wish, refused(verdict, str(narrow)), look.at)
            return
        stop = await self._stopped(tx, look)
        if stop is not None:
            allowed = verdict.allowed - stop.cylinders
            if not allowed:
                await self._store.put_refusal(tx, wish, refused(verdict, stop.why), look.at)
                return
            verdict = replace(verdict, allowed=allowed, denied=wish.cylinders - allowed)
        state = look.state(wish.starts_at)
        own = look.heads(heads)
        await self._store.insert(tx, cut(wish, ends_at), verdict, state=state, heads=own, at=look.at)
        if wish.kind == "duty_role":
            # Perhaps the other holder that somebody's access waits for (S4).
            await self.mark(tx, await self._holding.waiting_for_a_holder(tx), look.at)

    async def _again(
        self, tx: Connection, lease: Lease, look: Look, state: BasisState, heads: Mapping[str, int]
    ) -> None:
        wish = look.wish
        verdict = noted(look.verdict(), state.note)
        kept = verdict.allowed & lease.cylinders
        act = acts_of(verdict.reasons, duty=lease.basis_kind == "duty_role")
        if not kept:
            text = verdict.reasons[0].text if verdict.reasons else "no cylinder is left in it"
            reason: EndReason = "emptied" if verdict.allowed else "denied"
            await self._lose(tx, lease, reason, text, act, look.at)
            return
        widens = wish.basis_at > lease.basis_at
        # What was never in a lease for this (mapped late, isolated late, qualified late) may still come in; what
        # was in one and was taken out does not come back without a newer basis.
        late = verdict.allowed - lease.cylinders
        late = late - await self._store.ever_covered(tx, lease.key) if late and not widens else late
        quiet = state.silent or look.why_nothing_new
        if (widens or late) and not quiet and await self._may_widen(tx) and not await self._stopped(tx, look):
            if not widens:
                kept |= late
                verdict = replace(verdict, allowed=kept, denied=wish.cylinders - kept)
                look = replace(look, wish=replace(wish, ends_at=min(wish.ends_at, lease.ends_at)))
            text = "a newer basis took its place" if widens else "more of what it is for was allowed"
            goes_on = (
                verdict.allowed if wish.starts_at <= look.at < look.renewed_until(verdict) else frozenset()
            )
            await self._holding.split(tx, lease, lease.cylinders - goes_on, act=act, text=text, at=look.at)
            await self._store.end(tx, [lease], reason="renewed", text=text, actor="system:policy", at=look.at)
            await self._begin_renewed(tx, look, verdict, heads)
            return
        ends_at = min(lease.ends_at, wish.ends_at, look.first_refusal(verdict))
        if ends_at <= look.at:
            await self._lose(tx, lease, "denied", "its window was cut", act, look.at)
            return
        now_state = look.state(lease.starts_at)
        # A fact that no longer matters stays listed with its present version: rows are never deleted, and a stale
        # version would keep the lease from ever being effective again.
        own = {**{subject: heads[subject] for subject in lease.facts}, **look.heads(heads)}
        same = (kept, now_state, ends_at) == (lease.cylinders, lease.state, lease.ends_at)
        if same and own == lease.facts and lease.due_at is not None and lease.due_at > look.at:
            return
        text = "not covered any more"
        await self._holding.split(tx, lease, lease.cylinders - kept, act=act, text=text, at=look.at)
        narrowed = Verdict(kept, lease.cylinders - kept, verdict.reasons, verdict.until, verdict.bundle)
        await self._store.update(
            tx,
            lease,
            cut(wish, ends_at),
            narrowed,
            state=now_state,
            ends_at=ends_at,
            heads=own,
            at=look.at,
        )

    async def _may_widen(self, tx: Connection) -> bool:
        try:
            await self._ledger.require_widening(tx)
        except NarrowOnly:
            return False
        return True

    async def _stopped(self, tx: Connection, look: Look) -> Barred | None:
        """Return what of a wish lies under a stop on new grants; the head of stops is shared, so this stays so."""
        return await barred(tx, await open_stops(tx), look)

    async def _begin_renewed(
        self, tx: Connection, look: Look, verdict: Verdict, heads: Mapping[str, int]
    ) -> None:
        wish = look.wish
        ends_at = look.renewed_until(verdict)
        if ends_at > wish.starts_at:
            state = look.state(wish.starts_at)
            own = look.heads(heads)
            await self._store.insert(tx, cut(wish, ends_at), verdict, state=state, heads=own, at=look.at)

    async def _lose(
        self, tx: Connection, lease: Lease, reason: EndReason, text: str, act: Act, at: datetime
    ) -> None:
        """End a lease, but for what a safety rule keeps of it."""
        actor = "system:clock" if act == "clock" else "system:policy"
        await self._holding.end(tx, [lease], reason=reason, text=text, act=act, actor=actor, at=at)


def _unit_of(lease: Lease) -> str:
    """Return the subject whose evaluation decides this lease."""
    return f"person:{lease.person_id}" if lease.basis_ref.startswith("duty:") else lease.basis_ref


def _uuid(subject: str) -> UUID:
    return UUID(subject.partition(":")[2])
