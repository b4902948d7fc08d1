"""Exposure of keys, put together for a key, a person or a company: until when, why, and what nobody can shorten."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, PersonId
from key2xs.keys.exposure_types import ExposureKind, Term
from key2xs.keys.openers import KeyExposure, Pair
from key2xs.keys.types import StoredKey, Target
from key2xs.plant import list_cylinders

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


class ExposureOut(msgspec.Struct, frozen=True):
    """Exposure of all keys asked about. `at` is the latest of their ends, null where one has none."""

    asked: dict[str, str]
    at: datetime
    kind: str
    until: datetime | None
    as_of: datetime | None
    keys: list[KeyExposureOut]


async def expose_keys(
    tx: Connection, web: Web, keys: Iterable[StoredKey], at: datetime, *, asked: dict[str, str]
) -> ExposureOut:
    """Answer for some keys."""
    answers = [await web.services.openers.exposure_of(tx, key, at) for key in keys]
    markings = await markings_of(tx, answers)
    found = [
        key_exposure(answer, markings, await web.services.targets.find(tx, answer.key.id))
        for answer in answers
    ]
    return ExposureOut(
        asked=asked,
        at=at,
        kind=worst(each.kind for each in found),
        until=latest(found),
        as_of=min((each.as_of for each in found if each.as_of is not None), default=None),
        keys=found,
    )


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
