"""Where a key gets what waits for it: the nearest place where its kind is updated, seen from a lock."""

from dataclasses import dataclass
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.ids import AccessPointId, KeySystemId
from key2xs.keys.block_visits import BlockVisits, StoredUpdater
from key2xs.keys.port import KeyKind
from key2xs.plant.distance import metres_between
from key2xs.plant.service import find_access_point
from key2xs.plant.types import AccessPoint
from key2xs.services import Services

_WALL_KINDS: Final = {
    "wall": "wall updater",
    "desk": "desk updater",
    "mobile": "mobile updater",
    "phone": "phone",
}

# By what each kind of key is told of a change (facts: key systems, remote update path).
CONTACT: Final = {
    KeyKind.PHONE: "Open the key app on the phone where it has network: it fetches the change over the air.",
    KeyKind.FOB: "Hold the fob to a phone with the fob app, or bring it to the programmer at the key desk.",
    KeyKind.TAG: "Bring it to the programmer at the key desk.",
    KeyKind.METAL: "Bring the key to a hot spot, or to the programmer at the key desk.",
    KeyKind.DYNAMIC: "Insert the key in an updater until it says that it is done.",
    KeyKind.CONNECT: "Insert the key in an updater, or connect it with its app on a phone that has network.",
    KeyKind.NORMAL: "Insert the key in an updater: that sets until when it works. What it opens is listed in the locks, and "
    "a programming key has to visit each of them.",
}
_NO_PLACE_NEEDED: Final = frozenset({KeyKind.PHONE})


@dataclass(frozen=True, slots=True)
class NearUpdater:
    """One place to go. `metres` as the crow flies; None where either place has no coordinates."""

    kind: str
    place: str
    name: str
    same_area: bool
    metres: int | None
    online: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """How a key is told, and where: `near` is empty where no updater is listed."""

    how: str
    needs_place: bool
    near: tuple[NearUpdater, ...]


async def contact_of(
    tx: Connection, services: Services, kind: KeyKind, system_id: KeySystemId, lock_at: AccessPointId | None
) -> Contact:
    """Say how a key of a kind gets its change, and the updaters nearest to a lock."""
    how = CONTACT.get(kind, "Ask the key desk how this key is updated.")
    if kind in _NO_PLACE_NEEDED:
        return Contact(how, needs_place=False, near=())
    here = await find_access_point(tx, lock_at) if lock_at else None
    listed = await BlockVisits(services.ledger).updaters(tx, system_id)
    near = [await _near(tx, updater, here) for updater in listed]
    return Contact(how, needs_place=True, near=tuple(sorted(near, key=_order)[:3]))


async def _near(tx: Connection, updater: StoredUpdater, here: AccessPoint | None) -> NearUpdater:
    there = await find_access_point(tx, updater.place)
    return NearUpdater(
        kind=_WALL_KINDS.get(updater.kind, updater.kind),
        place=updater.place,
        name=there.name if there else "",
        same_area=bool(here and there and here.area_id == there.area_id),
        metres=metres_between(here, there) if here and there else None,
        online=updater.online,
    )


def _order(found: NearUpdater) -> tuple[bool, bool, float, bool, str]:
    """One that works before one that does not; then the nearest, then the same area."""
    return (
        not found.online, found.metres is None, found.metres or 0.0, not found.same_area, found.place,
    )  # fmt: skip
