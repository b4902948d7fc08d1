"""Connections to key systems: whether they may write, and the brake on bulk writes."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.adopting import plain as _plain
from key2xs.api.auth import require_person
from key2xs.api.paging import Name
from key2xs.api.web import CallerPart, WebPart
from key2xs.core.database import Connection
from key2xs.keys.adoption.checking import examine_account, read_locks, report_of, shown
from key2xs.keys.lock_checks import note_lock_check

Asked = Request[Any, Any, Any]
MOST_NAMES = 200  # of one finding in one answer; its count has them all


class ConnectionList(msgspec.Struct, frozen=True):
    """Connections to key systems."""

    items: list[dict[str, Any]]


class Check(msgspec.Struct, frozen=True):
    """What a connection lacks: findings, the worst first, each with who has to do what."""

    system: str
    at: datetime
    listed_at: datetime | None
    ready: bool
    findings: list[dict[str, Any]]


class Writes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a connection may write, and why."""

    writes: bool
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class LockFound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person found at a lock, and how; `unknown` takes back what was said."""

    honours_limits: Literal["yes", "no", "unknown"]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class LockChecked(msgspec.Struct, frozen=True):
    """A lock, and how it counts now."""

    system: str
    lock: str
    honours_limits: str


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many keys stopped bulk writes may go on, and why."""

    keys: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


@get(
    "/api/v1/key-systems",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="Connections, and whether they may write",
)
async def connections(web: WebPart) -> ConnectionList:
    """All key systems: what was listed, how much is adopted, whether writing is on, whether the brake holds it."""
    async with web.services.database.read() as tx:
        return ConnectionList([_plain(each) for each in await web.services.connections.all(tx)])


@get(
    "/api/v1/key-systems/{name:str}/check",
    permission=Permission.KEYS_ADOPTION_READ,
    tags=["adoption"],
    summary="What a connection lacks before it can be relied on",
)
async def check(web: WebPart, name: Name) -> Check:
    """Ask the vendor what the account lacks, and judge each lock as it was listed last. Changes nothing."""
    services = web.services
    async with services.database.read() as tx:
        system = await services.connections.get(tx, name)
        locks = await read_locks(tx, system)
    # Outside the transaction: the vendor may take its time.
    connected = services.kill.systems.get(system.id)
    account = await examine_account(connected.port if connected is not None else None)
    return Check(**shown(report_of(system, account, locks, web.now), MOST_NAMES))


@post(
    "/api/v1/key-systems/{name:str}/writes",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=200,
    tags=["adoption"],
    summary="Let a connection write, or not",
)
async def switch_writes(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Writes]
) -> Response[Any]:
    """A connection starts read-only. Off stops everything, also what would end access."""
    require_person(caller)

    async def work(tx: Connection) -> dict[str, Any]:
        found = await web.services.connections.get(tx, name)
        await web.services.connections.switch(
            tx, found.id, writes=data.writes, reason=data.reason, actor=caller.actor, at=web.now
        )
        shown: dict[str, Any] = _plain(await web.services.connections.get(tx, name))
        return shown

    return await perform(web, request, caller, work)


@post(
    "/api/v1/key-systems/{name:str}/sign-in",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=200,
    tags=["adoption"],
    summary="Let Key2XS sign in again",
)
async def sign_in_again(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Why]
) -> Response[Any]:
    """After a refusal that is never repeated by itself: wrong password, lockout. Every process tries once more."""
    require_person(caller)

    async def work(tx: Connection) -> dict[str, Any]:
        found = await web.services.connections.get(tx, name)
        await web.services.connections.sign_in_again(
            tx, found.id, reason=data.reason, actor=caller.actor, at=web.now
        )
        shown: dict[str, Any] = _plain(found)
        return shown

    return await perform(web, request, caller, work)


@post(
    "/api/v1/key-systems/{name:str}/locks/{lock:str}/limits",
    permission=Permission.KEYS_ADOPTION_RUN,
    status_code=200,
    tags=["adoption"],
    summary="Note whether a lock heeds an end date",
)
async def note_lock(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, lock: Name, data: JSONBody[LockFound]
) -> Response[LockChecked]:
    """What a person tried at the lock, with a key whose end date is over. It wins over what the interface says."""
    require_person(caller)

    async def work(tx: Connection) -> LockChecked:
        services = web.services
        found = await services.connections.get(tx, name)
        marking = await note_lock_check(
            tx,
            services.ledger,
            found.id,
            lock,
            data.honours_limits,
            reason=data.reason,
            actor=caller.actor,
            at=web.now,
        )
        return LockChecked(found.name, marking, data.honours_limits)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/key-systems/{name:str}/brake/release",
    permission=Permission.KEYS_BRAKE_CONFIRM,
    status_code=200,
    tags=["adoption"],
    summary="Let stopped bulk writes go on",
)
async def release_brake(
    web: WebPart, request: Asked, caller: CallerPart, name: Name, data: JSONBody[Release]
) -> Response[Any]:
    """Confirm, as a person, that bulk writes of a key system may go on for so many keys."""
    require_person(caller)

    async def work(tx: Connection) -> dict[str, Any]:
        found = await web.services.connections.get(tx, name)
        await web.services.brake.release(
            tx, found.id, keys=data.keys, actor=caller.actor, reason=data.reason, at=web.now
        )
        shown: dict[str, Any] = _plain(await web.services.connections.get(tx, name))
        return shown

    return await perform(web, request, caller, work)


HANDLERS = (connections, check, switch_writes, sign_in_again, note_lock, release_brake)
