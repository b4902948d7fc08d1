"""Drive a twin from outside: time, acts, faults and the truth, over HTTP on 127.0.0.1.

The vendor's interface and this one are two ports of one process and one event loop, so an act happens between two vendor
calls and never inside one. Time stands still unless somebody says `advance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import ClientException, HTTPException
from litestar.params import FromQuery, JSONBody, QueryParameter

from key2xs_twin.cliq.edge import CliqApp
from key2xs_twin.cliq.errors import CliqError
from key2xs_twin.cliq.server import PREFIX as CLIQ_PREFIX
from key2xs_twin.directory import Directory, NotFoundError
from key2xs_twin.edge import AsgiApp, Message, Receiver, Sender
from key2xs_twin.faults import Fault
from key2xs_twin.iloq.edge import IloqApp
from key2xs_twin.iloq.errors import ApiError
from key2xs_twin.people import Act, Done, Scenario
from key2xs_twin.scenario_file import LimitRule
from key2xs_twin.time import NEVER

if TYPE_CHECKING:
    from key2xs_twin.devices.things import Opening
    from key2xs_twin.world import World

JsonObject = dict[str, Any]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let time pass until an instant (RFC 3339 with offset)."""

    to: Instant


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An act for later."""

    at: Instant
    do: Act


class FaultRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault of the vendor's server; the fields are those of `key2xs_twin.faults.Fault`."""

    operation: str
    effect: str
    nth: int | None = None
    probability: float | None = None
    times: int | None = None
    retry_after: float | None = None
    from_at: Instant | None = None
    until_at: Instant | None = None


class LimitsOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one maker's server or of both."""

    iloq: LimitRule | None = None
    cliq: LimitRule | None = None


@dataclass(slots=True)
class CountedApp:
    """The vendor's ASGI application, with a count of the calls that are under way."""

    app: AsgiApp
    open_calls: int = 0
    calls: int = 0

    async def __call__(self, scope: Message, receive: Receiver, send: Sender) -> None:
        """Pass one call on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.open_calls += 1
        self.calls += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open_calls -= 1


@dataclass(frozen=True, slots=True)
class VendorApps:
    """Both makers' interfaces on one port: the path says whom a call is for."""

    iloq: AsgiApp
    cliq: AsgiApp

    async def __call__(self, scope: Message, receive: Receiver, send: Sender) -> None:
        """Pass one call on."""
        for_cliq = scope["type"] == "http" and scope["path"].startswith(CLIQ_PREFIX)
        await (self.cliq if for_cliq else self.iloq)(scope, receive, send)


