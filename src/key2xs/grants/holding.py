"""Ending access, and holding what a safety rule holds of it (S3, S4).

Every way in which a lease ends leads through here: the clock, a basis that is gone, a person, a machine. What a rule
holds goes on as a lease of its own in the state *held*, with the rule, the reason and the way it will end. It ends
when the rule no longer asks for it, or when two people release it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, GrantId, PermitId, PersonId
from key2xs.core.sql import load_queries
from key2xs.core.tri import UNKNOWN, Tri
from key2xs.ledger import Entry, Ledger
from key2xs.plant.service import cylinder_facts
from key2xs.plant.types import CylinderFacts
from key2xs.policy.reasons import ReasonCode
from key2xs.policy.types import Basis, FactWindow, Reason
from key2xs.safety import (
    Act,
    Ending,
    Rule,
    Verdict as Ruling,
    locks_on,
    stays_for_personal_locks,
    stays_with_last_holder,
)
from key2xs.work.facts import permit_facts

from .lockouts import is_isolating, lockout_of
from .store import LeaseStore, lease_of
from .types import EndReason, Hold, KeyFacts, Lease, Verdict, Wish

_SQL = load_queries("key2xs.grants", "queries_holding.sql")
_SAFETY = frozenset({"lock_box", "isolation", "emergency"})
_LAST_HOLDER = frozenset({"isolation", "emergency"})


@dataclass(frozen=True, slots=True)
class Kept:
    """The part of a lease that a rule keeps."""

    lease: Lease
    cylinders: frozenset[CylinderId]
    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class _Permit:
    locks: Tri
    isolating_suspended: bool


class Holding:
    """Asks the safety rules before access ends."""

    def __init__(self, ledger: Ledger, keys: KeyFacts, allowance: timedelta) -> None:
        """A hold goes on for `allowance` at a time; `keys` tells whether somebody has a key that works."""
        self._ledger, self._keys, self._allowance = ledger, keys, allowance
        self._store = LeaseStore(ledger)

    async def look(self, tx: Connection, leases: Sequence[Lease], act: Act, at: datetime) -> list[Kept]:
        """Return what the rules would keep if these leases ended now; changes nothing."""
        ending = {lease.id: (lease, lease.cylinders) for lease in leases}
        return await self._keep(tx, ending, act, at, firm=False)

    async def end(
        self,
        tx: Connection,
        leases: Sequence[Lease],
        *,
        reason: EndReason,
        text: str,
        act: Act,
        actor: str,
        at: datetime,
        parent: Entry | None = None,
    ) -> list[Kept]:
        """End leases but for what a rule keeps; returns what it keeps."""
        await self._ledger.lock_heads(tx, [lease.subject for lease in leases])
        # Another worker may have ended or held some of them meanwhile.
        found = await self._store.find_open(tx, ids=[lease.id for lease in leases]) if leases else []
        ending = {lease.id: (lease, lease.cylinders) for lease in found}
        kept = {each.lease.id: each for each in await self._keep(tx, ending, act, at)}
        gone = [lease for lease in leases if lease.id not in kept]
        await self._store.end(tx, gone, reason=reason, text=text, actor=actor, at=at, parent=parent)
        for each in kept.values():
            await self._hold(tx, each, act, reason, text, at)
        return list(kept.values())

    async def split(
        self,
        tx: Connection,
        lease: Lease,
        dropped: frozenset[CylinderId],
        *,
        act: Act,
        text: str,
        at: datetime,
    ) -> None:
        """Keep what a rule keeps of the cylinders that a running lease is about to lose."""
        for kept in await self._keep(tx, {lease.id: (lease, dropped)}, act, at):
            hold = Hold(kept.rule, kept.why, act, at, "denied")
            wish, verdict = _held(lease, kept, text)
            await self._store.insert(
                tx, wish, verdict, state="held", heads=lease.facts, at=at, hold=hold
            )  # fmt: skip

    async def narrow(
        self,
        tx: Connection,
        lease: Lease,
        dropped: frozenset[CylinderId],
        *,
        act: Act,
        text: str,
        at: datetime,
    ) -> None:
        """Take cylinders out of a lease that goes on with the rest, but for what a rule keeps of them."""
        await self._ledger.lock_heads(tx, [lease.subject])
        for found in await self._store.find_open(tx, ids=[lease.id]):
            rest = found.cylinders - dropped
            if found.hold is not None or rest == found.cylinders or not rest:
                continue
            await self.split(tx, found, found.cylinders & dropped, act=act, text=text, at=at)
            wish = _wish_of(found, rest)
            verdict = Verdict(rest, found.cylinders - rest, (Reason(ReasonCode.UNKNOWN, text),), None, "")
            await self._store.update(
                tx, found, wish, verdict, state=found.state, ends_at=found.ends_at, heads=found.facts, at=at
            )  # fmt: skip

    async def again(self, tx: Connection, lease: Lease, at: datetime) -> None:
        """Look at a held lease again: it goes on, is prolonged, or ends as it would have without its rule."""
        hold = lease.hold
        if hold is None:
            raise AssertionError  # pragma: no cover - the database refuses a held lease without its rule
        kept = next(iter(await self._keep(tx, {lease.id: (lease, lease.cylinders)}, hold.act, at)), None)
        if kept is None:
            text = f"what rule {hold.rule} asked for is so"
            await self._store.end(tx, [lease], reason=hold.end, text=text, actor="system:safety", at=at)
            return
        # Early enough for a key that is out of reach half of the time.
        late = kept.rule == "S3" and lease.ends_at - at < self._allowance / 2
        if kept.cylinders == lease.cylinders and kept.why == hold.why and not late:
            return
        ends_at = max(lease.ends_at, at + self._allowance) if late else lease.ends_at
        wish, verdict = _held(replace(lease, ends_at=ends_at), kept, "")
        await self._store.update(
            tx, lease, wish, verdict, state="held", ends_at=ends_at, heads=lease.facts, at=at,
            hold=replace(hold, rule=kept.rule, why=kept.why),
        )  # fmt: skip

    async def release(
        self, tx: Connection, grant_id: GrantId, *, reason: str, actor: str, at: datetime
    ) -> Lease:
        """End a held lease because two people said so.

        Raises:
            NotFound: it is not held, or no longer.
        """
        await self._ledger.lock_heads(tx, [f"grant:{grant_id}"])
        held = [lease for lease in await self._store.find_open(tx, ids=[grant_id]) if lease.hold is not None]
        if not held:
            message = "no safety rule holds this access any more"
            raise NotFound(message)
        await self._store.end(tx, held, reason="killed", text=reason, actor=actor, at=at)
        return held[0]

    async def waiting_for_a_holder(self, tx: Connection) -> set[str]:
        """Return the people whose access is held because nobody else was there (S4)."""
        return {f"person:{row['person_id']}" for row in await tx.fetch(_SQL["waiting_for_a_holder"])}

    async def _hold(
        self, tx: Connection, kept: Kept, act: Act, reason: EndReason, text: str, at: datetime
    ) -> None:
        lease = kept.lease
        if lease.hold is not None and kept.cylinders == lease.cylinders and _as_strong(lease.hold.act, act):
            return  # held already, and this is no newer reason to end it
        ends_at = max(lease.ends_at, at + self._allowance) if lease.ends_at <= at else lease.ends_at
        # What a person typed may name people; it is sealed in the act's own entry and not repeated here.
        told = "a person ended it" if act in {"person", "two_people"} else text
        wish, verdict = _held(replace(lease, ends_at=ends_at), kept, told)
        since = lease.hold.since if lease.hold is not None and act == "clock" else at
        end = lease.hold.end if lease.hold is not None and act == "clock" else reason
        await self._store.update(
            tx, lease, wish, verdict, state="held", ends_at=ends_at, heads=lease.facts, at=at,
            hold=Hold(kept.rule, kept.why, act, since, end),
        )  # fmt: skip

    async def _keep(
        self,
        tx: Connection,
        ending: Mapping[GrantId, tuple[Lease, frozenset[CylinderId]]],
        act: Act,
        at: datetime,
        *,
        firm: bool = True,
    ) -> list[Kept]:
        running = {
            grant: (lease, cylinders)
            for grant, (lease, cylinders) in ending.items()
            if lease.state in {"active", "held"}
        }
        wanted = {c for _, cylinders in running.values() for c in cylinders}
        facts = await cylinder_facts(tx, sorted(wanted), at=at) if wanted else {}
        facts = {c: each for c, each in facts.items() if each.safety_role in _SAFETY}
        kept = []
        for lease, cylinders in running.values():
            here = {c: facts[c] for c in cylinders if c in facts}
            if here:
                kept += await self._keep_one(tx, lease, here, Ending(act, at, lease.ends_at), firm=firm)
        return kept

    async def _keep_one(
        self,
        tx: Connection,
        lease: Lease,
        cylinders: Mapping[CylinderId, CylinderFacts],
        ending: Ending,
        *,
        firm: bool,
    ) -> list[Kept]:
        at = ending.at
        rulings: dict[CylinderId, Ruling] = {}
        if lease.basis_ref.startswith("permit:"):
            permit = await _permit(tx, lease, at)
            ending = replace(ending, isolating_suspended=permit.isolating_suspended)
            for c, facts in cylinders.items():
                rulings[c] = stays_for_personal_locks(
                    lock_box=facts.safety_role == "lock_box",
                    isolation=facts.safety_role == "isolation",
                    locks=permit.locks,
                    ending=ending,
                )
        elif lease.basis_kind == "duty_role":
            rulings = await self._last_holder(tx, lease, cylinders, ending, firm=firm)
        by_why: dict[tuple[Rule, str], set[CylinderId]] = defaultdict(set)
        for c, ruling in rulings.items():
            if ruling.rule is not None:
                by_why[ruling.rule, ruling.why].add(c)
        if not by_why:
            return []
        # One lease tells one reason; the first in the order of the rules stands for all it keeps.
        (rule, why), _ = min(by_why.items(), key=lambda item: item[0])
        return [Kept(lease, frozenset(c for some in by_why.values() for c in some), rule, why)]

    async def _last_holder(
        self,
        tx: Connection,
        lease: Lease,
        cylinders: Mapping[CylinderId, CylinderFacts],
        ending: Ending,
        *,
        firm: bool,
    ) -> dict[CylinderId, Ruling]:
        at = ending.at
        here = {c: facts for c, facts in cylinders.items() if facts.safety_role in _LAST_HOLDER}
        # A key opens the locks of its own maker only; somebody who has none for a lock loses nothing, and is no other.
        mine = await self._keys.can_carry(tx, lease.person_id, here, at)
        here = {c: facts for c, facts in here.items() if c in mine}
        if not here:
            return {}
        if firm:
            # Two who lose it at one time come one after the other: the second one sees that the first is gone.
            units = {str(facts.unit_id or facts.access_point_id) for facts in here.values()}
            await self._ledger.lock_heads(tx, [f"duty_holders:{unit}" for unit in units])
        others: dict[CylinderId, set[PersonId]] = defaultdict(set)
        for row in await tx.fetch(_SQL["other_holders"], sorted(here), lease.person_id, at):
            others[CylinderId(row["cylinder_id"])].add(PersonId(row["person_id"]))
        can = {
            person: await self._keys.can_carry(tx, person, here, at)
            for person in {person for people in others.values() for person in people}
        }
        return {
            c: stays_with_last_holder(
                on_duty=True, others=[person for person in others[c] if c in can[person]], ending=ending
            )
            for c in here
        }


async def held_leases(tx: Connection) -> list[Lease]:
    """Return everything that a safety rule holds now, the longest first."""
    return [lease_of(row) for row in await tx.fetch(_SQL["held_leases"])]


def acts_of(reasons: Iterable[Reason], *, duty: bool) -> Act:
    """Say who or what ends access that policy no longer allows: a machine's word about the person, or other facts."""
    return "identity" if duty and {reason.code for reason in reasons} & _ABOUT_THE_PERSON else "facts"


