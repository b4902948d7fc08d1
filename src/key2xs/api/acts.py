"""Acts: changes asked for over HTTP, each done once.

A client that lost our answer sends the act again with the same `Idempotency-Key` and gets the first answer; nothing
happens twice. The key is reserved in the act's own transaction, so an act that failed leaves no trace of it.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Request, Response

from key2xs.access import Principal
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.sql import load_queries

from .clearing import LONGEST_REASON, SecondPersonNeeded, checked_reason, propose, what_is_said
from .problems import KeyUsedDifferently
from .web import Web

T = TypeVar("T")
_SQL = load_queries("key2xs.access")

HEADER: Final = "idempotency-key"
LONGEST_KEY: Final = 200  # characters
KEPT_FOR: Final = timedelta(hours=24)  # nobody repeats a request of yesterday
_SWEEP_EVERY: Final = 500  # acts with a key
_counted = 0


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why; or say it in the header `Key2XS-Reason`, and send no body."""

    reason: Annotated[str, msgspec.Meta(max_length=LONGEST_REASON)] = ""


async def reason_of(request: Request[Any, Any, Any]) -> str:
    """Return why an act is asked for, out of its body or the header `Key2XS-Reason`. Every act has a reason.

    Raises:
        InvalidInput: it does not say.
    """
    return checked_reason((await what_is_said(request)).reason)


async def reason_if_given(request: Request[Any, Any, Any]) -> str:
    """Return why, where an act is part of the day's routine and its reason may stay unsaid; empty if it does.

    Raises:
        InvalidInput: what is said is no reason.
    """
    said = (await what_is_said(request)).reason
    return checked_reason(said) if said else ""


async def perform(
    web: Web,
    request: Request[Any, Any, Any],
    caller: Principal,
    work: Callable[[Connection], Awaitable[T]],
    *,
    status: int | Callable[[T], int] = 200,
    dry_run: bool = False,
) -> Response[Any]:
    """Do an act in one transaction and answer with what it returned.

    Args:
        web: the application's parts.
        request: carries the idempotency key, if any.
        caller: whose key it is.
        work: does the act; may run again after a deadlock.
        status: of the answer, or how to tell it from what `work` returned.
        dry_run: nothing changes, so there is nothing to remember.

    Raises:
        KeyUsedDifferently: the key came with another request before.
        InvalidInput: the key is too long.
        SecondPersonNeeded: the matrix asks for a second person; the request waits as a proposal now.
    """
    try:
        return await _perform(web, request, caller, work, status=status, dry_run=dry_run)
    except SecondPersonNeeded as error:
        if error.proposal is not None:
            raise
        said = await what_is_said(request)
        raise await propose(web, caller, error.permission, said) from error


async def _perform(
    web: Web,
    request: Request[Any, Any, Any],
    caller: Principal,
    work: Callable[[Connection], Awaitable[T]],
    *,
    status: int | Callable[[T], int],
    dry_run: bool,
) -> Response[Any]:
    key = request.headers.get(HEADER)
    if key is None or dry_run:
        done = await web.services.database.transact(work)
        web.runtime.wake()
        return Response(msgspec.to_builtins(done), status_code=_status(status, done))
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise InvalidInput("Idempotency-Key", f"must have 1 to {LONGEST_KEY} printable characters")
    digest = await _digest(request)
    answered, body = await web.services.database.transact(
        lambda tx: _once(tx, web, caller, key, digest, work, status)
    )
    web.runtime.wake()
    return Response(body, status_code=answered)


async def _once(
    tx: Connection,
    web: Web,
    caller: Principal,
    key: str,
    digest: bytes,
    work: Callable[[Connection], Awaitable[T]],
    status: int | Callable[[T], int],
) -> tuple[int, Any]:
    now = web.services.wall.now()
    await _sweep(tx, web)
    # Waits while another request with this key is under way; then its answer is there.
    if not await tx.fetchval(_SQL["begin_answer"], caller.actor, key, digest, now):
        row = await tx.fetchrow(_SQL["find_answer"], caller.actor, key)
        if row is None or bytes(row["digest"]) != digest:
            raise KeyUsedDifferently
        return row["status"], row["body"]
    done = await work(tx)
    body, answered = msgspec.to_builtins(done), _status(status, done)
    await tx.execute(_SQL["put_answer"], caller.actor, key, answered, body)
    return answered, body


async def _digest(request: Request[Any, Any, Any]) -> bytes:
    said = hashlib.sha256()
    for part in (request.method, request.url.path, request.scope["query_string"].decode("latin-1")):
        said.update(part.encode() + b"\0")
    said.update(await request.body())
    return said.digest()


async def _sweep(tx: Connection, web: Web) -> None:
    global _counted  # noqa: PLW0603 - only a pace; a lost count costs nothing
    _counted += 1
    if _counted % _SWEEP_EVERY == 1:
        await tx.execute(_SQL["sweep_answers"], web.services.wall.now() - KEPT_FOR)


def _status(status: int | Callable[[T], int], done: T) -> int:
    return status if isinstance(status, int) else status(done)
