"""The blocks that other parts of the product put on *My area* and on the control-room screen."""

from dataclasses import dataclass
from datetime import datetime

from key2xs.access import Permission, Principal
from key2xs.api.web import Web
from key2xs.core.database import Connection
from key2xs.keys.coverage.warnings import MemoryWarning, memory_warnings
from key2xs.keys.drift.describing import describe
from key2xs.keys.drift.findings import OPEN, list_findings
from key2xs.keys.live import Overdue, count_keys_out, longest_overdue
from key2xs.keys.reads import edited_elsewhere, stopped_writes

from .people import Alias, look_up
from .places import Chosen, list_choices
from .views.area_lines import ENDING_WITHIN, Lines, narrowed
from .views.outage import read_outage_notice
from .views.proposals import Count
from .views.safety import safety_now


@dataclass(frozen=True, slots=True)
class OverdueLine:
    """A key that should be back."""

    stamp: str
    holder: Alias | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class KeysOut:
    """What the page says of keys that are out: counts of the whole site, the overdue ones of the chosen places."""

    counts: tuple[Count, ...]
    overdue: Lines[OverdueLine]


async def read_blocks(tx: Connection, web: Web, reader: Principal, chosen: Chosen) -> dict[str, object]:
    """Read them, by the name that the templates know; None where the reader may not see one."""
    may_see_people, may_see_keys = (
        reader.may(Permission.GRANTS_LEASE_READ),
        reader.may(Permission.KEYS_KEY_READ),
    )
    return {
        # Somebody who may be inside concerns whoever looks: no choice of places leaves it out.
        "safety": await safety_now(tx, web.services, web.now, reader) if may_see_people else None,
        "outage": await read_outage_notice(tx, web, await _units(tx, chosen)),
        "out": await _keys_out(tx, chosen, web.now) if may_see_keys else None,
        # Both mean that keys are not what we believe or cannot become it: the whole site's, whoever looks.
        "stopped_writes": await stopped_writes(tx) if may_see_keys else [],
        "memories": await _memories(tx, chosen) if reader.may(Permission.KEYS_EVENT_READ) else [],
        "edited": await edited_elsewhere(tx) if may_see_keys else [],
        "ad_hoc": await describe(
            tx, await list_findings(tx, states=OPEN, ad_hoc=True), web.services.settings.zone
        )
        if may_see_keys
        else [],
    }


async def _units(tx: Connection, chosen: Chosen) -> list[str] | None:
    """Return the units of the chosen places, those of chosen areas too; None for the whole site."""
    if not chosen:
        return None
    inside = [
        code for choice in await list_choices(tx) if choice.code in chosen.areas for code, _ in choice.units
    ]
    return [*chosen.units, *inside]


async def _keys_out(tx: Connection, chosen: Chosen, at: datetime) -> KeysOut:
    now = await count_keys_out(tx, at, at + ENDING_WITHIN)
    found = await longest_overdue(tx, at, limit=200) if now.overdue else []
    lines: Lines[Overdue] = await narrowed(tx, chosen, [(each, each.cylinders) for each in found])
    people = await look_up(tx, [each.person_id for each in lines.shown], at)
    return KeysOut(
        (
            Count("out on the site", now.total),
            Count("overdue", now.overdue),
            Count("due within the hour", now.soon),
        ),
        Lines(
            tuple(OverdueLine(each.stamp, people.of(each.person_id), each.due_at) for each in lines.shown),
            lines.total,
        ),
    )


async def _memories(tx: Connection, chosen: Chosen) -> list[MemoryWarning]:
    """Return memories that are about to lose rows; a key's is nobody's area and everybody's."""
    found = await memory_warnings(tx)
    return [each for each in found if not chosen or each.area is None or chosen.has(each.area, each.unit)]
