"""From a key system's settings to its connector; the one list of makes that Key2XS knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx2

from key2xs.core.clock import Clock
from key2xs.core.errors import InvalidInput
from key2xs.core.outside import CliqSystem, IloqSystem, KeySystemSettings
from key2xs.core.settings import Settings
from key2xs.keys.budget import Budget
from key2xs.keys.call_limits import CallLimits
from key2xs.keys.hooks import HookVendor
from key2xs.keys.port import KeySystemPort, SessionStore

from .cliq import CliqConfig, CliqConnector
from .iloq import IloqConfig, IloqConnector, IloqWebhooks
from .paced import PacedTransport

__all__ = ["Make", "call_limits", "hook_vendor_of", "make_of"]

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
    budget: Budget,
) -> KeySystemPort:
    return IloqConnector(
        _iloq_config(system, settings),
        store=store,
        clock=clock,
        transport=_paced(transport, budget),
        before_turn=budget.before_turn,
    )


def hook_vendor_of(
    system: KeySystemSettings,
    settings: Settings,
    *,
    store: SessionStore,
    clock: Clock,
    transport: httpx2.AsyncBaseTransport | None,
    budget: Budget,
) -> HookVendor | None:
    """Return what keeps the subscriptions of a key system that is to call us; None where nobody wants that."""
    if not isinstance(system, IloqSystem) or not system.webhook_url:
        return None
    config = _iloq_config(system, settings)
    if system.webhook_user_name:
        config = replace(config, user_name=system.webhook_user_name, password=system.webhook_password)
    return IloqWebhooks(config, store=store, clock=clock, transport=_paced(transport, budget))


def _iloq_config(system: IloqSystem, settings: Settings) -> IloqConfig:
    return IloqConfig(
        base_url=system.base_url,
        customer_code=system.customer_code,
        user_name=system.user_name,
        password=system.password,
        time_zone=settings.site_time_zone,
        lock_group=system.lock_group or None,
        api_key=system.api_key,
        request_timeout=timedelta(seconds=system.timeout_seconds),
        trusted_hosts=frozenset(host.casefold() for host in system.trusted_hosts),
        slot_budget=system.slot_budget,
        honours_limits={lock.casefold(): heeds for lock, heeds in system.honours_limits.items()},
        log_details=system.log_details,
    )


def _cliq(
    system: CliqSystem,
    settings: Settings,
    *,
    store: SessionStore,
    clock: Clock,
    transport: httpx2.AsyncBaseTransport | None,
    budget: Budget,
) -> KeySystemPort:
    config = CliqConfig(
        base_url=system.base_url,
        client=system.client,
        secret=system.secret,
        time_zone=settings.site_time_zone,
        emptied_revalidation=timedelta(minutes=system.revalidation_minutes),
        request_timeout=timedelta(seconds=system.timeout_seconds),
    )
    return CliqConnector(
        config,
        store=store,
        clock=clock,
        transport=_paced(transport, budget),
        before_turn=budget.before_turn,
    )


def call_limits(system: KeySystemSettings) -> CallLimits:
    """Return what a key system takes of calls.

    Raises:
        InvalidInput: its day begins in a time zone that does not exist.
    """
    calls = system.calls
    try:
        zone = ZoneInfo(calls.day_time_zone)
    except (ZoneInfoNotFoundError, ValueError) as err:
        raise InvalidInput("calls.day_time_zone", "no such time zone", record=system.name) from err
    return CallLimits(
        a_second=calls.a_second,
        burst=calls.burst,
        a_day=calls.a_day,
        day_starts_hour=calls.day_starts_hour,
        day_zone=zone,
        reserve=calls.reserve_percent / 100,
        background=calls.background_percent / 100,
    )


def _paced(transport: httpx2.AsyncBaseTransport | None, budget: Budget) -> PacedTransport:
    return PacedTransport(transport or httpx2.AsyncHTTPTransport(trust_env=False), budget)


_MAKES: Final[Mapping[type[Any], Make]] = {
    IloqSystem: Make("iloq", "documented", _iloq),
    CliqSystem: Make("cliq", CliqConnector.interface, _cliq),
}
