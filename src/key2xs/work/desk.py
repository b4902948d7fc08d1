"""What every change in this room needs: the log, the vault, and the room that knows people."""

from dataclasses import dataclass

from key2xs.core.database import Connection
from key2xs.core.sql import load_queries
from key2xs.core.vault import Vault
from key2xs.identity import Identity
from key2xs.ledger import Ledger

from .states import State, default_native_states, is_state

SQL = load_queries("key2xs.work")


@dataclass(frozen=True, slots=True)
class Desk:
    """The log, the vault and the identity room; handed to every function that changes something."""

    ledger: Ledger
    vault: Vault
    identity: Identity


async def native_states(tx: Connection, source: str) -> dict[str, State]:
    """Return what a source's own state names mean: the defaults, with the site's own words over them."""
    own = {
        row["native"]: row["canonical"]
        for row in await tx.fetch(SQL["native_states"], source)
        if is_state(row["canonical"])
    }
    return {**default_native_states(), **own}
