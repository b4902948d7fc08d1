"""Users and API tokens. A secret is shown once, when it is made."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission, Role, User, new_password
from key2xs.api.acts import HEADER, perform
from key2xs.api.auth import require
from key2xs.api.explaining import find_person
from key2xs.api.paging import USUAL_PAGE, Cursor, Id, Limit, after, next_cursor
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotAllowed
from key2xs.core.ids import PersonId, UserId


class UserOut(msgspec.Struct, frozen=True):
    """A user; their names only in the answer to whoever manages users."""

    id: UUID
    login: str | None
    display_name: str | None
    person: UUID | None
    roles: list[str]
    made_at: datetime
    disabled_at: datetime | None


class UserPage(msgspec.Struct, frozen=True):
    """Users, a page of them."""

    items: list[UserOut]
    next: str | None = None


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to make; `person` links them to an identity, without which they approve nothing."""

    login: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    roles: Annotated[list[Role], msgspec.Meta(min_length=1)]
    display_name: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class UserRoles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may do from now on, and which person they are (null: none)."""

    roles: list[Role]
    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class OneTime(msgspec.Struct, frozen=True):
    """A password that works once."""

    id: UUID
    one_time_password: str


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token for oneself; it can do what is named here, and never more than its owner."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    permissions: Annotated[list[Permission], msgspec.Meta(min_length=1)]
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 90


class TokenMade(msgspec.Struct, frozen=True):
    """A new token, shown this once."""

    id: UUID
    token: str


class TokenOut(msgspec.Struct, frozen=True):
    """A token without its secret."""

    id: UUID
    label: str
    owner: UUID
    permissions: list[str]
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class TokenList(msgspec.Struct, frozen=True):
    """Tokens, the newest first."""

    items: list[TokenOut]


@get("/api/v1/users", permission=Permission.ACCESS_USER_MANAGE, tags=["access"], summary="Users")
async def users(web: WebPart, cursor: Cursor = None, limit: Limit = USUAL_PAGE) -> UserPage:
    """All users, a page at a time."""
    start = after(cursor)
    async with web.services.database.read() as tx:
        found = await web.access.users.list(tx, after=UserId(start) if start else None, limit=limit)
        items = [await _user(tx, web, each) for each in found]
    return UserPage(items, next_cursor(found, limit, lambda each: each.id))


@post(
    "/api/v1/users",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=201,
    tags=["access"],
    summary="Make a user",
)
async def make_user(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewUser]
) -> Response[OneTime]:
    """Make a user with a one-time password, which is in the answer and nowhere else."""
    _no_repeats(request)
    password = new_password()

    async def work(tx: Connection) -> OneTime:
        made = await web.access.users.make(
            tx,
            login=data.login,
            roles=data.roles,
            actor=caller.actor,
            at=web.now,
            display_name=data.display_name,
            person_id=await _person(tx, web, data.person),
            one_time_password=password,
        )
        return OneTime(made, password)

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/users/{user:uuid}/roles",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=200,
    tags=["access"],
    summary="Change what a user may do",
)
async def set_roles(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, user: Id, data: JSONBody[UserRoles]
) -> Response[UserOut]:
    """Change roles or the link to a person. The user's sessions end; nobody changes themselves."""
    _no_repeats(request)
    user_id = _not_oneself(caller, user)

    async def work(tx: Connection) -> UserOut:
        person_id = await _person(tx, web, data.person)
        await web.access.users.set_roles(
            tx, user_id, roles=data.roles, person_id=person_id, actor=caller.actor, at=web.now
        )
        return await _user(tx, web, await web.access.users.get(tx, user_id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/users/{user:uuid}/password",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=200,
    tags=["access"],
    summary="Give a user a new one-time password",
)
async def reset_password(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, user: Id
) -> Response[OneTime]:
    """Replace a forgotten password. The user's sessions end."""
    _no_repeats(request)
    password = new_password()

    async def work(tx: Connection) -> OneTime:
        await web.access.users.set_password(
            tx, UserId(user), password, actor=caller.actor, at=web.now, one_time=True
        )
        return OneTime(user, password)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/users/{user:uuid}/disable",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=200,
    tags=["access"],
    summary="Keep a user out for good",
)
async def disable(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, user: Id
) -> Response[UserOut]:
    """Disable a user: sessions end, tokens stop. Nobody disables themselves."""
    _no_repeats(request)
    user_id = _not_oneself(caller, user)

    async def work(tx: Connection) -> UserOut:
        await web.access.users.disable(tx, user_id, actor=caller.actor, at=web.now)
        return await _user(tx, web, await web.access.users.get(tx, user_id))

    return await perform(web, request, caller, work)


