"""Safety on screen: who did not report, what stops in a moment, who may be inside, what a rule keeps and why."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.access import Permission, Principal
from key2xs.console.people import Alias, People, look_up
from key2xs.console.words import HOLD_RULES, named
from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId, PersonId
from key2xs.grants.holding import held_leases
from key2xs.grants.types import Lease
from key2xs.incidents.inside import Question, everybody_inside
from key2xs.incidents.kill_types import Waiting, at_work
from key2xs.incidents.notices import notices
from key2xs.incidents.watches import Watch
from key2xs.keys.reads import keys_of_people
from key2xs.plant import find_access_point
from key2xs.plant.types import AccessPoint, Cylinder
from key2xs.services import Services
from key2xs.work.presence import MissedCheckIn, missed_checkins

from .bases import BasisLine, name_bases
from .openings import cylinders_by_id

_LEADS = "shift_leader"
_NAMED = 4  # of the people a stop is about; the page counts the others


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody a stop is about, and what they are doing."""

    alias: Alias | None
    on_duty: bool
    permits: tuple[tuple[str, str], ...]
    """Permits they are signed on to: id and number."""
    stamps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StopLine:
    """A stop that waits, and what the reader may do about it."""

    stop: Waiting
    people: tuple[PersonLine, ...]
    may_proceed: bool
    may_withdraw: bool


@dataclass(frozen=True, slots=True)
class InsideLine:
    """One question about somebody who may be behind a lock."""

    question: Question
    alias: Alias | None
    point: AccessPoint | None
    others: tuple[Alias, ...]
    """Others who opened it and were not seen elsewhere since."""


@dataclass(frozen=True, slots=True)
class HoldLine:
    """What a rule keeps."""

    lease: Lease
    alias: Alias | None
    basis: BasisLine
    cylinders: tuple[Cylinder, ...]
    stamps: tuple[str, ...]

    @property
    def until(self) -> str:
        """What it waits for, in words."""
        return named(HOLD_RULES, self.lease.held_rule or "")


@dataclass(frozen=True, slots=True)
class WatchLine:
    """Somebody who works alone."""

    watch: Watch
    alias: Alias | None


@dataclass(frozen=True, slots=True)
class MissedLine:
    """A check-in of a permit that was not made."""

    missed: MissedCheckIn
    alias: Alias | None


@dataclass(frozen=True, slots=True)
class SafetyNow:
    """Everything the first page shows of safety."""

    missed: tuple[WatchLine, ...]
    missed_permits: tuple[MissedLine, ...]
    stops: tuple[StopLine, ...]
    told: tuple[StopLine, ...]
    """What ended at once because an identity did, of people who are still at work."""
    inside: tuple[InsideLine, ...]
    holds: tuple[HoldLine, ...]
    watches: tuple[WatchLine, ...]
    """Those who report in time."""

    @property
    def count(self) -> int:
        """How much asks for somebody."""
        asked = sum(line.question.answer is None for line in self.inside)
        return len(self.missed) + len(self.missed_permits) + len(self.stops) + len(self.told) + asked

    @property
    def quiet(self) -> bool:
        """Tell whether there is nothing to show."""
        return not self.count and not (self.inside or self.holds)


async def safety_now(tx: Connection, services: Services, now: datetime, reader: Principal) -> SafetyNow:
    """Read everything about safety for somebody."""
    stops, told = await services.kills.open(tx), await notices(tx, now)
    questions = await services.ways_out.open(tx, now)
    held = await held_leases(tx)
    watches = await services.watches.running(tx)
    missed = await missed_checkins(tx, now)
    inside = {
        question.access_point_id: await everybody_inside(tx, question.access_point_id, now)
        for question in questions
    }
    about: set[PersonId | None] = {person for stop in [*stops, *told] for person in stop.people[:_NAMED]}
    about |= {question.person_id for question in questions} | {lease.person_id for lease in held}
    about |= {watch.person_id for watch in watches} | {each.person_id for each in missed}
    about |= {person for found in inside.values() for person in found}
    people = await look_up(tx, about, now)
    lines = [WatchLine(watch, people.of(watch.person_id)) for watch in watches]
    return SafetyNow(
        missed=tuple(line for line in lines if line.watch.missed_at is not None),
        missed_permits=tuple(MissedLine(each, people.of(each.person_id)) for each in missed),
        stops=tuple([await _stop(tx, stop, people, reader, now) for stop in stops]),
        told=tuple([await _stop(tx, each, people, reader, now) for each in told]),
        inside=tuple([await _inside(tx, question, inside, people) for question in questions]),
        holds=tuple(await _holds(tx, held, people, now)),
        watches=tuple(line for line in lines if line.watch.missed_at is None),
    )


async def _stop(tx: Connection, stop: Waiting, people: People, reader: Principal, now: datetime) -> StopLine:
    named = stop.people[:_NAMED]
    doing = {each.person_id: each for each in await at_work(tx, named, now)}
    keys = await keys_of_people(tx, named, now)
    is_own = stop.asked_user == reader.user_id
    waits = stop.state == "waiting"
    return StopLine(
        stop,
        tuple(
            PersonLine(
                people.of(person),
                on_duty=person in doing and doing[person].on_duty,
                permits=tuple(
                    (str(each.permit_id), each.number)
                    for each in (doing[person].permits if person in doing else ())
                ),
                stamps=tuple(key.stamp for key, _ in keys.get(person, [])),
            )
            for person in named
        ),
        may_proceed=waits
        and reader.may(Permission.SAFETY_HOLD_RELEASE)
        and (not is_own or _LEADS in reader.roles),
        may_withdraw=waits and is_own,
    )


async def _inside(
    tx: Connection,
    question: Question,
    inside: dict[AccessPointId, dict[PersonId, datetime]],
    people: People,
) -> InsideLine:
    others = [
        people.of(person) for person in inside[question.access_point_id] if person != question.person_id
    ]
    return InsideLine(
        question,
        people.of(question.person_id),
        await find_access_point(tx, question.access_point_id),
        tuple(alias for alias in others if alias is not None),
    )


async def _holds(tx: Connection, held: list[Lease], people: People, now: datetime) -> list[HoldLine]:
    if not held:
        return []
    names = await name_bases(tx, [lease.basis_ref for lease in held])
    cylinders = await cylinders_by_id(tx, [c for lease in held for c in lease.cylinders])
    keys = await keys_of_people(tx, [lease.person_id for lease in held], now)
    return [
        HoldLine(
            lease,
            people.of(lease.person_id),
            names.of(lease),
            tuple(sorted((cylinders[c] for c in lease.cylinders if c in cylinders), key=lambda c: c.marking)),
            tuple(key.stamp for key, _ in keys.get(lease.person_id, [])),
        )
        for lease in held
    ]