class TwinControl:
    """One world with its vendor application and its control application."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scenario = Scenario(world)
        self.vendor = CountedApp(VendorApps(IloqApp(world.iloq), CliqApp(world.cliq)))
        self.app = cast("AsgiApp", self._application())

    def _application(self) -> Litestar:
        return Litestar(
            [
                post("/control/advance", status_code=200)(self.advance),
                post("/control/act", status_code=200)(self.act),
                post("/control/plan", status_code=202)(self.plan),
                post("/control/faults", status_code=200)(self.add_faults),
                post("/control/faults/clear", status_code=200)(self.clear_faults),
                post("/control/limits", status_code=200)(self.set_limits),
                get("/control/state")(self.state),
                get("/control/oracle")(self.oracle),
                get("/control/who")(self.who),
                get("/control/openings")(self.openings),
            ],
            openapi_config=None,
            exception_handlers={
                NotFoundError: _refuse,
                ValueError: _refuse,
                ApiError: _refuse,
                CliqError: _refuse,
            },
        )

    async def advance(self, data: JSONBody[Advance]) -> JsonObject:
        """Move time forward; 400 when that would be backward."""
        self.world.advance_to(data.to)
        return self._state(digest=False)

    async def act(self, data: JSONBody[Act]) -> JsonObject:
        """Do something now."""
        return _done(self.scenario.now(data))

    async def plan(self, data: JSONBody[Planned]) -> JsonObject:
        """Do something when time reaches it; look at `openings` for what came of it."""
        self.scenario.at(data.at, data.do)
        return self._state(digest=False)

    async def add_faults(self, data: JSONBody[list[FaultRule]]) -> JsonObject:
        """Plan faults of the vendor's server; the answer tells how often each has fired."""
        for rule in data:
            self.world.faults.add(Fault(**msgspec.structs.asdict(rule)))
        return {"fired": self.world.faults.fired()}

    async def clear_faults(self) -> JsonObject:
        """The vendor's server is well again; the answer tells how often each fault had fired."""
        fired = self.world.faults.fired()
        self.world.faults.clear()
        return {"fired": fired}

    async def set_limits(self, data: JSONBody[LimitsOf]) -> JsonObject:
        """Set how much a maker's server takes from now on; a maker that is not named keeps his limits."""
        for gateway, rule in ((self.world.iloq.gateway, data.iloq), (self.world.cliq.gateway, data.cliq)):
            if rule is not None:
                gateway.limits = rule.limits()
        return self._limits()

    async def state(self, digest: FromQuery[bool] = True) -> JsonObject:  # noqa: FBT002 - a query parameter
        """Where the world stands; `digest=false` spares the hashing."""
        return self._state(digest=digest)

    async def oracle(
        self,
        key: FromQuery[str],
        lock: FromQuery[str],
        from_: Annotated[datetime | None, QueryParameter(name="from")] = None,
    ) -> JsonObject:
        """Until when this key could open this lock if nothing further reached the devices.

        `kind`: end (at `at` it no longer opens), never (not from `from` on), no_end.
        """
        find = Directory(self.world)
        key_id, lock_id = find.key(key), find.lock(lock)
        start = _aware(from_) or self.world.now
        latest = self.world.oracle.latest_opening(key_id, lock_id, start)
        kind = "no_end" if latest is None else "never" if latest == NEVER else "end"
        return {
            "key": str(key_id),
            "lock": str(lock_id),
            "from": _text(start),
            "kind": kind,
            "at": _text(latest) if latest is not None and kind == "end" else None,
            "now": self.world.oracle.can_open(key_id, lock_id, self.world.now),
        }

    async def who(self, lock: FromQuery[str], at: FromQuery[datetime | None] = None) -> JsonObject:
        """Which keys would open this lock at an instant, by device truth."""
        find = Directory(self.world)
        lock_id, instant = find.lock(lock), _aware(at) or self.world.now
        keys = self.world.oracle.who_can_open(lock_id, instant)
        return {
            "lock": str(lock_id),
            "at": _text(instant),
            "keys": [
                {"key": str(key), "stamp": find.stamp(key), "person": self.world.holders.get(key)}
                for key in keys
            ],
        }

    async def openings(self, since: FromQuery[int] = 0) -> JsonObject:
        """What truly happened at the locks, from entry number `since` on."""
        every = self.world.openings
        return {"next": len(every), "openings": [self._opening(each) for each in every[since:]]}

    def _state(self, *, digest: bool) -> JsonObject:
        due = self.world.time.next_due()
        state: JsonObject = {
            "now": _text(self.world.now),
            "next_event": _text(due) if due is not None else None,
            "open_calls": self.vendor.open_calls,
            "calls": self.vendor.calls,
            "openings": len(self.world.openings),
            "limits": self._limits(),
        }
        if digest:
            state["digest"] = self.world.digest()
        return state

    def _limits(self) -> JsonObject:
        return {
            gateway.name: {
                "calls_today": gateway.calls_today,
                "calls_left_today": gateway.calls_left(self.world.now),
                "turned_away": gateway.turned_away,
                "told_that_the_quota_is_gone": [_text(each) for each in gateway.told],
            }
            for gateway in (self.world.iloq.gateway, self.world.cliq.gateway)
        }

    def _opening(self, opening: Opening) -> JsonObject:
        find = Directory(self.world)
        return {
            **_opening(opening),
            "marking": find.marking(opening.lock_id),
            "stamp": find.stamp(opening.key_id),
        }


def _done(done: Done) -> JsonObject:
    opening = _opening(done.opening) if done.opening is not None else None
    return {"at": _text(done.at), "worked": done.worked, "opening": opening}


def _opening(opening: Opening) -> JsonObject:
    return {
        "ok": opening.ok,
        "reason": str(opening.reason),
        "at": _text(opening.at),
        "lock": str(opening.lock_id),
        "key": str(opening.key_id) if opening.key_id else None,
        "person": opening.person,
        "log_id": str(opening.log_id) if opening.log_id else None,
    }


def _refuse(_request: Request[Any, Any, Any], error: Exception) -> Response[JsonObject]:
    if isinstance(error, HTTPException):  # Litestar's own refusals are ValueErrors too
        return Response(
            {"status_code": error.status_code, "detail": error.detail}, status_code=error.status_code
        )
    status = 404 if isinstance(error, NotFoundError) else 400
    return Response({"status_code": status, "detail": str(error)}, status_code=status)


def _aware(instant: datetime | None) -> datetime | None:
    if instant is not None and instant.tzinfo is None:
        raise ClientException("an instant needs an offset (in a URL, + is written %2B)")
    return instant


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
