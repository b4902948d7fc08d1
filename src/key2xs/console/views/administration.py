"""*Administration*: accounts, sign-ins, API tokens, the authority matrix and legal holds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from key2xs.access import (
    Change,
    Hold,
    Matrix,
    OpenSession,
    Permission,
    Principal,
    Role,
    Token,
    User,
    not_second_until,
)
from key2xs.api.holding import ReadyHold, ready_holds
from key2xs.api.web import Web
from key2xs.console.people import Alias, look_up
from key2xs.core.database import Connection
from key2xs.core.ids import UserId

MOST_USERS = 500


@dataclass(frozen=True, slots=True)
class UserLine:
    """One account. Its sign-in name is shown to whoever manages accounts, and to nobody else."""

    user: User
    login: str | None = field(repr=False)
    person: Alias | None
    sessions: tuple[OpenSession, ...]
    not_second_until: datetime | None
    is_own: bool


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One API token."""

    token: Token
    owner: str | None = field(repr=False)
    is_over: bool


@dataclass(frozen=True, slots=True)
class RowLine:
    """What one role holds: permissions with the terms behind them."""

    role: str
    rows: tuple[tuple[str, str, str], ...]
    """Permission, scope, terms."""


@dataclass(frozen=True, slots=True)
class Once:
    """A secret that is shown this once."""

    what: str
    secret: str = field(repr=False)
    not_second_until: datetime | None = None
    """Until then its account is no half of two people."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A matrix that was read and not proposed yet."""

    text: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class AdministrationView:
    """Everything on the page; parts that the reader may not see are empty."""

    users: tuple[UserLine, ...]
    tokens: tuple[TokenLine, ...]
    roles: tuple[str, ...]
    mine: tuple[Permission, ...]
    matrix: Matrix | None
    rows: tuple[RowLine, ...]
    holds: tuple[Hold, ...]
    held: dict[UUID, Alias | None]
    ready: tuple[ReadyHold, ...]
    """What a second person confirmed for the reader about holds."""
    whose: dict[UUID, Alias | None]
    """Of those, by proposal."""


async def read_administration(tx: Connection, web: Web, reader: Principal) -> AdministrationView:
    """Read what the reader may see of it."""
    manages, sees_matrix = (
        reader.may(Permission.ACCESS_USER_MANAGE),
        reader.may(Permission.ACCESS_MATRIX_READ),
    )
    users = await web.access.users.list(tx, limit=MOST_USERS) if manages else []
    logins = {user.id: (await web.access.users.names(tx, user.id)).login for user in users}
    everybodys = reader.may(Permission.ACCESS_TOKEN_MANAGE)
    tokens = await web.access.tokens.list(tx, owner_id=None if everybodys else reader.user_id)
    matrix = await web.access.authority.current(tx) if sees_matrix else None
    holds = await web.access.holds.find_all(tx) if sees_matrix else []
    ready = await ready_holds(tx, web, reader) if reader.may(Permission.IDENTITY_HOLD_CHANGE) else []
    about = {hold.id: hold.person_id for hold in holds}
    named = {each.proposal: about.get(each.ends) if each.ends else each.person_id for each in ready}
    people = await look_up(tx, [*about.values(), *named.values()], web.now)
    return AdministrationView(
        users=tuple(await _users(tx, web, users, logins, reader)),
        tokens=tuple(_token(web, token, logins.get(token.owner_id)) for token in tokens),
        roles=tuple(str(role) for role in Role),
        mine=tuple(sorted(reader.permissions)),
        matrix=matrix,
        rows=tuple(_rows(matrix)) if matrix else (),
        holds=tuple(holds),
        held={hold.id: people.of(hold.person_id) for hold in holds},
        ready=tuple(ready),
        whose={proposal: people.of(person) for proposal, person in named.items()},
    )


async def _users(
    tx: Connection, web: Web, users: Sequence[User], logins: dict[UserId, str | None], reader: Principal
) -> list[UserLine]:
    people = await look_up(tx, [user.person_id for user in users], web.now)
    sessions: dict[UserId, list[OpenSession]] = {}
    for session in await web.access.sessions.list(tx) if users else []:
        sessions.setdefault(session.user_id, []).append(session)
    return [
        UserLine(
            user,
            logins[user.id],
            people.of(user.person_id),
            tuple(sessions.get(user.id, ())),
            not_second_until(user, web.now),
            user.id == reader.user_id,
        )
        for user in users
    ]


def _token(web: Web, token: Token, owner: str | None) -> TokenLine:
    return TokenLine(
        token, owner, token.revoked_at is not None or token.expires_at <= web.services.wall.now()
    )


def _rows(matrix: Matrix) -> list[RowLine]:
    lines = []
    for role in Role:
        rows = [row for row in matrix.rows if row.role == role]
        lines.append(
            RowLine(
                str(role),
                tuple((row.permission, row.scope, _terms(row.second_person, row.reason)) for row in rows),
            )
        )
    return lines


def _terms(second: bool, reason: bool) -> str:  # noqa: FBT001 - two columns of a row
    return " + ".join(word for word, asked in (("second person", second), ("reason", reason)) if asked)
