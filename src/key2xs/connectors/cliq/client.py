"""The wire of the simulated CLIQ interface: every path, field and code of it, and nothing else.

SIMULATED INTERFACE. The vendor's integration interface is not public (partner agreement). The names here are ours; the
rest of the connector only knows the calls of this module and the classes of `payloads`: the real wire replaces these.

    no connection was made           Retry       nothing was sent
    lost after sending, a read       Retry       nothing changed
    lost after sending, a write      Unknown     it may have been carried out
    2xx                              the answer; a read that is no JSON is Retry, a write is Unknown
    401 credentials                  NeedsPerson
    401 anything else                SessionEnded, for `session` to sign in again
    403                              NeedsPerson
    404, 409, 422 and the like       Refused     with the vendor's message
    412                              Changed     somebody else wrote the key or the list; nothing was written
    408, 5xx on a write              Unknown     on a read Retry
    429, 503                         Retry       after what the vendor says
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx2
import msgspec

from key2xs.connectors.takeover import SessionEnded
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown

from .config import CliqConfig
from .payloads import CylinderList, Nothing, Plan, Problem

__all__ = ["Call", "Changed", "CliqClient"]

T = TypeVar("T")

_PREFIX: Final = "cliq-sim/v1"
_PAGE: Final = 1000
_EVENTS: Final = 500
_LONGEST_RETRY: Final = timedelta(hours=1)  # whatever a Retry-After says
_NEVER_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)


class Changed(Exception):
    """The key or list is not at the revision that the write was based on; nothing was written."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` follows the prefix; `writes` says whether it changes anything at the vendor."""

    method: str
    path: str
    body: Any = None
    if_match: str | None = None
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


def sign_in(config: CliqConfig) -> Call:
    """Open a session."""
    return Call("POST", "sessions", {"client": config.client, "secret": config.secret.reveal()})


def sign_out() -> Call:
    """End the session that sends this; repeating it is harmless, so it counts as a read."""
    return Call("DELETE", "sessions/current")


def page(path: str, cursor: str | None) -> Call:
    """Read one page of a list."""
    more = {"cursor": cursor} if cursor is not None else {}
    return Call("GET", f"{path}?{urlencode({'limit': _PAGE} | more)}")


def system() -> Call:
    """Read the system and its limits."""
    return Call("GET", "system")


def updaters() -> Call:
    """Read all updaters."""
    return Call("GET", "updaters")


def programming_keys() -> Call:
    """Read all programming keys."""
    return Call("GET", "programming-keys")


def open_jobs() -> Call:
    """Read all jobs that are not over."""
    return Call("GET", "jobs?open=true")


def jobs_of(key: str) -> Call:
    """Read all jobs about one key."""
    return Call("GET", f"jobs?{urlencode({'key': key})}")


def read_key(key: str) -> Call:
    """Read one key."""
    return Call("GET", f"keys/{quote(key, safe='')}")


def write_plan(key: str, plan: Plan, revision: int) -> Call:
    """Replace a key's plan if it is at `revision`."""
    path = f"keys/{quote(key, safe='')}/plan"
    return Call("PUT", path, _plan_body(plan), if_match=str(revision), writes=True)


def read_lists(key: str) -> Call:
    """Read the cylinders that list a normal key."""
    return Call("GET", f"keys/{quote(key, safe='')}/lists")


def read_list(cylinder: str) -> Call:
    """Read what is planned for one cylinder."""
    return Call("GET", f"cylinders/{quote(cylinder, safe='')}/list")


def write_list(cylinder: str, entries: CylinderList) -> Call:
    """Replace what is planned for a cylinder if it is at the revision that was read."""
    body = {"keys": entries.keys, "key_groups": entries.key_groups}
    path = f"cylinders/{quote(cylinder, safe='')}/list"
    return Call("PUT", path, body, if_match=str(entries.revision), writes=True)


def key_groups() -> Call:
    """Read all key groups."""
    return Call("GET", "key-groups")


def send_plan(key: str) -> Call:
    """Make the plan wait at every updater."""
    return Call("POST", f"keys/{quote(key, safe='')}/send", writes=True)


def report(key: str, what: str) -> Call:
    """Report a key lost, broken or found."""
    return Call("POST", f"keys/{quote(key, safe='')}/report", {"what": what}, writes=True)


def make_job(programming_key: str, key: str, cylinders: list[str], *, kind: str = "block") -> Call:
    """Give a programming key visits that block a key, unblock it, or bring the list of a cylinder."""
    tasks = [{"kind": kind, "cylinder": cylinder, "key": key} for cylinder in cylinders]
    return Call("POST", "jobs", {"programming_key": programming_key, "tasks": tasks}, writes=True)


