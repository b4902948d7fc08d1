"""Adoption for the API and the console: the first difference around a zone's switch, runs, and the roll-out."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from key2xs.access import Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotFound
from key2xs.core.ids import KeySystemId, ZoneId
from key2xs.identity.affiliations import last_said
from key2xs.identity.headcount import count_people
from key2xs.identity.types import LOCAL_SOURCE
from key2xs.keys.adoption.counting import share, share_by_zone
from key2xs.keys.adoption.difference import FirstDifference
from key2xs.keys.adoption.readiness import Heard, Rollout, rollout, zones_ready
from key2xs.keys.adoption.visits import OverTheAir
from key2xs.keys.port import KeyKind
from key2xs.ledger.readers import readers_behind
from key2xs.plant import cylinder_facts, list_zones
from key2xs.work.facts import list_permits, permit_facts
from key2xs.work.feed import source_status

from .web import Web

_MOST_PERMITS: Final = 100  # in force at once; a large refinery has some five hundred, the newest tell enough
_UNEXPLAINED_FOR: Final = timedelta(days=30)
_BEHIND: Final = 1_000  # entries; a receiver that is so far behind does not receive


class Answer(msgspec.Struct, frozen=True):
    """Something computed now, as it stands."""

    at: datetime
    content: dict[str, Any]


async def zone_of(tx: Connection, code: str) -> ZoneId:
    """Return the security zone of a code.

    Raises:
        NotFound: there is none.
    """
    found = [zone.id for zone in await list_zones(tx) if zone.code == code]
    if not found:
        raise NotFound(f"there is no security zone {code}")
    return found[0]


def plain(value: Any) -> Any:
    """Write a value of a room as JSON has it."""
    return msgspec.to_builtins(value)


async def difference_of(tx: Connection, web: Web, zone_id: ZoneId) -> FirstDifference:
    """Return what would change now if a zone were enforced."""
    return await web.services.differences.of_zone(tx, zone_id, web.services.kill.systems, web.now)


async def shown_with(
    tx: Connection, web: Web, caller: Principal, zone_id: ZoneId, mode: str
) -> dict[str, Any]:
    """Return what is stored with a proposal to switch a zone: what its proposer was shown."""
    if mode != "enforce":
        return {}
    found = await difference_of(tx, web, zone_id)
    kept = await web.services.differences.keep(tx, found, caller.actor, web.now)
    return {"difference": str(kept), "digest": found.digest, "counts": found.counts}


async def require_seen(
    tx: Connection, web: Web, proposal: Proposal, seen: str | None
) -> FirstDifference | None:
    """Refuse to switch a zone when it would change other keys than its second person has seen.

    Raises:
        Conflict: it changed since it was proposed, and nobody has looked at what it is now.
    """
    if proposal.kind != "zone_mode" or proposal.payload["mode"] != "enforce":
        return None
    found = await difference_of(tx, web, ZoneId(UUID(proposal.payload["zone"])))
    if found.digest not in {proposal.payload.get("digest"), seen}:
        was = (proposal.payload.get("counts") or {}).get("keys", 0)
        message = (
            f"what would change is not what was proposed: {was} keys then, {len(found.changes)} keys now, or other "
            f"locks on them. Look at it again and confirm with seen={found.digest}"
        )
        raise Conflict(message)
    return found


async def switched(
    tx: Connection, web: Web, done: Proposal, found: FirstDifference | None, actor: str, at: datetime
) -> None:
    """End standing rights in a zone that was just enforced, and let the brake pass what two people saw."""
    if found is None:
        return
    await web.services.standing.end_enforced(tx, at)
    for system_id, keys in found.by_system.items():
        await web.services.brake.agree(tx, system_id, keys, actor=actor, reason=done.reason, at=at)


async def start_run(tx: Connection, web: Web, done: Proposal, actor: str, at: datetime) -> None:
    """Begin an adoption after its second person confirmed it."""
    zone = done.payload["zone"]
    await web.services.adoption.start(
        tx,
        KeySystemId(UUID(done.payload["system"])),
        ZoneId(UUID(zone)) if zone else None,
        started_by=f"user:{done.proposed_by}",
        confirmed_by=actor,
        reason=done.reason,
        at=at,
    )


def over_the_air(web: Web) -> OverTheAir:
    """Return who tells which keys are updated without anybody carrying them; unknown counts as no."""
    systems = {system.name: system for system in web.services.kill.systems.values()}

    def tell(name: str, kind: KeyKind) -> bool:
        system = systems.get(name)
        return system is not None and system.port.capabilities(kind).updates_over_the_air

    return tell


async def read_rollout(tx: Connection, web: Web) -> Rollout:
    """Put the roll-out together from what every room knows now."""
    at = web.now
    zones = await zones_ready(tx, at, await _permits(tx, at))
    return await rollout(
        tx,
        zones,
        await _heard(tx, web, at),
        await web.services.connections.all(tx),
        at.astimezone(web.services.settings.zone).date(),
    )


async def _permits(tx: Connection, at: datetime) -> list[tuple[frozenset[ZoneId], bool]]:
    found = []
    for permit in await list_permits(tx, at, states=["live"], limit=_MOST_PERMITS):
        facts = await permit_facts(tx, permit.id, at)
        places = await cylinder_facts(tx, facts.cylinders, at=at)
        found.append((frozenset(place.zone_id for place in places.values()), not facts.unmapped))
    return found


async def _heard(tx: Connection, web: Web, at: datetime) -> Heard:
    said = {source: when for source, when in (await last_said(tx)).items() if source != LOCAL_SOURCE}
    behind = await readers_behind(tx)
    sinks = [sink.name for sink in web.services.settings.syslog]
    unexplained = await web.services.events.recent(tx, classes=["unexplained"], limit=1_000)
    return Heard(
        iam_at=max(said.values(), default=None),
        people=await count_people(tx),
        permits_fresh=any(status.feed_ok == "yes" for status in await source_status(tx, at)),
        siem=all(behind.get(f"syslog:{name}", 0) < _BEHIND for name in sinks) if sinks else None,
        share_standing=(await share(tx, at)).of_standing,
        standing_enforced=sum(
            zone.share.standing for zone in await share_by_zone(tx, at) if zone.mode == "enforce"
        ),
        unexplained=sum(event.arrived_at > at - _UNEXPLAINED_FOR for event in unexplained),
    )
