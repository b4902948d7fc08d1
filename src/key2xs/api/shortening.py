"""What would shorten exposure, cheapest first: ask the holder to update, or walk to the cylinders. Never counted on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId, CylinderId
from key2xs.keys.exposure_types import ExposureKind
from key2xs.keys.exposure_walk import Stop, Walk, plan_walk
from key2xs.keys.exposure_what_if import if_updated, if_visited
from key2xs.keys.openers import KeyExposure, KnownKey, Pair
from key2xs.keys.types import Target
from key2xs.plant import list_cylinders
from key2xs.plant.service import list_access_points
from key2xs.plant.types import Cylinder

from .updaters import Contact, contact_of
from .web import Web

MOST_STOPS: Final = 300


@dataclass(frozen=True, slots=True)
class Then:
    """What would be left after an action: the worst kind, and until when; None with *no bound* and *proven end*."""

    kind: ExposureKind
    until: datetime | None
    cylinders: int


@dataclass(frozen=True, slots=True)
class Shorter:
    """What can be done about one key. `ask` None: nothing waits for the key, so an update changes nothing.

    `walked`: what is left once a programming key visited every cylinder; a visit needs the key on the block list.
    """

    ask: Contact | None
    asked: Then
    walked: Then
    needs_block: bool


@dataclass(frozen=True, slots=True)
class Exposed:
    """One key: its answer, how far its program is, and what would shorten it."""

    answer: KeyExposure
    target: Target | None
    residual: tuple[Pair, ...]
    shorter: Shorter | None


async def look_at(
    tx: Connection,
    web: Web,
    known: KnownKey,
    answer: KeyExposure,
    at: datetime,
    cylinders: Mapping[CylinderId, Cylinder],
    only: frozenset[CylinderId] | None = None,
) -> Exposed:
    """Say of one key what is left, and what would shorten it. `only`: at these cylinders."""
    answer = _only(answer, only)
    target = await web.services.targets.find(tx, answer.key.id)
    left = residual(answer, at)
    if not left:
        return Exposed(answer, target, left, None)
    updated = known.answer(partial(if_updated, at=at))
    locks = [pair.lock for pair in left if pair.cylinder_id is not None]
    walked = known.answer(partial(if_visited, locks=locks, at=at))
    asked, visited = _then(_only(updated, only), at), _then(_only(walked, only), at)
    helps = asked != _then(answer, at)
    near = next(
        (cylinders[pair.cylinder_id] for pair in left if pair.cylinder_id and pair.cylinder_id in cylinders),
        None,
    )
    place = near.access_point_id if near is not None else None
    contact = (
        await contact_of(tx, web.services, answer.key.kind, answer.key.system_id, place) if helps else None
    )
    return Exposed(answer, target, left, Shorter(contact, asked, visited, answer.key.blocked_at is None))


def residual(answer: KeyExposure, at: datetime) -> tuple[Pair, ...]:
    """Return the pairs that no grant covers and that are not surely over."""
    return tuple(pair for pair in answer.pairs if _is_left(pair, at))


async def cylinders_of(tx: Connection, answers: Iterable[KeyExposure]) -> dict[CylinderId, Cylinder]:
    """Return the cylinders that some answers are about."""
    ids = sorted({pair.cylinder_id for answer in answers for pair in answer.pairs if pair.cylinder_id})
    found = await list_cylinders(tx, ids=ids, limit=len(ids) or 1)
    return {each.id: each for each in found}


async def walk_of(
    tx: Connection, exposed: Sequence[Exposed], cylinders: Mapping[CylinderId, Cylinder]
) -> Walk:
    """Plan one walk over every cylinder at which something is left, access point by access point."""
    left = {pair.cylinder_id for each in exposed for pair in each.residual if pair.cylinder_id is not None}
    by_point: dict[AccessPointId, list[Cylinder]] = {}
    for cylinder in (cylinders[each] for each in left if each in cylinders):
        by_point.setdefault(cylinder.access_point_id, []).append(cylinder)
    return await walk_over(tx, by_point)


async def walk_over(tx: Connection, by_point: Mapping[AccessPointId, Sequence[Cylinder]]) -> Walk:
    """Plan one walk over some access points, the first of them where there are too many for one."""
    ids = list(by_point)[:MOST_STOPS]
    points = await list_access_points(tx, ids=ids, limit=MOST_STOPS) if ids else []
    walk = plan_walk(
        [
            Stop(
                point.area,
                point.unit or "",
                point.code,
                point.name,
                tuple(sorted(each.marking for each in by_point[point.id])),
                point.lat,
                point.lon,
            )
            for point in points
        ]
    )
    return replace(walk, left_out=len(by_point) - len(ids))


def _only(answer: KeyExposure, only: frozenset[CylinderId] | None) -> KeyExposure:
    if only is None:
        return answer
    return replace(answer, pairs=tuple(pair for pair in answer.pairs if pair.cylinder_id in only))


def _is_left(pair: Pair, at: datetime) -> bool:
    found = pair.exposure
    if found.kind is ExposureKind.BOUND:
        return found.at is None or found.at > at
    return found.kind is ExposureKind.NO_BOUND


def _then(answer: KeyExposure, at: datetime) -> Then:
    left = residual(answer, at)
    if not left:
        return Then(ExposureKind.PROVEN_END, None, 0)
    ends = [pair.exposure.at for pair in left if pair.exposure.at is not None]
    if len(ends) < len(left):
        return Then(ExposureKind.NO_BOUND, None, len(left))
    return Then(ExposureKind.BOUND, max(ends), len(left))