async def _permit(tx: Connection, lease: Lease, at: datetime) -> _Permit:
    try:
        facts = await permit_facts(tx, PermitId(UUID(lease.basis_ref.partition(":")[2])), at)
    except NotFound:
        return _Permit(UNKNOWN, isolating_suspended=False)
    suspended = facts.state == "suspended" and is_isolating(facts, lease.person_id, at)
    return _Permit(locks_on(lockout_of(facts, at)), suspended)


def _held(lease: Lease, kept: Kept, text: str) -> tuple[Wish, Verdict]:
    """Return a wish and a verdict for the part that a rule keeps."""
    told = f"{text}; {kept.why} ({kept.rule})" if text else f"{kept.why} ({kept.rule})"
    reasons = (Reason(ReasonCode.WINDOW_NOT_OPEN, told),)
    verdict = Verdict(kept.cylinders, lease.cylinders - kept.cylinders, reasons, None, "")
    return _wish_of(lease, kept.cylinders), verdict


def _wish_of(lease: Lease, cylinders: frozenset[CylinderId]) -> Wish:
    """Return a wish for what goes on of a lease."""
    return Wish(
        key=lease.key,
        kind=lease.basis_kind,
        cylinders=cylinders,
        starts_at=lease.starts_at,
        ends_at=lease.ends_at,
        basis_at=lease.basis_at,
        basis=Basis(
            kind=lease.basis_kind,
            window=FactWindow(lease.starts_at, lease.ends_at),
            gas=FactWindow(standing="none"),
            reference=lease.reference,
        ),
        longest=lease.ends_at - lease.starts_at,
        heads=frozenset(lease.facts),
    )


def _as_strong(held: Act, new: Act) -> bool:
    order: Collection[Act] = ("clock", "facts", "identity", "person", "two_people")
    return list(order).index(new) <= list(order).index(held)


_ABOUT_THE_PERSON = frozenset(
    {
        ReasonCode.IDENTITY_NOT_ACTIVE, ReasonCode.IDENTITY_UNKNOWN, ReasonCode.CONTRACT_NOT_IN_FORCE,
        ReasonCode.CONTRACT_UNKNOWN, ReasonCode.QUALIFICATION_MISSING, ReasonCode.QUALIFICATION_UNKNOWN,
        ReasonCode.ROLES_UNKNOWN,
    }
)  # fmt: skip
