"""Key cabinets: their signed webhook, their files, and the file they load."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post, route
from litestar.exceptions import ClientException
from litestar.params import QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import Name
from key2xs.api.routes.imports import LARGEST_FILE, ImportOut, import_out, read_csv
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.outside import CabinetSource
from key2xs.keys.desk.cabinets import files
from key2xs.keys.desk.cabinets.webhook import BODY_LIMIT


class CabinetOut(msgspec.Struct, frozen=True):
    """One cabinet; `keys` lie in it."""

    source: str
    name: str
    online: bool
    heard_at: datetime
    keys: int


class CabinetList(msgspec.Struct, frozen=True):
    """All cabinets that were ever heard."""

    items: list[CabinetOut]


@route(
    "/webhooks/cabinets/{source:str}",
    http_method=["OPTIONS", "POST"],
    public=True,
    status_code=202,
    request_max_body_size=BODY_LIMIT,
    tags=["webhooks"],
    summary="Take in events of key cabinets (Standard Webhooks signature)",
)
async def cabinet_events(web: WebPart, request: Request[Any, Any, Any], source: Name) -> Response[bytes]:
    """Take in one event or a list: 202 with what became of each, 204 all known, 4xx with a problem document.

    429 says in `Retry-After` when to send again.
    OPTIONS answers a sender that asks what it may send.
    """
    if request.method == "OPTIONS":
        return Response(b"", status_code=200, headers={"Allow": "POST, OPTIONS"})
    answer = await web.cabinets.receive(source, dict(request.headers), await request.body())
    web.runtime.wake()
    return Response(
        answer.body, status_code=answer.status, headers=dict(answer.headers), media_type=answer.media_type
    )


@get("/api/v1/cabinets", permission=Permission.KEYS_KEY_READ, tags=["custody"], summary="Key cabinets")
async def cabinets(web: WebPart) -> CabinetList:
    """All cabinets: online or not, heard when, and how many keys lie in each."""
    async with web.services.database.read() as tx:
        found = await files.cabinets(tx)
    return CabinetList(
        [CabinetOut(each.source, each.name, each.online, each.heard_at, each.keys) for each in found]
    )


@post(
    "/api/v1/cabinets/{source:str}/events",
    permission=Permission.KEYS_CABINET_IMPORT,
    status_code=200,
    request_max_body_size=LARGEST_FILE,
    tags=["custody"],
    summary="Import what cabinets saw (CSV)",
)
async def import_events(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    source: Name,
    dry_run: Annotated[bool, QueryParameter(description="Only report.")] = False,  # noqa: FBT002 - a query parameter
) -> Response[ImportOut]:
    """Import a cabinet's own file: `event_id,event,time,cabinet,slot,item,person`. The same as the webhook."""
    known = _source(web, source)
    if not request.content_type[0].startswith(("text/csv", "text/plain")):
        raise ClientException(status_code=415, detail="send text/csv")
    rows = await asyncio.to_thread(read_csv, await request.body())

    async def work(tx: Connection) -> ImportOut:
        return import_out(
            await files.import_events(tx, web.services.key_desk, known, rows, at=web.now, dry_run=dry_run)
        )

    async with web.import_lock:
        return await perform(web, request, caller, work, dry_run=dry_run)


@get(
    "/api/v1/cabinets/{source:str}/{cabinet:str}/may-take.csv",
    permission=Permission.KEYS_CABINET_IMPORT,
    tags=["custody"],
    summary="Who may take which key of a cabinet, and when",
    media_type="text/csv",
)
async def may_take(web: WebPart, source: Name, cabinet: Name) -> Response[str]:
    """A file for the cabinet to load, for the next 24 hours. People stand by their id, which it sends back."""
    known = _source(web, source)
    async with web.services.database.read() as tx:
        text = await files.may_take(tx, web.services.key_desk, known, cabinet, web.now)
    return Response(text, media_type="text/csv; charset=utf-8")


def _source(web: Web, name: str) -> CabinetSource:
    for source in web.services.key_desk.cabinets:
        if source.name == name:
            return source
    raise NotFound(f"there is no cabinet source {name}")


HANDLERS = (cabinet_events, cabinets, import_events, may_take)
