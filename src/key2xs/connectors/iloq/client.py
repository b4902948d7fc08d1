"""One HTTP request to the vendor, and what its outcome means for the caller.

    no connection was made           Retry       nothing was sent
    lost after sending, a read       Retry       nothing changed
    lost after sending, a write      Unknown     it may have been carried out
    2xx                              the answer; a read that is no JSON is Retry, a write is Unknown
    400                              Refused     with the vendor's message
    401                              SessionEnded, for `session` to sign in again
    403                              NeedsPerson
    408, 5xx on a write              Unknown     on a read Retry
    429, 503                         Retry       after what the vendor says
    anything else                    Refused

No request follows a redirect: the vendor tells its base in the answer of Url/GetUrl.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

import httpx2
import msgspec

from key2xs.connectors.takeover import SessionEnded
from key2xs.core.errors import CallFailed, NeedsPerson, Refused, Retry, Unknown

from .config import IloqConfig

__all__ = ["Call", "Done", "IloqClient"]

T = TypeVar("T")

_LONGEST_RETRY: Final = timedelta(
    hours=1
)  # whatever a Retry-After says; a typing error must not stop us for a year
_NEVER_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)


class Done(msgspec.Struct, frozen=True):
    """The answer of a call that only does something."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `path` follows `/api/v2/`; `writes` says whether it changes anything at the vendor."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] | None = None
    writes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class IloqClient:
    """The HTTP side of one connection. `writes_sent` counts writes that may have reached the vendor."""

    def __init__(self, config: IloqConfig, *, transport: httpx2.AsyncBaseTransport | None = None) -> None:
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Release connections."""
        await self._http.aclose()

    async def send(self, call: Call, shape: type[T], *, base_url: str, session: str | None = None) -> T:
        """Send one request and decode its answer; shape `Done` reads nothing out of it.

        Raises:
            SessionEnded: 401.
            CallFailed: see the module's table.
        """
        response = await self._exchange(call, base_url=base_url, session=session)
        if not response.is_success:
            raise _failure(call, response, self._config)
        # An answer that has nothing to say is empty; a web page with status 200 is some gateway, not the vendor.
        content = b"{}" if shape is Done and not response.content.strip() else response.content
        try:
            return msgspec.json.decode(content, type=shape)
        except (msgspec.DecodeError, RecursionError) as err:
            if shape is Done and isinstance(err, msgspec.ValidationError):
                return cast("T", Done())  # JSON of another form: the vendor did speak
            raise _garbage(call, self._config) from err

    async def _exchange(self, call: Call, *, base_url: str, session: str | None) -> httpx2.Response:
        headers: dict[str, str] = {}
        if session is not None:
            headers["SessionId"] = session
        if self._config.api_key:
            headers["x-api-key"] = self._config.api_key.reveal()
        self.writes_sent += call.writes
        try:
            # httpx2 limits single steps (connect, each read); the whole request needs a limit of its own.
            async with asyncio.timeout(self._config.request_timeout.total_seconds()):
                return await self._http.request(
                    call.method,
                    f"{base_url.rstrip('/')}/api/v2/{call.path}",
                    params=call.query,
                    content=None if call.body is None else msgspec.json.encode(call.body),
                    headers=headers | ({"content-type": "application/json"} if call.body is not None else {}),
                )
        except _NEVER_SENT as err:
            self.writes_sent -= call.writes
            raise Retry(self._config.retry_after, f"no connection for {call}") from err
        except (httpx2.TransportError, TimeoutError) as err:
            raise _lost(call, self._config) from err


def _lost(call: Call, config: IloqConfig) -> CallFailed:
    if call.writes:
        return Unknown(f"{call} got no answer")
    return Retry(config.retry_after, f"{call} got no answer")


def _garbage(call: Call, config: IloqConfig) -> CallFailed:
    if call.writes:
        return Unknown(f"{call} got an answer that cannot be read")
    return Retry(config.retry_after, f"{call} got an answer that cannot be read")


def _failure(call: Call, response: httpx2.Response, config: IloqConfig) -> Exception:
    status = response.status_code
    if status == 401:
        return SessionEnded()
    if status in {429, 503}:
        return Retry(_retry_after(response, config), f"{call} was answered {status}")
    if status == 400:
        return Refused(_message(response) or f"{call} was refused without a reason")
    if status == 403:
        return NeedsPerson("iLOQ administrator", f"give the service user the right for {call}")
    if status == 408 or status >= 500:
        if call.writes:
            return Unknown(f"{call} was answered {status}")
        return Retry(_retry_after(response, config), f"{call} was answered {status}")
    return Refused(f"{call} was answered {status}: {_message(response) or 'no reason given'}")


def _retry_after(response: httpx2.Response, config: IloqConfig) -> timedelta:
    """Read Retry-After in seconds; its date form is not worth trusting another clock."""
    text = response.headers.get("retry-after", "")
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=min(int(text), 10**6)), _LONGEST_RETRY)
    return config.retry_after


class _ErrorBody(msgspec.Struct):
    message: str = msgspec.field(name="Message", default="")


def _message(response: httpx2.Response) -> str:
    """Return the vendor's message, cut: it repeats what was sent, and a log line has limits."""
    try:
        return msgspec.json.decode(response.content, type=_ErrorBody).message[:300]
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return ""
