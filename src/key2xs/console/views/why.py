"""*Why doesn't this key work?*: four questions in order, and for the first that fails, what would help.

Is the key in order, is it allowed, does the key have it, and what did the lock say. The answer names the smallest
change, who can make it, where, and from when the key will work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from key2xs.api.updaters import Contact, contact_of
from key2xs.console.people import Alias, look_up
from key2xs.console.words import CANNOT_CARRY, Status, named, progress
from key2xs.console.words_ways import way_lines, ways_out_of
from key2xs.console.words_why import DONE_BY, named_who
from key2xs.core.database import Connection
from key2xs.core.ids import PersonId
from key2xs.grants.explaining import PersonExplanation, explain_person
from key2xs.grants.reads import leases_of_person
from key2xs.grants.types import Lease
from key2xs.keys.coverage.reads import coverage_of
from key2xs.keys.coverage.rules import Coverage
from key2xs.keys.reads import keys_of_people
from key2xs.keys.types import StoredKey, Target
from key2xs.plant.types import Cylinder
from key2xs.policy.types import Missing
from key2xs.services import Services

from .openings import OpeningLine, opening_lines, shown_problem

OK: Final = Status("yes", "good", "check")
NO: Final = Status("no", "bad", "cross")
WAITS: Final = Status("not yet", "warn", "clock")


@dataclass(frozen=True, slots=True)
class Check:
    """One question with its answer."""

    question: str
    status: Status
    said: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """What would make it work: the smallest change, who makes it, and from when the key works then."""

    change: str
    by: str = ""
    works_from: str = ""
    works_at: datetime | None = None
    href: str = ""
    link: str = ""
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class WhyAnswer:
    """The answer for one key at one lock."""

    key: StoredKey
    vendor: str
    cylinder: Cylinder
    holder: Alias | None
    checks: tuple[Check, ...]
    works: bool
    headline: str
    helps: tuple[Help, ...]
    missing: tuple[Missing, ...]
    until: datetime | None
    reference: str
    openings: tuple[OpeningLine, ...]
    coverage: Coverage
    """How far openings of this key at this lock are known."""
    read_at: datetime | None
    contact: Contact | None
    """How and where the key is told of a change, where one is needed."""


@dataclass(slots=True)
class _Found:
    """What the questions bring to light, in order; the first failure decides the headline."""

    checks: list[Check]
    helps: list[Help]
    headline: str = ""
    missing: tuple[Missing, ...] = ()
    until: datetime | None = None
    reference: str = ""

    def fail(self, check: Check, headline: str, *helps: Help) -> None:
        self.checks.append(check)
        if not self.headline:
            self.headline = headline
            self.helps += helps


async def why(
    tx: Connection, services: Services, key: StoredKey, cylinder: Cylinder, at: datetime
) -> WhyAnswer:
    """Answer for a key at a lock."""
    holder = await services.custody.holder_at(tx, key.id, at)
    target = await services.targets.find(tx, key.id)
    vendors = {system.id: system.vendor for system in await services.registry.systems(tx)}
    vendor = vendors.get(key.system_id, "")
    found = _Found([], [])
    contact: Contact | None = None
    _in_order(found, key, holder)
    if holder is not None:
        explained = await explain_person(
            tx,
            services.bases,
            services.custody,
            services.settings.leases,
            person_id=holder,
            cylinder_id=cylinder.id,
            at=at,
            zone=services.settings.zone,
        )
        lease = _lease_for(await leases_of_person(tx, holder), cylinder)
        _allowed(found, explained, lease, at)
        contact = await contact_of(tx, services, key.kind, key.system_id, cylinder.access_point_id)
        if explained.allowed:
            _in_the_key(found, key, cylinder, target, lease, vendor, contact)
            await _other_key(tx, found, key, lease, holder, at)
    events = await services.events.recent(tx, key_id=key.id, cylinder_id=cylinder.id, limit=3)
    people = await look_up(tx, [holder], at)
    works = not found.headline
    return WhyAnswer(
        key=key,
        vendor=vendor,
        cylinder=cylinder,
        holder=people.of(holder),
        checks=tuple(found.checks),
        works=works,
        headline=found.headline or "It should work: it is allowed, and the key has it.",
        helps=tuple(found.helps or ([_it_should(cylinder)] if works else [])),
        missing=found.missing,
        until=found.until,
        reference=found.reference,
        openings=tuple(await opening_lines(tx, services, events, at)),
        coverage=await coverage_of(tx, key, cylinder.id, at),
        read_at=target.read_at if target else None,
        contact=contact,
    )


def _in_order(found: _Found, key: StoredKey, holder: PersonId | None) -> None:
    question = "Is the key in order?"
    desk = Help("Hand out another key.", "the key desk", "as soon as that key has made contact")
    if key.deleted:
        found.fail(
            Check(question, NO, "the key system no longer lists it"), "This key no longer exists.", desk
        )
    elif key.blocked_at is not None:
        said = f"blocked: {key.block_reason}" if key.block_reason else "blocked"
        found.fail(Check(question, NO, said), "This key is blocked.", desk)
    elif holder is None:
        hand_out = Help(
            "Hand it out. Access belongs to a person; a key by itself has none.",
            "the key desk",
            "as soon as it has made contact after that",
            href=f"/keys/{key.id}/hand-out",
            link="Hand it out",
        )
        found.fail(Check(question, NO, "handed out to nobody"), "Nobody was handed this key.", hand_out)
    else:
        found.checks.append(Check(question, OK, "known, not blocked, handed out"))


def _allowed(found: _Found, explained: PersonExplanation, lease: Lease | None, at: datetime) -> None:
    question = "Is it allowed?"
    yes = next((attempt for attempt in explained.attempts if attempt.allows), None)
    if yes is not None:
        found.until, found.reference = yes.until, yes.reference
        found.checks.append(Check(question, OK, f"by {yes.reference}"))
        return
    nearest = explained.attempts[0].reference if explained.attempts else ""
    found.missing = explained.missing
    helps = [
        Help(lack.smallest_change, named_who(DONE_BY.get(str(lack.code))), "") for lack in explained.missing
    ]
    if lease is not None and lease.state == "scheduled" and lease.starts_at > at:
        helps = [Help("Wait: access is planned.", "nobody has to do anything", "", lease.starts_at)]
    what = f"nearest is {nearest}" if nearest else "nothing gives it"
    found.fail(Check(question, NO, what), _not_allowed(explained), *helps)


def _not_allowed(explained: PersonExplanation) -> str:
    lacks = explained.missing
    if not lacks:
        return "It is not allowed."
    first = lacks[0].text
    more = len(lacks) - 1
    tail = f" And {more} more {'thing is' if more == 1 else 'things are'} missing." if more else ""
    return f"{first[0].upper()}{first[1:]}.{tail}"


def _in_the_key(
    found: _Found,
    key: StoredKey,
    cylinder: Cylinder,
    target: Target | None,
    lease: Lease | None,
    vendor: str,
    contact: Contact,
) -> None:
    question = "Does the key have it?"
    if lease is None:
        wait = Help("Wait half a minute and look again.", "nobody has to do anything")
        found.fail(Check(question, WAITS, "being decided"), "It is allowed, and being given right now.", wait)
    elif lease.state == "held":
        safety = Help("See who has to do what on Safety.", "the shift leader", href="/safety", link="Safety")
        found.fail(Check(question, WAITS, "held by a safety rule"), "A safety rule holds it.", safety)
    elif cylinder.zone_mode != "enforce":
        said = f"security zone {cylinder.zone} is on {cylinder.zone_mode}"
        switch = Help("Program the key in the key system's own tool, as before.", "the key desk")
        found.fail(Check(question, NO, said), "Key2XS does not write keys for this lock yet.", switch)
    elif target is None or lease.id not in target.grants:
        _not_on_this_key(found, question, lease, target)
    elif target.delivered_at is not None:
        found.checks.append(Check(question, OK, "the key acknowledged it"))
    elif target.problem:
        person = Help(f"{shown_problem(target, key)[:200]}.".replace("..", "."), "the key desk")
        found.fail(Check(question, NO, "needs a person"), "The key system did not take it.", person)
    else:
        word = progress(target.progress, vendor)
        go = Help(contact.how, "whoever has the key", "at that contact", contact=contact)
        found.fail(
            Check(question, WAITS, word.word), "It is allowed and on its way: the key must make contact.", go
        )


def _not_on_this_key(found: _Found, question: str, lease: Lease, target: Target | None) -> None:
    cannot = (target.cannot if target else {}).get(str(lease.id))
    if cannot:
        # Another key of the holder is looked up as it is now, further down.
        ways = [Help(way.change, way.by) for way in way_lines(ways_out_of(cannot), keys=())]
        other = Help("Hand out a key of another kind.", "the key desk", "as soon as it has made contact")
        said = named(CANNOT_CARRY, str(cannot.get("why", "")))
        found.fail(Check(question, NO, said), "This key cannot carry it.", *(ways or [other]))
        return
    wait = Help("Wait half a minute and look again.", "nobody has to do anything")
    found.fail(Check(question, WAITS, "not asked for yet"), "It is allowed, and about to be asked for.", wait)


async def _other_key(
    tx: Connection, found: _Found, key: StoredKey, lease: Lease | None, holder: PersonId, at: datetime
) -> None:
    """Name another key of the same person that has it already: the shortest way of all."""
    if lease is None or not found.headline:
        return
    for other, target in (await keys_of_people(tx, [holder], at)).get(holder, []):
        has_it = target is not None and target.delivered_at is not None and lease.id in target.grants
        if other.id != key.id and has_it and not other.blocked_at:
            found.helps.insert(
                0, Help(f"Use key {other.stamp}: it has it already.", "whoever has the key", "now")
            )


def _it_should(cylinder: Cylinder) -> Help:
    return Help(
        "Hold the key still for two seconds and try again. If the lock refuses, note the time and have its log read"
        + (": it is online, so its answer appears here by itself." if cylinder.online else "."),
        "whoever has the key, then the key desk",
        "now",
    )


def _lease_for(leases: Sequence[Lease], cylinder: Cylinder) -> Lease | None:
    """Return the grant that covers the lock: one that runs before one that starts later."""
    order = {"active": 0, "held": 1, "scheduled": 2}
    open_ones = [lease for lease in leases if lease.state in order and cylinder.id in lease.cylinders]
    return min(open_ones, key=lambda lease: (order[lease.state], lease.starts_at), default=None)
