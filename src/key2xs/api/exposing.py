"""Exposure of keys, put together for a key, a person or a company: until when, why, and what nobody can shorten."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CylinderId, PersonId
from key2xs.keys.assumptions import ASSUMPTIONS
from key2xs.keys.exposure_lists import worst_keys_first
from key2xs.keys.exposure_types import ExposureKind, Term
from key2xs.keys.exposure_walk import Walk
from key2xs.keys.openers import KeyExposure, Pair
from key2xs.keys.types import StoredKey, Target
from key2xs.plant import list_cylinders
from key2xs.plant.types import Cylinder

from .paging import USUAL_PAGE, after, next_cursor
from .shortening import Exposed, Then, cylinders_of, look_at, walk_of
from .web import Web

_WORST_LAST = [str(kind) for kind in ExposureKind]


class TermOut(msgspec.Struct, frozen=True):
    """One thing that went into an answer, with its source."""

    name: str
    value: str | None
    source: str
    mark: str


class PairOut(msgspec.Struct, frozen=True):
    """One key at one cylinder. `at` null with `no_bound`: nothing ends it by itself."""

    cylinder: str
    cylinder_id: UUID | None
    kind: str
    at: datetime | None
    works_until: datetime | None
    works_because: str
    grant: UUID | None
    terms: list[TermOut]
    assumptions: list[str]


class ThenOut(msgspec.Struct, frozen=True):
    """What would be left after an action, were it done now. Nothing is counted on it."""

    kind: str
    until: datetime | None
    cylinders: int


class UpdaterOut(msgspec.Struct, frozen=True):
    """A place where a key is updated. `metres` in a straight line from the cylinder; null where either has no place."""

    kind: str
    place: str
    name: str
    online: bool
    metres: int | None


class AskOut(msgspec.Struct, frozen=True):
    """Ask the holder to update: how, and where."""

    how: str
    near: list[UpdaterOut]
    then: ThenOut


class ShortenOut(msgspec.Struct, frozen=True):
    """What would shorten one key, cheapest first.

    `ask` null: nothing waits for the key, an update changes nothing. `walked` once each cylinder was visited with a
    programming key, which takes the key on the block list (`needs_block`: it is not on it yet).
    """

    ask: AskOut | None
    walked: ThenOut
    needs_block: bool


class KeyExposureOut(msgspec.Struct, frozen=True):
    """One key: the worst answer of all its cylinders, and each of them."""

    key: str
    key_id: UUID
    holder: UUID | None
    kind: str
    at: datetime | None
    works_until: datetime | None
    as_of: datetime | None
    progress: str | None
    """How far the newest program is: requested, accepted, in_transit, delivered or failed."""
    residual: list[str]
    """Cylinders that the key may open though no grant covers them."""
    cylinders: list[PairOut]
    shorten: ShortenOut | None = None
    """What would shorten it; null where nothing is left."""


class AssumptionOut(msgspec.Struct, frozen=True):
    """One sentence that must be true for these bounds to hold, with its source."""

    id: str
    text: str
    source: str
    mark: str
    setting: str | None


class LegOut(msgspec.Struct, frozen=True):
    """One stop of a walk; `metres` in a straight line from the stop before, null where that is not known."""

    place: str
    name: str
    area: str
    unit: str
    cylinders: list[str]
    metres: int | None


class WalkOut(msgspec.Struct, frozen=True):
    """An order in which to walk all cylinders where something is left. `metres` straight-line, over what has a place."""

    stops: list[LegOut]
    metres: int
    unplaced: int
    left_out: int = 0
    """Places beyond the 300 of one walk; narrow what is asked for to plan them."""


class CountsOut(msgspec.Struct, frozen=True):
    """Keys by their worst answer, and the cylinders at which something is left."""

    no_bound: int
    bound: int
    still_allowed: int
    proven_end: int
    residual_cylinders: int


class ExposureOut(msgspec.Struct, frozen=True):
    """Exposure of the keys asked about, the worst first. `until` is the latest of their ends, null where one has none.

    `total` says how many keys there are; the worst are on the first page, and the rest of what is said is about this page.
    """

    asked: dict[str, str]
    at: datetime
    kind: str
    until: datetime | None
    as_of: datetime | None
    counts: CountsOut
    keys: list[KeyExposureOut]
    walk: WalkOut
    assumptions: list[AssumptionOut]
    """What the answers rest on, published with them."""
    total: int
    next: str | None
    """The cursor of the next page."""


async def expose_keys(
    tx: Connection,
    web: Web,
    keys: Iterable[StoredKey],
    at: datetime,
    *,
    asked: dict[str, str],
    only: frozenset[CylinderId] | None = None,
    limit: int = USUAL_PAGE,
    cursor: str | None = None,
) -> ExposureOut:
    """Answer for some keys, the worst first, a page of them; with `only`, at some cylinders."""
    ordered = await worst_keys_first(tx, keys, cylinders=only)
    page = page_of(ordered, limit, cursor)
    found, cylinders = await exposed_keys(tx, web, page, at, only=only)
    markings = {each.id: each.marking for each in cylinders.values()}
    shown = sorted(
        (
            msgspec.structs.replace(key_exposure(each.answer, markings, each.target), shorten=_shorten(each))
            for each in found
        ),
        key=_worst_first,
    )
    left = {pair.lock for each in found for pair in each.residual}
    kinds = [each.kind for each in shown]
    return ExposureOut(
        asked=asked,
        at=at,
        kind=worst(kinds),
        until=latest(shown),
        as_of=min((each.as_of for each in shown if each.as_of is not None), default=None),
        counts=_counts(kinds, len(left)),
        keys=shown,
        walk=walk_out(await walk_of(tx, found, cylinders)),
        assumptions=published(found),
        total=len(ordered),
        next=next_cursor(page, len(page), lambda key: key.id)
        if page and page[-1] is not ordered[-1]
        else None,
    )


def page_of(ordered: Sequence[StoredKey], limit: int, cursor: str | None) -> Sequence[StoredKey]:
    """Return the page after a cursor, which names the last key of the page before.

    Raises:
        InvalidInput: the key is not among them any more; begin again.
    """
    last = after(cursor)
    if last is None:
        return ordered[:limit]
    place = next((number for number, key in enumerate(ordered, 1) if key.id == last), None)
    if place is None:
        raise InvalidInput("cursor", "what it names is not on the list any more; begin with the first page")
    return ordered[place : place + limit]


async def exposed_keys(
    tx: Connection,
    web: Web,
    keys: Iterable[StoredKey],
    at: datetime,
    *,
    only: frozenset[CylinderId] | None = None,
) -> tuple[list[Exposed], dict[CylinderId, Cylinder]]:
    """Return what is left of each key and what would shorten it, and the cylinders this is about."""
    known = [await web.services.openers.known_of(tx, key, at) for key in keys]
    answers = [each.answer() for each in known]
    cylinders = await cylinders_of(tx, answers)
    found = [
        await look_at(tx, web, each, answer, at, cylinders, only)
        for each, answer in zip(known, answers, strict=True)
    ]
    return found, cylinders


def published(found: Iterable[Exposed]) -> list[AssumptionOut]:
    """Return every assumption that some answers rest on, with text and source."""
    used = {each for one in found for pair in one.answer.pairs for each in pair.exposure.assumptions}
    return [
        AssumptionOut(str(each.id), each.text, each.source, str(each.mark), each.setting)
        for each in ASSUMPTIONS.values()
        if each.id in used
    ]


async def keys_of_persons(
    tx: Connection, web: Web, persons: Iterable[PersonId], at: datetime
) -> list[StoredKey]:
    """Return the keys that people have."""
    keys = [key for person in persons for key in await web.services.custody.keys_of(tx, person, at)]
    return list({key.id: key for key in keys}.values())


def key_exposure(
    answer: KeyExposure, markings: Mapping[CylinderId, str], target: Target | None = None
) -> KeyExposureOut:
    """Describe the answer for one key."""
    pairs = [_pair(pair, markings) for pair in answer.pairs]
    stops = [pair.works_until.at for pair in answer.pairs if pair.works_until.at is not None]
    return KeyExposureOut(
        key=answer.key.stamp,
        key_id=answer.key.id,
        holder=answer.person_id,
        kind=str(answer.kind),
        at=answer.at,
        works_until=min(stops, default=None),
        as_of=_known(answer.as_of),
        progress=target.progress if target else None,
        residual=[
            shown.cylinder
            for shown, pair in zip(pairs, answer.pairs, strict=True)
            if pair.exposure.kind in {ExposureKind.BOUND, ExposureKind.NO_BOUND}
        ],
        cylinders=pairs,
    )


def worst(kinds: Iterable[str]) -> str:
    """Return the worst of some answers; of none it is a proven end."""
    return max(kinds, key=_WORST_LAST.index, default=str(ExposureKind.PROVEN_END))


def latest(found: Iterable[KeyExposureOut]) -> datetime | None:
    """Return the latest end of all keys that may open anything; None where one of them has none."""
    ends = [each.at for each in found if each.cylinders]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


async def markings_of(tx: Connection, answers: Iterable[KeyExposure]) -> dict[CylinderId, str]:
    """Return what is printed on the cylinders that some answers are about."""
    ids = sorted({pair.cylinder_id for answer in answers for pair in answer.pairs if pair.cylinder_id})
    found = await list_cylinders(tx, ids=ids, limit=len(ids) or 1)
    return {each.id: each.marking for each in found}


def _pair(pair: Pair, markings: Mapping[CylinderId, str]) -> PairOut:
    marking = markings.get(pair.cylinder_id) if pair.cylinder_id else None
    return PairOut(
        cylinder=marking or pair.lock,
        cylinder_id=pair.cylinder_id,
        kind=str(pair.exposure.kind),
        at=pair.exposure.at,
        works_until=pair.works_until.at,
        works_because=pair.works_until.because,
        grant=pair.grant_id,
        terms=[_term(term) for term in pair.exposure.terms],
        assumptions=[str(each) for each in pair.exposure.assumptions],
    )


def _term(term: Term) -> TermOut:
    value: Any = term.value
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, timedelta):
        value = f"{value.total_seconds():g} s"
    return TermOut(term.name, value, term.source, str(term.mark))


def _known(as_of: datetime | None) -> datetime | None:
    """A key that was never read has the beginning of time for its age: say none."""
    return None if as_of is None or as_of.year == 1 else as_of


def _shorten(each: Exposed) -> ShortenOut | None:
    found = each.shorter
    if found is None:
        return None
    ask = None
    if found.ask is not None:
        near = [
            UpdaterOut(place.kind, place.place, place.name, place.online, place.metres)
            for place in found.ask.near
        ]
        ask = AskOut(found.ask.how, near, _then(found.asked))
    return ShortenOut(ask, _then(found.walked), found.needs_block)


def _counts(kinds: list[str], left: int) -> CountsOut:
    return CountsOut(
        no_bound=kinds.count(ExposureKind.NO_BOUND),
        bound=kinds.count(ExposureKind.BOUND),
        still_allowed=kinds.count(ExposureKind.STILL_ALLOWED),
        proven_end=kinds.count(ExposureKind.PROVEN_END),
        residual_cylinders=left,
    )


def _then(then: Then) -> ThenOut:
    return ThenOut(str(then.kind), then.until, then.cylinders)


def walk_out(walk: Walk) -> WalkOut:
    """Describe a walk."""
    stops = [
        LegOut(
            leg.stop.place, leg.stop.name, leg.stop.area, leg.stop.unit, list(leg.stop.cylinders), leg.metres
        )
        for leg in walk.legs
    ]
    return WalkOut(stops, walk.metres, walk.unplaced, walk.left_out)


def _worst_first(shown: KeyExposureOut) -> tuple[int, float, str]:
    return (
        -_WORST_LAST.index(shown.kind),
        -shown.at.timestamp() if shown.at is not None and shown.kind == ExposureKind.BOUND else 0.0,
        shown.key,
    )
