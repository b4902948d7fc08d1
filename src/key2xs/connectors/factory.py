"""From a key system's settings to its connector; the one list of makes that Key2XS knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx2

from key2xs.core.clock import Clock
from key2xs.core.outside import CliqSystem, IloqSystem, KeySystemSettings
from key2xs.core.settings import Settings
from key2xs.keys.port import KeySystemPort, SessionStore

from .cliq import CliqConfig, CliqConnector
from .iloq import IloqConfig, IloqConnector

__all__ = ["Make", "make_of"]

Build = Callable[..., KeySystemPort]


@dataclass(frozen=True, slots=True)
class Make:
    """One make of key systems. `interface`: documented by its vendor, or simulated; pages say so."""

    vendor: str
    interface: str
    build: Build


def make_of(system: KeySystemSettings) -> Make:
    """Return the make that a key system's settings are of."""
    return _MAKES[type(system)]


def _iloq(
    system: IloqSystem,
    settings: Settings,
    *,
    store: SessionStore,
    clock: Clock,
    transport: httpx2.AsyncBaseTransport | None,
) -> KeySystemPort:
    config = IloqConfig(
        base_url=system.base_url,
        customer_code=system.customer_code,
        user_name=system.user_name,
        password=system.password,
        time_zone=settings.site_time_zone,
        lock_group=system.lock_group or None,
        api_key=system.api_key,
        request_timeout=timedelta(seconds=system.timeout_seconds),
    )
    return IloqConnector(config, store=store, clock=clock, transport=transport)


def _cliq(
    system: CliqSystem,
    settings: Settings,
    *,
    store: SessionStore,
    clock: Clock,
    transport: httpx2.AsyncBaseTransport | None,
) -> KeySystemPort:
    config = CliqConfig(
        base_url=system.base_url,
        client=system.client,
        secret=system.secret,
        time_zone=settings.site_time_zone,
        emptied_revalidation=timedelta(minutes=system.revalidation_minutes),
        request_timeout=timedelta(seconds=system.timeout_seconds),
    )
    return CliqConnector(config, store=store, clock=clock, transport=transport)


_MAKES: Final[Mapping[type[Any], Make]] = {
    IloqSystem: Make("iloq", "documented", _iloq),
    CliqSystem: Make("cliq", CliqConnector.interface, _cliq),
}
