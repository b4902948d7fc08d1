"""All routes of the console, for the application to mount."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router
from litestar.types import ControllerRouterHandler

from key2xs.core.errors import Key2XSError
from key2xs.runtime import Runtime
from key2xs.services import Services

from .errors import page_for
from .pages import (
    access_points,
    administration,
    adoption,
    companies,
    coverage,
    desk,
    drift,
    ending,
    exposure,
    histories,
    key_care,
    keys,
    keys_out,
    me,
    my_area,
    outage,
    permits,
    requests,
    safety,
    sealed,
    search,
    shift,
    sign_in,
    why,
)
from .pulse import pulse

STATIC: Final = Path(__file__).parent / "static"
_KEEP_STATIC = CacheControlHeader(max_age=300, public=True)
_PAGES: Final = (
    access_points,
    administration,
    adoption,
    companies,
    coverage,
    desk,
    drift,
    ending,
    exposure,
    histories,
    key_care,
    keys,
    keys_out,
    me,
    my_area,
    outage,
    permits,
    requests,
    safety,
    sealed,
    search,
    shift,
    sign_in,
    why,
)


def console_routes(services: Services, runtime: Runtime) -> Sequence[ControllerRouterHandler]:  # noqa: ARG001
    """Return the pages and their static files.

    Both arguments are what every part of the web side is built from; the pages find them again through the
    application's own parts (`api.web.web_of`), so that sessions and the feed are shared with the API.
    """
    pages = Router(
        path="/",
        route_handlers=[*(handler for page in _PAGES for handler in page.HANDLERS), pulse],
        exception_handlers={Key2XSError: page_for, HTTPException: page_for, Exception: page_for},
        include_in_schema=False,
    )
    static = create_static_files_router(
        path="/static",
        directories=[STATIC],
        cache_control=_KEEP_STATIC,
        opt={"public": True},
        include_in_schema=False,
    )
    return [pages, static]
