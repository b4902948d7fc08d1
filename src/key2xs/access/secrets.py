"""Secrets of sign-in: passwords, session and API tokens, and the CSRF token that follows from a session.

Nothing that would let anybody in is stored: a password as argon2id over a keyed hash, a token as its SHA-256. A
token has 256 random bits, so a plain hash is enough for it.
"""

import asyncio
import hmac
import secrets
from hashlib import sha256
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from key2xs.core.errors import InvalidInput
from key2xs.core.vault import Vault

# NIST SP 800-63B-4 section 3.1.1.2: a password that stands alone has at least 15 characters; longer than 64 is allowed.
SHORTEST_PASSWORD: Final = 15
LONGEST_PASSWORD: Final = 256  # characters; argon2 would take more, but a megabyte is an attack
TOKEN_BYTES: Final = 32
TOKEN_PREFIX: Final = "k2x_"  # noqa: S105 - found by secret scanners, so a leaked one is noticed
_CSRF_DOMAIN: Final = b"key2xs/csrf/v1"
# Each verification takes 64 MiB and some 50 ms of a core (argon2-cffi's RFC 9106 profile); more at once would let a
# flood of sign-ins push everything else out.
_AT_ONCE: Final = 2


class Passwords:
    """Hashes and checks passwords, off the event loop."""

    def __init__(self, vault: Vault, hasher: PasswordHasher | None = None) -> None:
        """Pepper with the vault's blinding key, which no database holds."""
        self._vault, self._hasher = vault, hasher or PasswordHasher()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return what to store."""
        peppered = self._pepper(password)
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, peppered)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether a password is right. Takes as long when there is none to compare with."""
        if self._decoy is None:
            self._decoy = await self.hash(secrets.token_urlsafe())
        peppered = self._pepper(password)
        async with self._slots:
            right = await asyncio.to_thread(self._check, stored or self._decoy, peppered)
        return right and stored is not None

    def _check(self, stored: str, peppered: bytes) -> bool:
        try:
            return self._hasher.verify(stored, peppered)
        except (VerificationError, InvalidHashError):
            return False

    def _pepper(self, password: str) -> bytes:
        return self._vault.blind("access-password", password)


def check_password(password: str, login: str) -> None:
    """Refuse a password that is too short, too long or the sign-in name.

    Raises:
        InvalidInput: says which.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput("password", f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if password.casefold() == login.casefold() or len(set(password)) == 1:
        raise InvalidInput("password", "is too easy to guess")


def new_password() -> str:
    """Return a random password that can be read aloud: 100 bits in five groups."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(5))


def new_secret() -> str:
    """Return a new session or API secret with 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return sha256(secret.encode()).digest()


def csrf_token(session_secret: str) -> str:
    """Return the CSRF token that belongs to a session; nobody can make it without the session's cookie."""
    return hmac.new(session_secret.encode(), _CSRF_DOMAIN, sha256).hexdigest()


def is_csrf_token(given: str, session_secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), csrf_token(session_secret).encode())
