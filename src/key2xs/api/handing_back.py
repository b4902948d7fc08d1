"""Handing a key back at its maker for good, with everything that speaks against it."""

from datetime import datetime

from key2xs.core.database import Connection
from key2xs.keys.returning import ask_return, return_of, why_not_returned
from key2xs.keys.types import StoredKey
from key2xs.services import Services


async def why_not_handed_back(tx: Connection, services: Services, key: StoredKey, at: datetime) -> str:
    """Say why a key cannot be handed back now; empty where it can."""
    connected = services.kill.systems.get(key.system_id)
    return why_not_returned(
        key,
        can_return=connected is not None and connected.port.capabilities(key.kind).can_return,
        is_out=await services.custody.holder_at(tx, key.id, at) is not None,
        returning=await return_of(tx, key.id),
    )


async def end_for_good(
    tx: Connection, services: Services, key: StoredKey, *, reason: str, actor: str, at: datetime
) -> None:
    """Have a key handed back at its maker as soon as it is proven empty.

    Raises:
        Conflict: it cannot be; says why.
    """
    # Whoever hands it out at the same moment comes before or after this, never in between.
    await services.ledger.lock_heads(tx, [key.subject])
    why_not = await why_not_handed_back(tx, services, key, at)
    await ask_return(tx, services.ledger, key, why_not=why_not, reason=reason, actor=actor, at=at)
