"""Users. A password is shown once, when it is made."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import COOLING, Permission, Role, User, new_password, not_second_until
from key2xs.api.acts import HEADER, Said, perform, reason_of
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
    signed_in_at: datetime | None = None
    not_second_until: datetime | None = None
    """Until then this account is no half of two people: somebody else changed it, or it changed others."""


class Link(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which person a user is (null: none), and why."""

    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class UserPage(msgspec.Struct, frozen=True):
    """Users, a page of them."""

    items: list[UserOut]
    next: str | None = None


class NewUser(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user to make; `person` links them to an identity, without which they approve nothing."""

    login: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    roles: Annotated[list[Role], msgspec.Meta(min_length=1)]
    display_name: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class UserRoles(Said, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a user may do from now on, and which person they are (null: none)."""

    roles: list[Role]
    person: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class OneTime(msgspec.Struct, frozen=True):
    """A password that works once."""

    id: UUID
    one_time_password: str
    not_second_until: datetime
    """Until then the account is no half of two people."""


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
    no_repeats(request)
    why = await reason_of(request)
    password = new_password()

    async def work(tx: Connection) -> OneTime:
        made = await web.access.users.make(
            tx,
            login=data.login,
            roles=data.roles,
            actor=caller.actor,
            reason=why,
            at=web.now,
            display_name=data.display_name,
            person_id=await _person(tx, web, data.person),
            one_time_password=password,
        )
        return OneTime(made, password, web.now + COOLING)

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
    no_repeats(request)
    why = await reason_of(request)
    user_id = _not_oneself(caller, user)

    async def work(tx: Connection) -> UserOut:
        person_id = await _person(tx, web, data.person)
        await web.access.users.set_roles(
            tx, user_id, roles=data.roles, person_id=person_id, actor=caller.actor, reason=why, at=web.now
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
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    user: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[OneTime]:
    """Replace a forgotten password. The user's sessions end."""
    no_repeats(request)
    why = await reason_of(request)
    password = new_password()

    async def work(tx: Connection) -> OneTime:
        await web.access.users.set_password(
            tx, UserId(user), password, actor=caller.actor, reason=why, at=web.now, one_time=True
        )
        return OneTime(user, password, web.now + COOLING)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/users/{user:uuid}/disable",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=200,
    tags=["access"],
    summary="Keep a user out for good",
)
async def disable(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    user: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[UserOut]:
    """Disable a user: sessions end, tokens stop. Nobody disables themselves."""
    no_repeats(request)
    why = await reason_of(request)
    user_id = _not_oneself(caller, user)

    async def work(tx: Connection) -> UserOut:
        await web.access.users.disable(tx, user_id, actor=caller.actor, reason=why, at=web.now)
        return await _user(tx, web, await web.access.users.get(tx, user_id))

    return await perform(web, request, caller, work)


@post(
    "/api/v1/users/{user:uuid}/person",
    permission=Permission.ACCESS_USER_MANAGE,
    status_code=200,
    tags=["access"],
    summary="Link a user to a person, or to none",
)
async def link_person(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, user: Id, data: JSONBody[Link]
) -> Response[UserOut]:
    """Say which person a user is. For a day neither of the two accounts is one half of two people."""
    no_repeats(request)
    why = await reason_of(request)
    user_id = _not_oneself(caller, user)

    async def work(tx: Connection) -> UserOut:
        found = await web.access.users.get(tx, user_id)
        person_id = await _person(tx, web, data.person)
        await web.access.users.set_roles(
            tx, user_id, roles=found.roles, person_id=person_id, actor=caller.actor, reason=why, at=web.now
        )
        return await _user(tx, web, await web.access.users.get(tx, user_id))

    return await perform(web, request, caller, work)


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
        user.signed_in_at,
        not_second_until(user, web.now),
    )


async def _person(tx: Connection, web: Web, name: str | None) -> PersonId | None:
    return await find_person(tx, web, name) if name else None


def _not_oneself(caller: CallerPart, user: Id) -> UserId:
    if caller.user_id == user:
        raise NotAllowed("nobody changes their own roles; ask another administrator")
    return UserId(user)


def no_repeats(request: Request[Any, Any, Any]) -> None:
    """Answers with a secret or a name are kept nowhere, so they cannot be given again."""
    if HEADER in request.headers:
        raise InvalidInput("Idempotency-Key", "is not taken here: the answer holds a secret or a name")


HANDLERS = (users, make_user, set_roles, link_person, reset_password, disable)
