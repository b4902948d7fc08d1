"""`generate_site`: one call from size and seed to a whole site."""

from __future__ import annotations

import random
from datetime import date
from zoneinfo import ZoneInfo

from .cliq import SYSTEM, build_cliq
from .model import Site, Sizes
from .plant import SITE_CODE, build_plant, new_guid
from .rights import build_keys, build_rights
from .rota import build_duties, build_shifts
from .sizes import SIZES
from .workforce import build_workforce

TIME_ZONE = "Europe/Amsterdam"
FIRST_DAY = date(2026, 7, 1)
ROTA_DAYS = 7  # a week of duties is enough for every scenario and keeps the import short


def generate_site(
    size: str | Sizes = "S", seed: int = 7, *, first_day: date = FIRST_DAY, days: int = ROTA_DAYS
) -> Site:
    """The synthetic site of one size (S, M, L, or sizes of one's own) and seed; the rota covers `days` days from `first_day`.

    Each part draws from its own stream, so that a change in one does not stir the others.
    ValueError for an unknown size.
    """
    name, sizes = (f"{size.cylinders}", size) if isinstance(size, Sizes) else (size, SIZES.get(size))
    if sizes is None:
        raise ValueError(f"size is one of {', '.join(SIZES)}, not {size!r}")
    plant = build_plant(sizes, _stream(name, seed, "plant"))
    workforce = build_workforce(sizes, _stream(name, seed, "workforce"), first_day)
    cliq = build_cliq(sizes, plant, workforce.people, _stream(name, seed, "cliq"))
    shifts = build_shifts(first_day, days, ZoneInfo(TIME_ZONE))
    return Site(
        size=name,
        seed=seed,
        code=SITE_CODE,
        time_zone=TIME_ZONE,
        locking_system_id=new_guid(_stream(name, seed, "locking system")),
        first_day=first_day,
        days=days,
        areas=plant.areas,
        units=plant.units,
        zones=plant.zones,
        assets=plant.assets,
        access_points=plant.access_points,
        cylinders=plant.cylinders,
        asset_cylinders=plant.asset_cylinders,
        companies=workforce.companies,
        people=workforce.people,
        qualifications=workforce.qualifications,
        shifts=shifts,
        duties=build_duties(shifts, workforce.people, plant.units),
        keys=build_keys(sizes, workforce.people, _stream(name, seed, "keys")),
        rights=build_rights(plant, _stream(name, seed, "rights")),
        cliq_system=SYSTEM,
        cliq_groups=cliq.groups,
        cliq_keys=cliq.keys,
        updaters=cliq.updaters,
        programming_keys=cliq.programming_keys,
    )


def _stream(size: str, seed: int, part: str) -> random.Random:
    return random.Random(f"{size}/{seed}/{part}")