@get("/api/v1/tokens", signed_in=True, tags=["access"], summary="API tokens")
async def tokens(web: WebPart, caller: CallerPart, limit: Limit = USUAL_PAGE) -> TokenList:
    """One's own tokens; all of them for whoever manages tokens."""
    everybodys = caller.may(Permission.ACCESS_TOKEN_MANAGE)
    async with web.services.database.read() as tx:
        found = await web.access.tokens.list(tx, owner_id=None if everybodys else caller.user_id, limit=limit)
    return TokenList(
        [
            TokenOut(
                each.id,
                each.label,
                each.owner_id,
                sorted(each.permissions),
                each.made_at,
                each.expires_at,
                each.revoked_at,
            )
            for each in found
        ]
    )


@post("/api/v1/tokens", signed_in=True, status_code=201, tags=["access"], summary="Make a token for oneself")
async def make_token(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewToken]
) -> Response[TokenMade]:
    """Make a token with some of one's own permissions. Tokens make tokens only where they may manage them."""
    _no_repeats(request)
    if caller.kind == "token":
        require(caller, Permission.ACCESS_TOKEN_MANAGE)
    # A token's permissions, not its owner's: otherwise a narrow token could make itself a wide one.
    require(caller, *data.permissions)

    async def work(tx: Connection) -> TokenMade:
        made, secret = await web.access.tokens.make(
            tx,
            owner_id=caller.user_id,
            label=data.label,
            permissions=data.permissions,
            valid_for=timedelta(days=data.days),
            actor=caller.actor,
        )
        return TokenMade(made, secret)

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/tokens/{token:uuid}/revoke",
    signed_in=True,
    status_code=204,
    tags=["access"],
    summary="Revoke a token",
)
async def revoke_token(web: WebPart, caller: CallerPart, token: Id) -> None:
    """Revoke one's own token, or anybody's for whoever manages tokens."""

    async def work(tx: Connection) -> None:
        mine = {each.id for each in await web.access.tokens.list(tx, owner_id=caller.user_id)}
        if token not in mine:
            require(caller, Permission.ACCESS_TOKEN_MANAGE)
        await web.access.tokens.revoke(tx, token, actor=caller.actor)

    await web.services.database.transact(work)


async def _user(tx: Connection, web: Web, user: User) -> UserOut:
    names = await web.access.users.names(tx, user.id)
    return UserOut(
        user.id,
        names.login,
        names.display_name,
        user.person_id,
        list(user.roles),
        user.made_at,
        user.disabled_at,
    )


async def _person(tx: Connection, web: Web, name: str | None) -> PersonId | None:
    return await find_person(tx, web, name) if name else None


def _not_oneself(caller: CallerPart, user: Id) -> UserId:
    if caller.user_id == user:
        raise NotAllowed("nobody changes their own roles; ask another administrator")
    return UserId(user)


def _no_repeats(request: Request[Any, Any, Any]) -> None:
    """Answers with a secret or a name are kept nowhere, so they cannot be given again."""
    if HEADER in request.headers:
        raise InvalidInput("Idempotency-Key", "is not taken here: the answer holds a secret or a name")


HANDLERS = (users, make_user, set_roles, reset_password, disable, tokens, make_token, revoke_token)
