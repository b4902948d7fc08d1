"""Openings and refusals as lines of a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import CylinderId, KeyId
from key2xs.keys.live import keys_with_ids
from key2xs.keys.types import StoredEvent, StoredKey, Target
from key2xs.plant.service import list_cylinders
from key2xs.plant.types import Cylinder
from key2xs.services import Services


@dataclass(frozen=True, slots=True)
class OpeningLine:
    """One row of a lock's log, with everything it names."""

    event: StoredEvent
    key: StoredKey | None
    cylinder: Cylinder | None
    holder: Alias | None

    @property
    def at(self) -> datetime:
        """When it happened, else when it arrived."""
        return self.event.occurred_at or self.event.arrived_at


async def opening_lines(
    tx: Connection, services: Services, events: Sequence[StoredEvent], at: datetime
) -> list[OpeningLine]:
    """Look up the keys, locks and holders of some events."""
    keys = await keys_by_id(tx, services, [event.key_id for event in events])
    cylinders = await cylinders_by_id(tx, [event.cylinder_id for event in events])
    people = await look_up(tx, [event.person_id for event in events], at)
    return [
        OpeningLine(
            event,
            keys.get(event.key_id) if event.key_id else None,
            cylinders.get(event.cylinder_id) if event.cylinder_id else None,
            people.of(event.person_id),
        )
        for event in events
    ]


async def keys_by_id(
    tx: Connection,
    services: Services,  # noqa: ARG001 - every look-up takes both
    wanted: Sequence[KeyId | None],
) -> dict[KeyId, StoredKey]:
    """Return some keys by id."""
    return await keys_with_ids(tx, wanted)


async def cylinders_by_id(tx: Connection, wanted: Sequence[CylinderId | None]) -> dict[CylinderId, Cylinder]:
    """Return some cylinders by id."""
    ids = sorted({cylinder_id for cylinder_id in wanted if cylinder_id is not None})
    found = await list_cylinders(tx, ids=ids, limit=max(1, len(ids))) if ids else []
    return {cylinder.id: cylinder for cylinder in found}


def shown_problem(target: Target | None, key: StoredKey) -> str:
    """Return why a key is stuck, with the stamp in place of the vendor's id that nobody can read."""
    return (target.problem or "").replace(key.external_id, key.stamp) if target else ""
