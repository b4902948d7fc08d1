"""What the edges ask of the access room: one object with users, sessions, tokens, proposals and the matrix."""

from collections.abc import Iterable
from datetime import datetime

from argon2 import PasswordHasher

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.ids import PersonId, UserId
from key2xs.core.vault import Vault
from key2xs.ledger import Ledger

from .authority import Authority
from .codes import Codes
from .history import PersonHistory
from .holds import Holds
from .looks import Looks
from .proposals import Proposals
from .secrets import Passwords
from .sessions import Sessions
from .tokens import Tokens
from .users import Users


class Access:
    """Users, sessions, tokens, proposals, the authority matrix and the traces of one installation."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        vault: Vault,
        clock: Clock,
        wall: Clock,
        *,
        hasher: PasswordHasher | None = None,
    ) -> None:
        """Wire the room.

        Args:
            database: connected with the app role.
            ledger: where every change is recorded.
            vault: seals users' names and peppers passwords.
            clock: domain time, for the log and for proposals.
            wall: real time, for sessions and tokens.
            hasher: how hard passwords are to guess; the library's default when None.
        """
        passwords = Passwords(vault, hasher)
        self.authority = Authority(ledger)
        self.users = Users(ledger, vault, passwords, self.authority)
        self.sessions = Sessions(database, ledger, self.users, self.authority, passwords, clock, wall)
        self.tokens = Tokens(database, ledger, self.users, self.authority, clock, wall)
        self.proposals = Proposals(ledger, vault, self.users, self.authority)
        self.codes = Codes(database, ledger, vault, clock, wall)
        self.looks = Looks(ledger, vault)
        self.history = PersonHistory(self.looks)
        self.holds = Holds(ledger, vault)


async def make_user(
    tx: Connection,
    access: Access,
    *,
    login: str,
    roles: Iterable[str],
    at: datetime,
    actor: str = "system:setup",
    display_name: str | None = None,
    person_id: PersonId | None = None,
    one_time_password: str | None = None,
) -> UserId:
    """Make a user with a one-time password, for set-up and the demo; see `Users.make`."""
    return await access.users.make(
        tx,
        login=login,
        roles=roles,
        actor=actor,
        at=at,
        display_name=display_name,
        person_id=person_id,
        one_time_password=one_time_password,
    )
