"""What every handler is given: the services, and the parts that only the web side has."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from key2xs.access import Access, Principal
from key2xs.core.clock import require_utc
from key2xs.core.errors import InvalidInput
from key2xs.identity import Identity
from key2xs.keys.desk.cabinets.webhook import CabinetWebhook
from key2xs.runtime import Runtime
from key2xs.services import Services
from key2xs.work import Webhook

from .feed import Feed
from .headers import cookie_settings

T = TypeVar("T")
CALLER = "key2xs.caller"
"""Where a request keeps who asks."""


@dataclass(frozen=True)
class Web:
    """One application's parts."""

    services: Services
    runtime: Runtime
    access: Access
    webhook: Webhook
    cabinets: CabinetWebhook
    feed: Feed
    cookie: dict[str, Any] = field(default_factory=dict)
    import_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def identity(self) -> Identity:
        """People, companies and what is true of them."""
        return self.services.identity

    @property
    def now(self) -> datetime:
        """The domain's present."""
        return self.services.clock.now()

    def instant(self, at: datetime | None, name: str = "at") -> datetime:
        """Return an instant a request named, or the present.

        Raises:
            InvalidInput: it has no time zone, or is none any calendar knows.
        """
        if at is None:
            return self.now
        try:
            return require_utc(at)
        except (ValueError, OverflowError) as error:
            raise InvalidInput(name, "needs a time zone, like 2026-03-02T18:00:00Z") from error


WebPart: TypeAlias = NamedDependency[SkipValidation[Web]]
CallerPart: TypeAlias = NamedDependency[SkipValidation[Principal]]


def build_web(services: Services, runtime: Runtime, access: Access | None = None) -> Web:
    """Make the web side's own parts on the services."""
    return Web(
        services=services,
        runtime=runtime,
        access=access
        or Access(services.database, services.ledger, services.vault, services.clock, services.wall),
        webhook=Webhook(services.database, services.desk, services.clock, services.settings),
        cabinets=CabinetWebhook(services.database, services.key_desk, services.clock),
        feed=Feed(services.database),
        cookie=cookie_settings(services.settings.http),
    )


def web_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Web:
    """Return the parts of the application that serves a request."""
    web: Web = connection.app.state["web"]
    return web


async def find_caller(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
    """Return who makes a request, asked once a request; None for nobody."""
    scope: dict[str, Any] = connection.scope  # type: ignore[assignment]
    if CALLER not in scope:
        scope[CALLER] = await _recognise(connection)
    found: Principal | None = scope[CALLER]
    return found


async def _recognise(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
    web = web_of(connection)
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    if scheme:
        # A request with both says two things; the header was put there on purpose.
        return await web.access.tokens.recognise(secret.strip()) if scheme.casefold() == "bearer" else None
    cookie = connection.cookies.get(web.cookie["key"])
    if not cookie:
        return None
    return await web.access.sessions.recognise(cookie) or await web.access.codes.recognise(cookie)
