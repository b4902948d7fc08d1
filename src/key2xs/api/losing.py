"""How a lost key is blocked from the surfaces, and found: through the safety rules, as every stop is."""

from key2xs.access import Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import KeyId
from key2xs.keys.desk import mishaps
from key2xs.keys.desk.mishaps import Block
from key2xs.keys.types import StoredKey

from .releasing import propose_take_back
from .revoking import by_of, stop
from .web import Web


def block_of(web: Web, caller: Principal, reason: str) -> Block:
    """Return how to ask for the block of a lost key; somebody at work is told of through the shift leader first."""

    async def block(tx: Connection, key: StoredKey) -> None:
        try:
            async with tx.transaction():
                await stop(tx, web, caller, key.subject, reason=reason)
        except Conflict:
            return  # it is on its way already; the report stands all the same

    return block


async def end_found(
    tx: Connection, web: Web, caller: Principal, key_id: KeyId, reason: str
) -> Proposal | None:
    """Say that a lost key was found; the stop that its loss asked for and that still waits is taken back.

    A stop that somebody asked for without the loss stands: that it was found says nothing about why.

    Returns:
        None where the key lies at the desk now. Where a safety rule keeps what only this key carries, it goes back to
        its holder, and the proposal to take it from them waits for a second person, as it does when a key is taken back.

    Raises:
        NotFound: there is no such key.
        Conflict: it was not reported lost.
    """
    services, at = web.services, web.now
    report, kills = await mishaps.open_report(tx, key_id, web.services.ledger), services.kills
    if report is not None and report.kind == "lost":
        waiting = [kill for kill in await kills.open(tx) if kill.subject == f"key:{key_id}"]
        for kill in waiting:
            if kill.state == "waiting" and kill.asked_at == report.told_at:
                await kills.withdraw(tx, kill.id, by=by_of(caller), at=at, found=True)
    key = await services.registry.get_key(tx, key_id)
    kept = await services.key_ends.kept(tx, key, at)
    await mishaps.end_report(
        tx, services.key_desk, key_id, "found", reason=reason, actor=caller.actor, at=at, stays=bool(kept)
    )
    return await propose_take_back(tx, web, caller, key, kept, reason=reason) if kept else None
