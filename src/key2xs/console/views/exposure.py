"""*Exposure*: what is left of rights that were ended, until when, what to do now, and what goes on working."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from key2xs.api.exposing import exposed_keys
from key2xs.api.exposure_totals import cylinders_of_zone, totals_by
from key2xs.api.routes.answers import company_of
from key2xs.api.shortening import Exposed, walk_of
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId
from key2xs.identity import Company, list_companies, persons_of_company
from key2xs.keys.assumptions import ASSUMPTIONS, Assumption
from key2xs.keys.exposure_lists import ended_pairs
from key2xs.keys.exposure_totals import Group, add_up
from key2xs.keys.exposure_types import Exposure, ExposureKind, WorksUntil
from key2xs.keys.exposure_walk import Walk
from key2xs.keys.lasting import KeyLasts, key_systems, lasting_keys
from key2xs.keys.live import keys_with_ids
from key2xs.keys.reopening.reads import StoredBroken, list_broken
from key2xs.plant.service import list_zones
from key2xs.plant.types import Cylinder, Zone

MOST_KEYS: Final = 40
_MOST_LASTING: Final = 12


@dataclass(frozen=True, slots=True)
class Alike:
    """Cylinders at which one key has the same answer."""

    exposure: Exposure
    works_until: WorksUntil
    cylinders: tuple[Cylinder, ...]
    unknown: int
    """Locks in no plant register."""


@dataclass(frozen=True, slots=True)
class ExposedLine:
    """One key of which something is left."""

    exposed: Exposed
    holder: Alias | None
    alike: tuple[Alike, ...]

    @property
    def is_endless(self) -> bool:
        """Whether nothing ends it by itself at some cylinder."""
        return any(each.exposure.kind is ExposureKind.NO_BOUND for each in self.alike)

    @property
    def until(self) -> datetime | None:
        """When the last of it is surely over."""
        ends = [each.exposure.at for each in self.alike if each.exposure.at is not None]
        return None if self.is_endless else max(ends, default=None)


@dataclass(frozen=True, slots=True)
class LastingLine:
    """One key that should work, and until when it surely does."""

    key: KeyLasts
    holder: Alias | None


@dataclass(frozen=True, slots=True)
class ExposureView:
    """Everything on the page. `zone` and `company` are what it was narrowed to."""

    lines: tuple[ExposedLine, ...]
    keys: int
    endless: int
    over_at: datetime | None
    cylinders: int
    by_zone: tuple[Group, ...]
    walk: Walk
    lasting: tuple[LastingLine, ...]
    zones: tuple[Zone, ...]
    companies: tuple[Company, ...]
    zone: str
    company: str
    assumptions: tuple[Assumption, ...]
    first: int
    """How many keys stand on the pages before this one."""
    reopened: tuple[StoredBroken, ...]
    """Findings that stand: what was published and rested on them is none."""

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.keys // MOST_KEYS))

    @property
    def page(self) -> int:
        """Which one this is, from 1."""
        return self.first // MOST_KEYS + 1


async def read_exposure(tx: Connection, web: Web, zone: str, company: str, page: int = 1) -> ExposureView:
    """Read one page of 40 keys, the worst first.

    Raises:
        NotFound: no such security zone, or company.
    """
    at = web.now
    only = await cylinders_of_zone(tx, zone) if zone else None
    persons = await persons_of_company(tx, (await company_of(tx, company)).id, at) if company else None
    pairs = await ended_pairs(tx, cylinders=only, persons=persons)
    left = [pair for pair in pairs if pair.kind_at(at) is not ExposureKind.PROVEN_END]
    by_key = add_up(left, at, lambda pair: (str(pair.key_id),))
    stored = await keys_with_ids(tx, [KeyId(pair.key_id) for pair in left])
    of_name = {str(key.id): key for key in stored.values()}
    first = min(max(page - 1, 0) * MOST_KEYS, max(len(by_key) - 1, 0) // MOST_KEYS * MOST_KEYS)
    named = (group.name for group in by_key[first : first + MOST_KEYS])
    shown = [of_name[name] for name in named if name in of_name]
    exposed, cylinders = await exposed_keys(tx, web, shown, at, only=only)
    lasting = await lasting_keys(tx, await key_systems(tx), at, limit=_MOST_LASTING)
    people = await look_up(
        tx, [*(each.answer.person_id for each in exposed), *(key.person_id for key in lasting)], at
    )
    lines = [
        ExposedLine(each, people.of(each.answer.person_id), _alike(each, cylinders))
        for each in exposed
        if each.residual
    ]
    bounds = [group.until for group in by_key if group.until is not None]
    endless = sum(group.kind is ExposureKind.NO_BOUND for group in by_key)
    return ExposureView(
        lines=tuple(lines),
        keys=len(by_key),
        endless=endless,
        over_at=None if endless else max(bounds, default=None),
        cylinders=len({pair.cylinder_id for pair in left}),
        by_zone=tuple(await totals_by(tx, "zone", at)),
        walk=await walk_of(tx, exposed, cylinders),
        lasting=tuple(LastingLine(key, people.of(key.person_id)) for key in lasting),
        zones=tuple(await list_zones(tx)),
        companies=tuple(sorted(await list_companies(tx), key=lambda each: each.name)),
        zone=zone,
        company=company,
        assumptions=_published(lines),
        first=first,
        reopened=tuple(await list_broken(tx)),
    )


def _alike(each: Exposed, cylinders: Mapping[CylinderId, Cylinder]) -> tuple[Alike, ...]:
    groups: dict[Exposure, list[int]] = {}
    for number, pair in enumerate(each.residual):
        groups.setdefault(pair.exposure, []).append(number)
    return tuple(
        Alike(
            exposure,
            each.residual[numbers[0]].works_until,
            tuple(
                cylinders[found]
                for number in numbers
                if (found := each.residual[number].cylinder_id) is not None and found in cylinders
            ),
            sum(each.residual[number].cylinder_id not in cylinders for number in numbers),
        )
        for exposure, numbers in groups.items()
    )


def _published(lines: list[ExposedLine]) -> tuple[Assumption, ...]:
    used = {each for line in lines for alike in line.alike for each in alike.exposure.assumptions}
    return tuple(each for each in ASSUMPTIONS.values() if each.id in used)
