"""The vault: every person's data key, kept apart from the data.

A personal field is stored as ciphertext under its person's key and found again by a keyed blind index. Erasing
a person is destroying the key: every copy of the data, in tables, raw inputs and backups of them, becomes
noise at once, while the log's commitments still verify. The keys live in a database of their own, which is
backed up apart (a restored backup of the data must not bring an erased person back).
"""

import hmac
import os
from collections.abc import Iterable
from hashlib import sha256
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from key2xs.core.clock import Clock
from key2xs.core.database import Database
from key2xs.core.errors import Key2XSError
from key2xs.core.sql import load_queries

_SQL = load_queries("key2xs.core", "vault.sql")
_NONCE_BYTES = 12  # NIST SP 800-38D: 96-bit nonces for GCM
_KEY_BYTES = 32
# A key erased by another process must stop working here soon; seconds of process time.
CACHE_SECONDS = 5.0


class Erased:
    """What an erased value reads as. There is one instance, `ERASED`."""

    def __repr__(self) -> str:
        """Read as the word shown on screen."""
        return "erased"


ERASED: Final = Erased()


class VaultError(Key2XSError):
    """A sealed value cannot be opened although its key exists: it was changed, or it is not this person's."""


class Vault:
    """Seals, opens, finds and erases personal values."""

    def __init__(self, database: Database, master_key: bytes, clock: Clock) -> None:
        """Use the vault's own database and the site's master key (32 bytes, kept outside any database)."""
        if len(master_key) != _KEY_BYTES:
            message = f"the master key has {len(master_key)} bytes instead of {_KEY_BYTES}"
            raise VaultError(message)
        self._database, self._clock = database, clock
        self._wrapping = AESGCM(_derive(master_key, b"wrap"))
        self._blinding = _derive(master_key, b"blind")
        self._cache: dict[UUID, tuple[float, AESGCM | None]] = {}
        self.stream_key = _derive(master_key, b"streams")
        """Secret from which the log's stream tags are blinded."""

    async def seal(self, owner: UUID, value: str) -> bytes:
        """Encrypt a value under its owner's key; the first one makes the key.

        Raises:
            VaultError: the owner was erased; nothing personal may be stored about them again.
        """
        key = await self._key_of(owner, create=True)
        if key is None:
            message = f"person {owner} was erased"
            raise VaultError(message)
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + key.encrypt(nonce, value.encode(), owner.bytes)

    async def open(self, owner: UUID, blob: bytes) -> str | Erased:
        """Decrypt a value, or return `ERASED` when its owner's key is gone.

        Raises:
            VaultError: the value was changed or belongs to somebody else.
        """
        key = await self._key_of(owner, create=False)
        if key is None:
            return ERASED
        try:
            return key.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], owner.bytes).decode()
        except InvalidTag as error:
            raise VaultError from error

    async def prepare(self, owners: Iterable[UUID]) -> None:
        """Fetch many keys in one query, so that a list page does not ask once a row."""
        missing = [owner for owner in set(owners) if self._cached(owner) is None]
        if not missing:
            return
        async with self._database.read() as tx:
            rows = {row["owner"]: row["wrapped"] for row in await tx.fetch(_SQL["find_keys"], missing)}
        for owner in missing:
            wrapped = rows.get(owner)
            self._remember(owner, self._unwrap(owner, wrapped) if wrapped else None)

    def blind(self, namespace: str, value: str) -> bytes:
        """Return the keyed index of an already normalised value; equal values give equal bytes."""
        return hmac.new(self._blinding, f"{namespace}\0{value}".encode(), sha256).digest()

    async def erase(self, owner: UUID) -> bool:
        """Destroy a person's key for good; False when there was none."""
        async with self._database.transaction() as tx:
            gone = await tx.fetchval(_SQL["destroy_key"], owner, self._clock.now())
        self._cache.pop(owner, None)
        return bool(gone)

    async def _key_of(self, owner: UUID, *, create: bool) -> AESGCM | None:
        cached = self._cached(owner)
        if cached is not None and not (create and cached[1] is None):
            return cached[1]
        async with self._database.transaction() as tx:
            row = await tx.fetchrow(_SQL["find_key"], owner)
            if row is None and create:
                await tx.execute(_SQL["store_key"], owner, self._wrap(owner), self._clock.now())
                # Another process may have stored one between our two statements; the stored one counts.
                row = await tx.fetchrow(_SQL["find_key"], owner)
        wrapped = row["wrapped"] if row else None
        return self._remember(owner, self._unwrap(owner, wrapped) if wrapped else None)

    def _cached(self, owner: UUID) -> tuple[float, AESGCM | None] | None:
        found = self._cache.get(owner)
        return found if found and found[0] > self._clock.monotonic() else None

    def _remember(self, owner: UUID, key: AESGCM | None) -> AESGCM | None:
        self._cache[owner] = (self._clock.monotonic() + CACHE_SECONDS, key)
        return key

    def _wrap(self, owner: UUID) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, os.urandom(_KEY_BYTES), owner.bytes)

    def _unwrap(self, owner: UUID, wrapped: bytes) -> AESGCM:
        try:
            return AESGCM(self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], owner.bytes))
        except InvalidTag as error:
            message = "a data key does not open with this master key"
            raise VaultError(message) from error


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    """Derive one key per purpose, so that no key ever does two jobs."""
    return hmac.new(master_key, b"key2xs/v1/" + purpose, sha256).digest()
