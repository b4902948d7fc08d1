"""Releasing what a safety rule holds: one proposes, a second person confirms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from key2xs.access import Principal, Proposal
from key2xs.access.types import ProposalKind
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import GrantId, KeyId
from key2xs.grants.holding import Kept
from key2xs.grants.reads import get_lease
from key2xs.incidents.kill_types import By
from key2xs.keys.types import StoredKey

from .web import Web

KINDS: Final = frozenset({"release_hold", "remove_last_holder"})


async def propose_release(
    tx: Connection, web: Web, caller: Principal, grant: UUID, *, reason: str
) -> Proposal:
    """Propose to end what a rule holds.

    Raises:
        NotFound: nothing is held there, or no longer.
        InvalidInput: no reason.
    """
    lease = await get_lease(tx, grant)
    if lease is None or lease.hold is None:
        raise NotFound("no safety rule holds this access any more")
    return await web.access.proposals.propose(
        tx,
        caller,
        _kind(lease.hold.rule),
        subject=lease.subject,
        payload={"grants": [str(grant)], "rule": lease.hold.rule},
        reason=reason,
        at=web.now,
    )


async def propose_take_back(
    tx: Connection, web: Web, caller: Principal, key: StoredKey, kept: tuple[Kept, ...], *, reason: str
) -> Proposal:
    """Propose to take a key back although a rule keeps it where it is.

    Raises:
        InvalidInput: no reason.
    """
    payload = {"key": str(key.id), "rule": kept[0].rule}
    return await web.access.proposals.propose(
        tx, caller, _kind(kept[0].rule), subject=key.subject, payload=payload, reason=reason, at=web.now
    )


async def release(tx: Connection, web: Web, proposal: Proposal, caller: Principal, at: datetime) -> None:
    """Do what two people agreed to.

    Raises:
        Conflict: the key was not handed out any more.
    """
    services, payload = web.services, proposal.payload
    if payload.get("key"):
        key_id = KeyId(UUID(payload["key"]))
        await services.custody.take_back(tx, key_id, actor=caller.actor, at=at)
        await services.kill.narrow_key(tx, key_id, at)
        return
    if payload.get("stop"):
        await services.kills.second_person(
            tx, UUID(payload["stop"]), by=By(caller.actor, caller.user_id), at=at
        )
    await _release_grants(tx, web, payload, proposal.reason, caller, at)


async def _release_grants(
    tx: Connection, web: Web, payload: Mapping[str, Any], reason: str, caller: Principal, at: datetime
) -> None:
    people = set()
    for grant in payload.get("grants", ()):
        try:
            lease = await web.services.holding.release(
                tx, GrantId(UUID(grant)), reason=reason, actor=caller.actor, at=at
            )
        except NotFound:
            continue  # the rule was met meanwhile, or the stop still waits and knows of the second person now
        people.add(lease.person_id)
    await web.services.kill.narrow_persons(tx, people, at)


def _kind(rule: str) -> ProposalKind:
    return "remove_last_holder" if rule == "S4" else "release_hold"
