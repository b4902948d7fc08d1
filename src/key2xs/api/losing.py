"""How a lost key is blocked from the surfaces: through the safety rules, as every stop is."""

from key2xs.access import Principal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.keys.desk.mishaps import Block
from key2xs.keys.types import StoredKey

from .revoking import stop
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
