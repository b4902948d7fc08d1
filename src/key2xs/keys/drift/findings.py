"""Reading findings: lists, one, and those of a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import CylinderId, KeyId, ZoneId
from key2xs.core.sql import load_queries
from key2xs.keys.wire import program_of

from .rules import default_policy
from .types import Finding, Policy, State

_SQL = load_queries("key2xs.keys.drift")

MOST: Final = 200
OPEN: Final[tuple[State, ...]] = ("open", "acknowledged")


@dataclass(frozen=True, slots=True)
class ZonePolicy:
    """What a zone does with edits. `is_default`: nobody said otherwise."""

    zone_id: ZoneId
    code: str
    name: str
    mode: str
    policy: Policy
    is_default: bool


async def list_findings(
    tx: Connection,
    *,
    zone: ZoneId | None = None,
    key: KeyId | None = None,
    cylinder: CylinderId | None = None,
    states: Sequence[State] | None = None,
    ad_hoc: bool | None = None,
    after: UUID | None = None,
    limit: int = MOST,
) -> list[Finding]:
    """Return findings, the newest first; `after` is the last one of the page before."""
    rows = await tx.fetch(
        _SQL["list_findings"], zone, key, list(states) if states else None, ad_hoc, after, cylinder, limit
    )
    return [finding_of(row) for row in rows]


async def findings_of_key(tx: Connection, key_id: KeyId) -> list[Finding]:
    """Return every finding about a key that is neither undone nor gone, the newest first.

    An edit that was accepted is still on the key: a bound must count it.
    """
    return await list_findings(tx, key=key_id, states=(*OPEN, "accepted"))


async def findings_standing(tx: Connection, key_id: KeyId) -> list[Finding]:
    """Return the findings that may keep a key from being written, the oldest first."""
    return list(reversed(await findings_of_key(tx, key_id)))


async def get_finding(tx: Connection, finding_id: UUID) -> Finding:
    """Return one finding.

    Raises:
        NotFound: there is none.
    """
    row = await tx.fetchrow(_SQL["find_finding"], finding_id)
    if row is None:
        message = f"there is no finding {finding_id}"
        raise NotFound(message)
    return finding_of(row)


async def count_findings(tx: Connection, zone: ZoneId | None = None) -> dict[str, int]:
    """Return how many findings are in which state; `ad_hoc`: unsettled ones that give access without a grant."""
    counts = {"open": 0, "acknowledged": 0, "reverted": 0, "accepted": 0, "gone": 0, "ad_hoc": 0}
    for row in await tx.fetch(_SQL["count_findings"], zone):
        counts[row["state"]] = row["n"]
        counts["ad_hoc"] += row["ad_hoc"] if row["state"] in OPEN else 0
    return counts


async def zone_policies(tx: Connection) -> list[ZonePolicy]:
    """Return what each security zone does with edits, by code."""
    return [
        ZonePolicy(
            ZoneId(row["id"]),
            row["code"],
            row["name"],
            row["mode"],
            _in_force(row["mode"], row["policy"]),
            row["policy"] is None,
        )
        for row in await tx.fetch(_SQL["policies"])
    ]


def _in_force(mode: str, policy: Policy | None) -> Policy:
    """A zone that is not enforced is never written, so nothing is reverted there."""
    if policy is None or (policy == "revert" and mode != "enforce"):
        return default_policy(mode)
    return policy


def finding_of(row: Any) -> Finding:
    """Read a finding from its row."""
    return Finding(
        id=row["id"],
        system_id=row["system_id"],
        system=row["system"],
        key_id=row["key_id"],
        stamp=row["stamp"],
        lock=row["lock_external_id"],
        lock_marking=row["lock_marking"],
        right=row["right_id"],
        right_name=row["right_name"],
        kind=row["kind"],
        before=row["before"],
        after=row["after"],
        zones=tuple(ZoneId(zone) for zone in row["zones"]),
        zone_codes=tuple(row["zone_codes"]),
        ad_hoc=row["ad_hoc"],
        policy=row["policy"],
        leaves=row["leaves"],
        wanted=program_of(row["wanted"]) if row["wanted"] is not None else None,
        state=row["state"],
        decision=row["decision"],
        first_seen=row["first_seen"],
        last_seen=_last_seen(row),
        settled_at=row["settled_at"],
        settled_by=row["settled_by"],
    )


def _last_seen(row: Any) -> datetime:
    seen: datetime = row["seen_last"] or row["last_seen"]
    return seen
