"""*Key*: who has it, what it opens and until when, how far its program is, and what it opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.console.people import Alias, look_up
from key2xs.console.words import CANNOT_CARRY, named
from key2xs.console.words_ways import WayLine, way_lines, ways_out_of
from key2xs.core.database import Connection
from key2xs.core.ids import GrantId
from key2xs.grants.reads import leases_of_person
from key2xs.grants.types import Lease
from key2xs.incidents.kill_types import at_work
from key2xs.keys.coverage.reads import coverage_of
from key2xs.keys.coverage.rules import Coverage
from key2xs.keys.openers import KeyExposure, Pair
from key2xs.keys.types import KeySystem, StoredKey, Target
from key2xs.plant.types import Cylinder
from key2xs.services import Services

from .bases import BasisLine, BasisNames, EndedLine, last_ended, leases_by_id, name_bases
from .openings import OpeningLine, cylinders_by_id, opening_lines, shown_problem


@dataclass(frozen=True, slots=True)
class PairLine:
    """One lock that the key may open."""

    pair: Pair
    cylinder: Cylinder | None
    lease: Lease | None
    basis: BasisLine | None
    ended: EndedLine | None


@dataclass(frozen=True, slots=True)
class NotCarried:
    """Access that the holder has and the key cannot carry, and why."""

    basis: BasisLine
    why: str
    ways: tuple[WayLine, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyView:
    """Everything on the page."""

    key: StoredKey
    system: KeySystem | None
    holder: Alias | None
    target: Target | None
    exposure: KeyExposure
    pairs: tuple[PairLine, ...]
    coming: tuple[tuple[Lease, BasisLine], ...]
    not_carried: tuple[NotCarried, ...]
    openings: tuple[OpeningLine, ...]
    coverage: Coverage
    """How far they are known."""

    @property
    def problem(self) -> str:
        """Why it is stuck."""
        return shown_problem(self.target, self.key)

    @property
    def works_until(self) -> datetime | None:
        """Until when all that is allowed surely still works."""
        ends = [line.pair.works_until.at for line in self.pairs if line.lease is not None]
        known = [end for end in ends if end is not None]
        return min(known, default=None)

    @property
    def lock_box_note(self) -> str:
        """What the end of the key means for a lock box it opens (S3); empty where it opens none."""
        running = [
            line.cylinder for line in self.pairs if line.lease is not None and line.cylinder is not None
        ]
        boxes = [cylinder for cylinder in running if cylinder.safety_role == "lock_box"]
        if not boxes:
            return ""
        if len(boxes) == len(running):
            return (
                "It opens lock boxes only, so its end in the key lies later than the end of the access, for the time that "
                "personal locks may still be on. The time above counts that in."
            )
        return (
            "It opens other locks beside the lock box, and a key has one end for all. When the time runs out with personal "
            "locks on, the lock box is kept and written anew at the next contact; until then it stays shut to this key."
        )

    @property
    def exposed(self) -> tuple[PairLine, ...]:
        """Locks it can still open although nothing allows it."""
        return tuple(
            line for line in self.pairs if line.lease is None and str(line.pair.exposure.kind) != "proven_end"
        )


@dataclass(frozen=True, slots=True)
class Affected:
    """Who and what is affected when a key stops, shown before anybody stops it."""

    view: KeyView
    signed_on: tuple[tuple[str, str], ...]
    """Permits the holder is signed on to: id and number."""
    other_keys: tuple[str, ...]
    on_duty: bool = False
    kept: tuple[tuple[str, str], ...] = ()
    """What a safety rule would keep, and which rule."""


async def read_key(tx: Connection, services: Services, stamp: str, at: datetime) -> KeyView:
    """Read the page.

    Raises:
        NotFound: no such key, or several carry this stamp.
    """
    key = await services.registry.get_key(tx, stamp)
    exposure = await services.openers.exposure_of(tx, key, at)
    target = await services.targets.find(tx, key.id)
    systems = {system.id: system for system in await services.registry.systems(tx)}
    leases = await leases_by_id(tx, [pair.grant_id for pair in exposure.pairs])
    mine = await leases_of_person(tx, exposure.person_id) if exposure.person_id else []
    coming = [lease for lease in mine if lease.state == "scheduled"]
    names = await name_bases(tx, [lease.basis_ref for lease in [*leases.values(), *mine]])
    people = await look_up(tx, [exposure.person_id], at)
    events = await services.events.recent(tx, key_id=key.id, limit=12)
    return KeyView(
        key=key,
        system=systems.get(key.system_id),
        holder=people.of(exposure.person_id),
        target=target,
        exposure=exposure,
        pairs=tuple(await _pairs(tx, exposure, leases, names, at)),
        coming=tuple((lease, names.of(lease)) for lease in sorted(coming, key=lambda lease: lease.starts_at)),
        not_carried=tuple(await _not_carried(tx, services, target, mine, names, at)),
        openings=tuple(await opening_lines(tx, services, events, at)),
        coverage=await coverage_of(tx, key, None, at),
    )


async def read_affected(tx: Connection, services: Services, stamp: str, at: datetime) -> Affected:
    """Read what blocking a key would touch; changes nothing."""
    view = await read_key(tx, services, stamp, at)
    person_id = view.exposure.person_id
    if person_id is None:
        return Affected(view, (), ())
    working = await at_work(tx, [person_id], at)
    signed_on = tuple((str(each.permit_id), each.number) for one in working for each in one.permits)
    keys = await services.custody.keys_of(tx, person_id, at)
    kept = await services.key_ends.kept(tx, view.key, at)
    return Affected(
        view,
        signed_on,
        tuple(key.stamp for key in keys if key.id != view.key.id),
        on_duty=any(one.on_duty for one in working),
        kept=tuple(dict.fromkeys((each.why, each.rule) for each in kept)),
    )


async def _pairs(
    tx: Connection, exposure: KeyExposure, leases: dict[GrantId, Lease], names: BasisNames, at: datetime
) -> list[PairLine]:
    cylinders = await cylinders_by_id(tx, [pair.cylinder_id for pair in exposure.pairs])
    lines = []
    for pair in exposure.pairs:
        lease = leases.get(pair.grant_id) if pair.grant_id else None
        cylinder = cylinders.get(pair.cylinder_id) if pair.cylinder_id else None
        ended = None if lease else await last_ended(tx, exposure.person_id, pair.cylinder_id, at)
        lines.append(PairLine(pair, cylinder, lease, names.of(lease) if lease else None, ended))
    return sorted(lines, key=lambda line: line.cylinder.marking if line.cylinder else line.pair.lock)


async def _not_carried(
    tx: Connection,
    services: Services,
    target: Target | None,
    leases: Sequence[Lease],
    names: BasisNames,
    at: datetime,
) -> list[NotCarried]:
    by_id = {str(lease.id): lease for lease in leases if lease.state != "ended"}
    cannot = {grant: why for grant, why in (target.cannot if target else {}).items() if grant in by_id}
    if not cannot:
        return []
    people = {by_id[grant].person_id for grant in cannot}
    keys = [key for person in people for key in await services.custody.keys_of(tx, person, at)]
    usable = {key.stamp for key in keys if not key.blocked_at and not key.deleted}
    return [
        NotCarried(
            names.of(by_id[grant]),
            named(CANNOT_CARRY, str(why.get("why", ""))),
            way_lines(ways_out_of(why), keys=usable),
        )
        for grant, why in cannot.items()
    ]
