"""Talking to the API: one client, with errors turned into exit codes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2

from .exits import NO, UNKNOWN, USAGE, Stopped

DEFAULT_URL: Final = "http://127.0.0.1:8443"
_SECONDS: Final = 30.0
_IMPORT_SECONDS: Final = 600.0  # a whole plant is some ten thousand records
# What the exit code is when the API says no: wrong use, a plain no, or no answer to rely on.
_CODES: Final = {
    400: USAGE,
    401: USAGE,
    404: USAGE,
    405: USAGE,
    413: USAGE,
    415: USAGE,
    422: USAGE,
    403: NO,
    409: NO,
}


@dataclass(frozen=True, slots=True)
class Options:
    """What every command takes."""

    url: str = ""
    token: str = ""
    json: bool = False

    @property
    def address(self) -> str:
        """Where the service is."""
        return (self.url or os.environ.get("KEY2XS_URL") or DEFAULT_URL).rstrip("/")

    @property
    def secret(self) -> str:
        """The API token."""
        return self.token or os.environ.get("KEY2XS_TOKEN", "")


class Api:
    """Requests to one service."""

    def __init__(self, options: Options, transport: httpx2.BaseTransport | None = None) -> None:
        """Use the options' address and token; `transport` is for tests."""
        headers = {"Authorization": f"Bearer {options.secret}"} if options.secret else {}
        self._client = httpx2.Client(
            base_url=options.address, headers=headers, timeout=_SECONDS, transport=transport
        )
        self._address = options.address

    def get(self, path: str, **parameters: object) -> Any:
        """Return the answer to a question."""
        return self._json("GET", path, params=_present(parameters))

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Do something and return what became of it."""
        return self._json("POST", path, json=dict(body or {}))

    def upload(self, path: str, content: bytes, **parameters: object) -> Any:
        """Send a CSV file."""
        return self._json(
            "POST",
            path,
            content=content,
            params=_present(parameters),
            headers={"Content-Type": "text/csv; charset=utf-8"},
            timeout=_IMPORT_SECONDS,
        )

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """Stream an answer in pieces."""
        try:
            with self._client.stream("GET", path, timeout=_IMPORT_SECONDS) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise _refused(answer)
                yield answer.iter_bytes()
        except httpx2.HTTPError as error:
            raise self._lost(error) from error

    def sign_in(self, login: str, password: str) -> None:
        """Go on as a person; later requests carry the session and its CSRF token, and no API token."""
        self._client.headers.pop("Authorization", None)
        me = self.post("/api/v1/session", {"login": login, "password": password})
        self._client.headers["X-CSRF-Token"] = me["csrf"]

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _json(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._client.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise self._lost(error) from error
        if answer.status_code >= 400:
            raise _refused(answer)
        if answer.status_code == 204 or not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            raise Stopped(f"{self._address} does not answer as Key2XS does", UNKNOWN) from error

    def _lost(self, error: httpx2.HTTPError) -> Stopped:
        return Stopped(f"no answer from {self._address}: {type(error).__name__}", UNKNOWN)


def part(name: str) -> str:
    """Write a name as one part of a path."""
    return quote(name, safe="")


def _present(parameters: Mapping[str, object]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in parameters.items()
        if value is not None
    }


def _refused(answer: httpx2.Response) -> Stopped:
    try:
        problem = answer.json()
        text = str(problem["detail"])
        errors = "; ".join(f"{each['field']}: {each['problem']}" for each in problem.get("errors", []))
    except (ValueError, KeyError, TypeError):
        return Stopped(f"the service answered {answer.status_code}", _CODES.get(answer.status_code, UNKNOWN))
    shown = f"{text} ({errors})" if errors and errors not in text else text
    return Stopped(shown, _CODES.get(answer.status_code, UNKNOWN))
