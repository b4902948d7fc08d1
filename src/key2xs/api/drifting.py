"""Edits made elsewhere: what the API and the console do alike."""

from uuid import UUID

from key2xs.access import Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.ids import ZoneId
from key2xs.keys.drift.acts import needs_second, policy_of_zone, require_change
from key2xs.keys.drift.types import Policy

from .web import Web


async def set_policy(
    tx: Connection, web: Web, caller: Principal, zone_id: ZoneId, policy: Policy, *, reason: str
) -> Proposal | None:
    """Say what a zone does with edits; return the proposal where that waits for a second person.

    Raises:
        NotFound: no such zone.
        Conflict: it does that already, or cannot.
    """
    zone = await policy_of_zone(tx, zone_id)
    require_change(zone, policy)
    if not needs_second(zone, policy):
        await web.services.drift_acts.set_policy(
            tx, zone_id, policy, actor=caller.actor, reason=reason, at=web.now
        )
        return None
    return await web.access.proposals.propose(
        tx,
        caller,
        "drift_policy",
        subject=f"zone:{zone_id}",
        payload={"zone": str(zone_id), "code": zone.code, "before": zone.policy, "policy": policy},
        reason=reason,
        at=web.now,
    )


async def carry_out_policy(tx: Connection, web: Web, done: Proposal, caller: Principal) -> None:
    """Do what was proposed and is confirmed now."""
    await web.services.drift_acts.set_policy(
        tx,
        ZoneId(UUID(done.payload["zone"])),
        done.payload["policy"],
        actor=f"user:{done.proposed_by}",
        reason=done.reason,
        at=web.now,
        confirmed_by=caller.actor,
    )
