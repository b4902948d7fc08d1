"""How far a site has come: each security zone, and each of the four stages of the thirteen weeks. All computed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, TypeAlias

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import ZoneId
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Ledger

_SQL = load_queries("key2xs.keys.adoption")

Done: TypeAlias = Literal["yes", "no", "unknown"]
WEEKS: Final = 13


@dataclass(frozen=True, slots=True)
class ZoneReady:
    """One zone: what is known of its locks and of the keys that open there."""

    zone_id: ZoneId
    zone: str
    mode: str
    cylinders: int
    listed: int
    ready: int
    keys: int
    adopted: int
    grants: int
    unmapped_permits: int
    permits: int

    @property
    def visited(self) -> bool:
        """Every lock is known to its key system and takes rights that may be written."""
        return self.cylinders > 0 and self.listed == self.cylinders == self.ready

    @property
    def missing(self) -> tuple[str, ...]:
        """What stands between this zone and *enforce*, in words; empty when nothing does."""
        lacks = [
            (self.cylinders == 0, "no lock is mapped to it"),
            (
                self.listed < self.cylinders,
                f"{self.cylinders - self.listed} locks are in no key system's list",
            ),
            (self.ready < self.listed, f"{self.listed - self.ready} locks must be visited"),
            (self.adopted < self.keys, f"{self.keys - self.adopted} keys that open here are not adopted"),
            (
                self.unmapped_permits > 0,
                f"{self.unmapped_permits} permit{'s name' if self.unmapped_permits != 1 else ' names'} equipment that has no lock",
            ),
        ]
        return tuple(text for lacking, text in lacks if lacking)


@dataclass(frozen=True, slots=True)
class Heard:
    """What other rooms say that the roll-out rests on; None: not set up at all."""

    iam_at: datetime | None
    people: int
    permits_fresh: bool
    siem: bool | None
    share_standing: float | None
    standing_enforced: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a stage needs. `unknown`: this version does not measure it."""

    text: str
    done: Done
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the roll-out, in whole weeks."""

    name: str
    first_week: int
    last_week: int
    checks: tuple[Check, ...]

    @property
    def done(self) -> int:
        """How many of its checks are met."""
        return sum(check.done == "yes" for check in self.checks)


@dataclass(frozen=True, slots=True)
class Rollout:
    """The roll-out as it stands. `week`: counted from its first day; None before a person set that day."""

    starts_on: date | None
    week: int | None
    pilot: tuple[ZoneId, ...]
    zones: tuple[ZoneReady, ...]
    stages: tuple[Stage, ...]


class Rollouts:
    """Setting when and where a site begins."""

    def __init__(self, ledger: Ledger) -> None:
        """Record with `ledger`."""
        self._ledger = ledger

    async def plan(
        self,
        tx: Connection,
        *,
        starts_on: date,
        pilot: Collection[ZoneId],
        actor: str,
        at: datetime,
        reason: str = "",
    ) -> None:
        """Say on which day the roll-out begins and which zones are the pilot.

        Raises:
            InvalidInput: a zone that the plant register does not know.
        """
        known = {row["zone_id"] for row in await tx.fetch(_SQL["zone_readiness"])}
        if strange := set(pilot) - known:
            raise InvalidInput("pilot", f"there is no lock in zone {min(map(str, strange))}")
        why = {"reason": reason} if reason else {}
        entry = await self._ledger.record(
            tx,
            Entry(
                kind="keys:rollout:plan",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=tuple(f"zone:{zone}" for zone in sorted(pilot))[:15],
                heads=("rollout:site",),
                body={
                    "starts_on": starts_on.isoformat(),
                    "pilot": [str(zone) for zone in sorted(pilot)],
                    **why,
                },
            ),
        )
        await tx.execute(_SQL["put_rollout"], starts_on, sorted(pilot), entry)


async def zones_ready(
    tx: Connection, at: datetime, permits: Sequence[tuple[Collection[ZoneId], bool]] = ()
) -> list[ZoneReady]:
    """Return every zone. `permits`: of each permit in force, the zones it names and whether all of it has locks."""
    keys = {row["zone_id"]: row for row in await tx.fetch(_SQL["zone_keys"], at)}
    return [
        ZoneReady(
            zone_id=row["zone_id"],
            zone=row["zone"],
            mode=row["mode"],
            cylinders=row["cylinders"],
            listed=row["listed"],
            ready=row["ready"],
            keys=keys[row["zone_id"]]["keys"] if row["zone_id"] in keys else 0,
            adopted=keys[row["zone_id"]]["adopted"] if row["zone_id"] in keys else 0,
            grants=keys[row["zone_id"]]["grants"] if row["zone_id"] in keys else 0,
            permits=sum(row["zone_id"] in zones for zones, _ in permits),
            unmapped_permits=sum(row["zone_id"] in zones and not mapped for zones, mapped in permits),
        )
        for row in await tx.fetch(_SQL["zone_readiness"])
    ]


async def rollout(
    tx: Connection, zones: Sequence[ZoneReady], heard: Heard, connections: Sequence[object], today: date
) -> Rollout:
    """Put the stages together from what is known now; nothing in them is ever ticked by hand."""
    row = await tx.fetchrow(_SQL["rollout"])
    pilot_ids = frozenset(row["pilot_zones"]) if row is not None else frozenset()
    starts_on = row["starts_on"] if row is not None else None
    pilot = [zone for zone in zones if zone.zone_id in pilot_ids]
    others = [zone for zone in zones if zone.zone_id not in pilot_ids]
    return Rollout(
        starts_on,
        (today - starts_on) // timedelta(weeks=1) if starts_on is not None else None,
        tuple(sorted(pilot_ids)),
        tuple(zones),
        (
            Stage("Foundations", 0, 2, _foundations(zones, heard, connections)),
            Stage("Pilot", 3, 6, _pilot(pilot, heard, connections)),
            Stage("Scale", 7, 10, _scale(others, pilot)),
            Stage("Prove", 11, WEEKS, _prove(zones, heard)),
        ),
    )


def _foundations(
    zones: Sequence[ZoneReady], heard: Heard, connections: Sequence[object]
) -> tuple[Check, ...]:
    locks = sum(zone.cylinders for zone in zones)
    unlisted = sum(zone.cylinders - zone.listed for zone in zones)
    listed = [each for each in connections if getattr(each, "inventory_at", None) is not None]
    return (
        Check("The IAM was heard", _yes(heard.iam_at is not None)),
        Check("People are known", _yes(heard.people > 0), f"{heard.people} people"),
        Check("Security zones and locks are imported", _yes(locks > 0), f"{len(zones)} zones, {locks} locks"),
        Check(
            "Key systems are connected and were listed",
            _yes(bool(connections) and len(listed) == len(connections)),
            f"{len(listed)} of {len(connections)}",
        ),
        Check(
            "Every lock is known to its key system", _yes(locks > 0 and not unlisted), f"{unlisted} are not"
        ),
    )


def _pilot(pilot: Sequence[ZoneReady], heard: Heard, connections: Sequence[object]) -> tuple[Check, ...]:
    writing = [each for each in connections if getattr(each, "writes", False)]
    return (
        Check("A pilot is chosen", _yes(bool(pilot)), ", ".join(zone.zone for zone in pilot)),
        Check("Its locks were visited", _all(pilot, [zone.visited for zone in pilot])),
        Check("Keys that open there are adopted", _all(pilot, [zone.adopted == zone.keys for zone in pilot])),
        Check("The permit system is heard", _yes(heard.permits_fresh)),
        Check("Permits name equipment that has locks", _all(pilot, [not zone.unmapped_permits for zone in pilot])),
        Check("Security monitoring receives the log", "unknown" if heard.siem is None else _yes(heard.siem),
              "no receiver is set up" if heard.siem is None else ""),
        Check("A key system may be written", _yes(bool(writing))),
        Check("The pilot is enforced", _all(pilot, [zone.mode == "enforce" for zone in pilot])),
        Check("Access was given just in time there", _all(pilot, [zone.grants > 0 for zone in pilot]),
              "grants that are on keys now"),
    )  # fmt: skip


def _scale(others: Sequence[ZoneReady], pilot: Sequence[ZoneReady]) -> tuple[Check, ...]:
    every = [*pilot, *others]
    enforced = sum(zone.mode == "enforce" for zone in every)
    return (
        Check("Every zone's locks were visited", _all(every, [zone.visited for zone in every])),
        Check("Every key is adopted", _all(every, [zone.adopted == zone.keys for zone in every])),
        Check("Every zone is enforced", _all(every, [zone.mode == "enforce" for zone in every]),
              f"{enforced} of {len(every)}"),
        Check("Key plans and duties that must be separate", "unknown", "this version does not propose them"),
    )  # fmt: skip


def _prove(zones: Sequence[ZoneReady], heard: Heard) -> tuple[Check, ...]:
    part = heard.share_standing
    return (
        Check(
            "No standing access is left in enforced zones",
            _yes(not heard.standing_enforced and any(zone.mode == "enforce" for zone in zones)),
            f"{heard.standing_enforced} pairs of key and lock; on the whole site "
            + ("nothing opens yet" if part is None else f"{part:.0%} of access is standing"),
        ),
        Check("No opening is unexplained", _yes(not heard.unexplained), f"{heard.unexplained} in 30 days"),
        Check("Evidence pack and monthly figures", "unknown", "this version does not make them"),
    )


def _yes(is_so: bool) -> Done:  # noqa: FBT001 - a yes or no
    return "yes" if is_so else "no"


def _all(zones: Sequence[ZoneReady], answers: Sequence[bool]) -> Done:
    return _yes(bool(zones) and all(answers))
