"""The product as its clients see it: people who sign in, and a machine with a token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx2

JsonObject = dict[str, Any]

LONGEST_CALL = 60.0  # seconds; an import of a few thousand rows takes some


class ApiRefused(Exception):
    """The product answered with an error; `status` and `code` say which."""

    def __init__(self, what: str, status: int, body: Any) -> None:
        """Keep what was asked and what came back."""
        self.status = status
        self.body: JsonObject = body if isinstance(body, dict) else {}
        super().__init__(f"{what}: {status} {self.body.get('detail') or self.body or ''}".strip())


class Client:
    """Requests with whatever shows who asks."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        """Speak to the product at `url`, with a token if there is one."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, timeout=LONGEST_CALL)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """Return the answer's JSON.

        Raises:
            ApiRefused: an error status.
        """
        return await self._send("GET", path, params=query or None)

    async def post(self, path: str, body: Any = None, *, why: str = "", **query: Any) -> Any:
        """Send JSON and return the answer's JSON; `why` goes beside acts that hold no reason of their own.

        Raises:
            ApiRefused: an error status.
        """
        headers = {"Key2XS-Reason": why} if why else None
        return await self._send("POST", path, json=body, params=query or None, headers=headers)

    async def upload(self, path: str, text: str, **query: Any) -> Any:
        """Send a CSV file and return the answer's JSON.

        Raises:
            ApiRefused: an error status.
        """
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        return await self._send("POST", path, content=text.encode(), headers=headers, params=query or None)

    async def text(self, path: str) -> str:
        """Return a page as text.

        Raises:
            ApiRefused: an error status.
        """
        answer = await self._http.get(path)
        if answer.is_error:
            raise ApiRefused(f"GET {path}", answer.status_code, None)
        return answer.text

    async def refused(self, path: str, body: Any = None) -> int:
        """Send something that must be refused; return the status, 200 when it was not."""
        try:
            await self.post(path, body)
        except ApiRefused as refusal:
            return refusal.status
        return 200

    async def _send(self, method: str, path: str, **values: Any) -> Any:
        answer = await self._http.request(method, path, **values)
        found = _json(answer)
        if answer.is_error:
            raise ApiRefused(f"{method} {path}", answer.status_code, found)
        return found


class Person(Client):
    """A user who signed in; every change carries the session's CSRF token."""

    @classmethod
    async def sign_in(cls, url: str, login: str, password: str, *, new_password: str | None = None) -> Self:
        """Begin a session; a one-time password is replaced by `new_password` at once."""
        person = cls(url)
        me = await person.post("/api/v1/session", {"login": login, "password": password})
        person._http.headers["X-CSRF-Token"] = me["csrf"]
        if new_password is not None:
            me = await person.post("/api/v1/session/password", {"new": new_password})
            person._http.headers["X-CSRF-Token"] = me["csrf"]
        return person


@dataclass(frozen=True, slots=True)
class Quiet:
    """Whether the product waits for something to happen, and until when at most."""

    busy: tuple[str, ...]
    now: datetime
    next_due: datetime | None

    @property
    def is_quiet(self) -> bool:
        """Nothing is at work or due."""
        return not self.busy


class Machine(Client):
    """The demo's own token: reads, and steps domain time."""

    def __init__(self, url: str, *, token: str) -> None:
        """Speak to the product at `url` with a token."""
        super().__init__(url, token=token)
        self.token = token

    async def move(self, to: datetime, within: float) -> Quiet:
        """Step domain time; the answer may wait so many seconds for the work to be done."""
        return _quiet(await self.post("/api/v1/demo/time", {"to": to.isoformat(), "within": within}))

    async def quiet(self, within: float) -> Quiet:
        """Ask whether all work is done; the answer may wait so many seconds for it."""
        return _quiet(await self.get("/api/v1/demo/quiet", within=within))


def _json(answer: httpx2.Response) -> Any:
    kind = answer.headers.get("content-type", "")
    return answer.json() if answer.content and "json" in kind else None


def _quiet(found: Mapping[str, Any]) -> Quiet:
    due = found["next_due"]
    return Quiet(tuple(found["busy"]), _instant(found["now"]), _instant(due) if due is not None else None)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
