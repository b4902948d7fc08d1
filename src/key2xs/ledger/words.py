"""What people typed, in tables: sealed as the log seals it, under the key of whoever typed it.

A stored value names its owner itself: sixteen bytes of the owner's id, then the ciphertext. Where nobody typed it, the
owner is all zeros and the words of the service follow in clear.
"""

from typing import Final
from uuid import UUID

from key2xs.core.vault import Erased, Vault

from .entry import Personal, typed

ERASED_WORDS: Final = "(erased)"
_NOBODY: Final = UUID(int=0)
_OWNER_BYTES: Final = 16


def own_words(text: str) -> bytes:
    """Store what the service itself says."""
    return _NOBODY.bytes + text.encode()


async def seal_words(vault: Vault, actor: str, text: str) -> bytes:
    """Seal what an actor typed; what the service itself says stays in clear."""
    said = typed(actor, text)
    if not isinstance(said, Personal):
        return own_words(text)
    return said.owner.bytes + await vault.seal(said.owner, text)


async def read_words(vault: Vault, stored: bytes) -> str:
    """Read what was stored, or that it was erased."""
    owner, rest = UUID(bytes=bytes(stored[:_OWNER_BYTES])), bytes(stored[_OWNER_BYTES:])
    if owner == _NOBODY:
        return rest.decode()
    text = await vault.open(owner, rest)
    return ERASED_WORDS if isinstance(text, Erased) else text
