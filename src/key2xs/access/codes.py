"""One-time codes: the key desk gives one to somebody without an account, who opens the page about himself with it."""

import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.ids import PersonId, UserId
from key2xs.core.sql import load_queries
from key2xs.core.vault import Vault
from key2xs.ledger import Entry, Ledger

from .secrets import digest, new_secret
from .sessions import SignInRefused
from .throttle import Throttle
from .types import Principal

_SQL = load_queries("key2xs.access", "queries_privacy.sql")

CODE_LASTS: Final = timedelta(minutes=10)
VISIT_LASTS: Final = timedelta(minutes=15)
# Letters and digits that nobody misreads: 39 bits, tried at the pace of `Throttle.take_code`, for ten minutes.
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_LENGTH: Final = 8


class Codes:
    """Giving out codes, and taking them."""

    def __init__(self, database: Database, ledger: Ledger, vault: Vault, clock: Clock, wall: Clock) -> None:
        """`clock` gives domain time for the log, `wall` real time for the codes' ends."""
        self._database, self._ledger, self._vault = database, ledger, vault
        self._clock, self._wall = clock, wall
        self._throttle = Throttle(wall.monotonic)

    async def make(self, tx: Connection, person_id: PersonId, by: Principal) -> str:
        """Return a new code for a person; codes the person had before stop working."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        await self._tell(tx, "access:code:make", person_id, by.actor)
        await tx.execute(_SQL["drop_codes"], person_id, self._wall.now())
        await tx.execute(
            _SQL["insert_code"], self._digest(code), person_id, by.user_id, self._wall.now() + CODE_LASTS
        )
        return f"{code[:4]}-{code[4:]}"

    async def take(self, code: str, *, address: str, old_secret: str | None = None) -> str:
        """Return the secret of a visit for a code, which is used up. The person's visits before it end.

        Args:
            code: as it was read out.
            address: where the request came from; only counted, never stored.
            old_secret: the cookie the request brought, if any; that sign-in ends.

        Raises:
            SignInRefused: there is no such code, or it was used or is too old.
            TooManyAttempts: wait.
        """
        ref = self._digest("".join(letter for letter in code.upper() if letter.isalnum()))
        self._throttle.take_code(address)
        secret, now = new_secret(), self._wall.now()

        async def work(tx: Connection) -> bool:
            person_id = await tx.fetchval(_SQL["use_code"], ref, now)
            if person_id is None:
                return False
            await self._tell(tx, "access:code:use", PersonId(person_id), f"person:{person_id}")
            await tx.execute(_SQL["end_visits_before"], person_id, now)
            if old_secret:
                await tx.execute(_SQL["end_browser"], digest(old_secret))
            await tx.execute(_SQL["insert_visit"], digest(secret), person_id, now + VISIT_LASTS)
            return True

        if not await self._database.transact(work):
            raise SignInRefused("this code does not work; ask the key desk for a new one")
        self._throttle.forgive_code(address)
        return secret

    async def recognise(self, secret: str) -> Principal | None:
        """Return who a visit's cookie stands for, or None."""
        async with self._database.read() as tx:
            person_id: UUID | None = await tx.fetchval(_SQL["find_visit"], digest(secret), self._wall.now())
        if person_id is None:
            return None
        return Principal(
            kind="code",
            user_id=UserId(person_id),
            person_id=PersonId(person_id),
            roles=(),
            permissions=frozenset(),
            actor=f"person:{person_id}",
            secret=secret,
        )

    async def end(self, secret: str) -> None:
        """End a visit; one that is over already is no error."""
        async with self._database.transaction() as tx:
            await tx.execute(_SQL["end_visit"], digest(secret))

    def _digest(self, code: str) -> bytes:
        """Keyed, because forty bits could be tried out against a plain hash."""
        return self._vault.blind("access-code", code)

    async def _tell(self, tx: Connection, kind: str, person_id: PersonId, actor: str) -> None:
        at = self._clock.now()
        await self._ledger.record(
            tx,
            Entry(
                kind=kind,
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(f"person:{person_id}",),
            ),
        )