def drop_task(job: str, number: int) -> Call:
    """Take a task back that waits."""
    return Call("DELETE", f"jobs/{quote(job, safe='')}/tasks/{number}", writes=True)


def read_events(cursor: str | None) -> Call:
    """Read the log from a cursor on."""
    more = {"after": cursor} if cursor is not None else {}
    return Call("GET", f"events?{urlencode({'limit': _EVENTS} | more)}")


def _plan_body(plan: Plan) -> dict[str, Any]:
    validity: dict[str, Any] = {"kind": plan.validity.kind}
    if plan.validity.to is not None:
        start, end = plan.validity.from_, plan.validity.to
        validity |= {"from": None if start is None else instant(start), "to": instant(end)}
    return {
        "access": plan.access,
        "validity": validity,
        "schedule": plan.schedule,
        "revalidation_minutes": plan.revalidation_minutes,
        "online_opening": plan.online_opening,
    }


def instant(at: datetime) -> str:
    """Write an instant."""
    return at.isoformat().replace("+00:00", "Z")


class CliqClient:
    """The HTTP side of one connection. `writes_sent` counts writes that may have reached the vendor."""

    def __init__(self, config: CliqConfig, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        """Prepare, without connecting; `transport` replaces the network in tests."""
        self._config = config
        self._http = httpx2.AsyncClient(
            transport=transport,
            timeout=config.request_timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            headers={"accept": "application/json"},
        )
        self.writes_sent = 0

    async def aclose(self) -> None:
        """Release connections."""
        await self._http.aclose()

    async def send(self, call: Call, shape: type[T], *, session: str | None = None) -> T:
        """Send one request and decode its answer; shape `Nothing` reads nothing out of it.

        Raises:
            SessionEnded: 401.
            Changed: 412.
            CallFailed: see the module's table.
        """
        response = await self._exchange(call, session)
        if not response.is_success:
            raise _failure(call, response, self._config)
        if shape is Nothing and not response.content.strip():
            return shape()
        try:
            return msgspec.json.decode(response.content, type=shape)
        except (msgspec.DecodeError, RecursionError) as err:
            raise _lost(call, self._config, "an answer that cannot be read") from err

    async def _exchange(self, call: Call, session: str | None) -> httpx2.Response:
        headers = {"X-Session": session} if session is not None else {}
        if call.if_match is not None:
            headers["If-Match"] = call.if_match
        if call.body is not None:
            headers["content-type"] = "application/json"
        self.writes_sent += call.writes
        try:
            async with asyncio.timeout(self._config.request_timeout.total_seconds()):
                return await self._http.request(
                    call.method,
                    f"{self._config.base_url.rstrip('/')}/{_PREFIX}/{call.path}",
                    content=None if call.body is None else msgspec.json.encode(call.body),
                    headers=headers,
                )
        except _NEVER_SENT as err:
            self.writes_sent -= call.writes
            raise Retry(self._config.retry_after, f"no connection for {call}") from err
        except (httpx2.TransportError, TimeoutError) as err:
            raise _lost(call, self._config, "no answer") from err


def _lost(call: Call, config: CliqConfig, what: str) -> CallFailed:
    return Unknown(f"{call} got {what}") if call.writes else Retry(config.retry_after, f"{call} got {what}")


def _failure(call: Call, response: httpx2.Response, config: CliqConfig) -> Exception:
    status, problem = response.status_code, _problem(response)
    if status == 401:
        if problem.code == "credentials":
            return NeedsPerson("integration administrator", "CLIQ sign-in: client or secret is wrong")
        return SessionEnded()
    if status == 412:
        return Changed()
    if status in {429, 503}:
        return Retry(_retry_after(response, config), f"{call} was answered {status}")
    if status == 403:
        return NeedsPerson("CLIQ administrator", f"{call}: {problem.message or 'not in our domain'}")
    if status == 408 or status >= 500:
        return _lost(call, config, f"status {status}")
    return Refused(f"{call} was refused: {problem.message or problem.code or status}")


def _retry_after(response: httpx2.Response, config: CliqConfig) -> timedelta:
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), 10**6)), _LONGEST_RETRY)
    return config.retry_after


def _problem(response: httpx2.Response) -> Problem:
    """Return the problem, its message cut: it may repeat what was sent, and a log line has limits."""
    try:
        found = msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, RecursionError):
        return Problem()
    return Problem(found.code[:60], found.message[:300])
