"""Findings with their words, for surfaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from key2xs.core.database import Connection
from key2xs.core.ids import KeySystemId
from key2xs.core.sql import load_queries

from .types import Finding
from .words import KINDS, WHO, before_and_after, ids_in, subject

_SQL = load_queries("key2xs.keys.drift")


@dataclass(frozen=True, slots=True)
class Described:
    """A finding in words. `who` is said as far as the system tells it, and no maker's interface does at present."""

    finding: Finding
    subject: str
    what: str
    before: str
    after: str
    who: str = WHO


async def describe(tx: Connection, findings: Sequence[Finding], zone: ZoneInfo) -> list[Described]:
    """Put findings into words, instants in the site's `zone`."""
    wanted: dict[KeySystemId, set[str]] = {}
    for each in findings:
        wanted.setdefault(each.system_id, set()).update(ids_in(each))
    names: dict[KeySystemId, Mapping[str, str]] = {}
    for system_id, ids in wanted.items():
        rows = await tx.fetch(_SQL["names_of"], system_id, sorted(ids)) if ids else []
        names[system_id] = {row["external_id"]: row["name"] for row in rows}
    return [
        Described(each, subject(each), KINDS[each.kind], *before_and_after(each, names[each.system_id], zone))
        for each in findings
    ]
