"""Where key systems call: signed messages that wake our reading. Each subscription has its own key."""

from typing import Any

import msgspec
from litestar import Request, Response, route

from key2xs.api.paging import Name
from key2xs.api.web import WebPart
from key2xs.keys.waking import BODY_LIMIT


@route(
    "/webhooks/iloq/{system:str}",
    http_method=["OPTIONS", "POST"],
    public=True,
    status_code=202,
    request_max_body_size=BODY_LIMIT,
    tags=["webhooks"],
    summary="Be woken by a key system (iLOQ webhook signature)",
)
async def vendor_call(web: WebPart, request: Request[Any, Any, Any], system: Name) -> Response[bytes]:
    """Take in one message: 202 taken, 204 taken before, 4xx with a problem document. Nothing in it is believed.

    OPTIONS answers a sender that asks what it may send.
    """
    if request.method == "OPTIONS":
        return Response(b"", status_code=200, headers={"Allow": "POST, OPTIONS"})
    answer = await web.services.hooks.receive(system, dict(request.headers), await request.body())
    if answer.document is not None:
        return Response(
            msgspec.json.encode(answer.document),
            status_code=answer.status,
            media_type="application/problem+json",
        )
    web.runtime.wake()
    return Response(b"", status_code=answer.status)


HANDLERS = (vendor_call,)
