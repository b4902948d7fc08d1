"""What every act at the key desk needs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from key2xs.core.database import Connection
from key2xs.core.outside import CabinetSource
from key2xs.core.settings import DeskSettings
from key2xs.core.sql import load_queries
from key2xs.core.vault import Vault
from key2xs.identity import Identity
from key2xs.keys.custody import Custody
from key2xs.keys.kill import Kill
from key2xs.keys.registry import Registry
from key2xs.keys.types import StoredKey
from key2xs.ledger import Ledger

SQL = load_queries("key2xs.keys", "queries_desk.sql")

Guard: TypeAlias = Callable[[Connection, StoredKey, datetime], Awaitable[None]]
"""Raises `Conflict` where a safety rule keeps a key with its holder."""


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """The log, the vault, the room that knows people, and the rooms' own services."""

    ledger: Ledger
    vault: Vault
    identity: Identity
    registry: Registry
    custody: Custody
    kill: Kill
    settings: DeskSettings
    cabinets: tuple[CabinetSource, ...]
