"""The web application: routes, guard, headers, errors and the document that describes them."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException

from key2xs.access import Access, Principal
from key2xs.core.errors import Key2XSError
from key2xs.runtime import Runtime
from key2xs.services import Services

from .auth import authorise
from .headers import header_hook
from .openapi import openapi_config, openapi_json
from .problems import NotSignedIn, on_error
from .routes import (
    adoption,
    answers,
    authority,
    bundles,
    cabinets,
    connections,
    coverage,
    credentials,
    custody,
    drift,
    endings,
    governing,
    grants,
    happenings,
    imports,
    keys,
    mass,
    mishaps,
    mounts,
    outage,
    paper,
    people,
    plant,
    privacy,
    public,
    reopened,
    rollout,
    safety,
    sealed,
    session,
    system,
    users,
    vendor_hooks,
    visits,
    work,
)
from .web import Web, build_web, find_caller, web_of

_ROUTES = (
    adoption, answers, authority, bundles, cabinets, connections, coverage, credentials, custody, drift, endings, governing, grants, happenings,
    imports, keys, mass, mishaps, mounts, outage, paper, people, plant, privacy, public, reopened, rollout, safety, sealed, session,
    system, users, vendor_hooks, visits, work,
)  # fmt: skip


def create_app(services: Services, runtime: Runtime, access: Access | None = None) -> Litestar:
    """Build the application.

    Args:
        services: the domain services.
        runtime: the process around them.
        access: users and sessions; one on the services when None.
    """
    handlers: list[Any] = [handler for module in _ROUTES for handler in module.HANDLERS]
    handlers.append(_openapi)
    if services.settings.demo_time and runtime.demo_time is not None:
        handlers += system.DEMO_HANDLERS
    handlers += _console(services, runtime)
    return Litestar(
        handlers,
        before_send=[header_hook(services.settings.http)],
        debug=False,
        dependencies={
            "web": Provide(_web, sync_to_thread=False),
            "caller": Provide(_caller),
        },
        exception_handlers={
            HTTPException: _answer_error,
            Key2XSError: _answer_error,
            Exception: _answer_error,
        },
        guards=[authorise],
        lifespan=[_feed],
        logging_config=None,  # building one would set the root logger to INFO for everybody
        openapi_config=openapi_config(),
        request_max_body_size=services.settings.http.body_limit,
        signature_namespace={"Principal": Principal, "Web": Web},
        state=parts(build_web(services, runtime, access)),
    )


def parts(web: Web) -> State:
    """Return what belongs to one site; everything else of an application is the same for all."""
    return State({"web": web, mounts.SCIM: mounts.scim_server(web)})


async def stop_streams(app: Litestar) -> None:
    """End all open streams, so that the server can stop at once. Call it before the server waits for them."""
    web: Web = app.state["web"]
    await web.feed.stop()


def _web(request: Request[Any, Any, Any]) -> Web:
    return web_of(request)


async def _caller(request: Request[Any, Any, Any]) -> Principal:
    caller = await find_caller(request)
    if caller is None:
        raise NotSignedIn
    return caller


def _console(services: Services, runtime: Runtime) -> list[Any]:
    """Return the pages, where they are built in."""
    if importlib.util.find_spec("key2xs.console.routes") is None:
        return []
    from key2xs.console.routes import console_routes  # type: ignore[import-not-found, unused-ignore]

    return list(console_routes(services, runtime))


def _answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Answer a browser with a page and a program with a problem document."""
    from key2xs.console.errors import page_for, wants_page

    return page_for(request, error) if wants_page(request) else on_error(request, error)


@asynccontextmanager
async def _feed(app: Litestar) -> AsyncIterator[None]:
    web: Web = app.state["web"]
    async with web.feed.running():
        yield


@get("/openapi.json", public=True, include_in_schema=False, media_type=MediaType.JSON, cache=False)
async def _openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    return Response(openapi_json(request.app), media_type=MediaType.JSON)
