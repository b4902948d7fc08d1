"""The web side for tests: routes are registered once, each site gets parts of its own."""

import copy

from litestar import Litestar
from litestar.datastructures import State

from key2xs.access import Access
from key2xs.api import create_app
from key2xs.api.app import parts
from key2xs.api.web import build_web
from key2xs.runtime import Runtime
from key2xs.services import Services

_MADE: dict[object, Litestar] = {}


def web_side(services: Services, runtime: Runtime, access: Access) -> Litestar:
    """Return an application for requests; one that is served, with its start and stop, comes from `create_app`.

    To register all routes takes a third of a second, and what is registered depends on few of the settings.
    """
    settings = services.settings
    kind = (settings.http, settings.demo_time and runtime.demo_time is not None)
    if kind not in _MADE:
        _MADE[kind] = create_app(services, runtime, access)
        _MADE[kind].state = State()  # nothing of the first site stays
    app = copy.copy(_MADE[kind])
    app.state = parts(build_web(services, runtime, access))
    return app
