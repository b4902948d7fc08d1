"""A visitor without scripts: follows links, fills in forms, keeps cookies."""

import re
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Self

import httpx2

from .showcase import PASSWORD


class Browserless:
    """Loads pages in process; what comes back is the text a person would read, and the forms."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        """Use `client`, which keeps the cookies."""
        self._client = client

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def sign_in(self, login: str, password: str = PASSWORD, *, onward: str = "/") -> httpx2.Response:
        """Send the sign-in form."""
        return await self.post("/sign-in", {"login": login, "password": password, "next": onward})

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        """Load a page without following redirects."""
        return await self._client.get(path, headers={"accept": "text/html", **headers})

    async def page(self, path: str) -> "Page":
        """Load a page that must exist."""
        answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:2000])
        return Page(answer.text)

    async def post(self, path: str, form: dict[str, str], **headers: str) -> httpx2.Response:
        """Send a form as it is, without a token."""
        return await self._client.post(path, data=form, headers={"accept": "text/html", **headers})

    async def submit(self, page: "Page", path: str, **values: str) -> httpx2.Response:
        """Fill in and send the form of a page that leads to `path`."""
        return await self.post(path, {**page.forms[path], **values})


class Page(HTMLParser):
    """A page as it is read: visible text, links, forms with their hidden fields."""

    def __init__(self, html: str) -> None:
        """Read a page."""
        super().__init__()
        self.html, self.links, self.forms = html, list[str](), dict[str, dict[str, str]]()
        self.handlers, self._words, self._form = list[str](), list[str](), ""
        self.feed(html)
        self.text = re.sub(r"\s+", " ", " ".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "form":
            self._form = given.get("action") or ""
            self.forms.setdefault(self._form, {})
        if tag == "input" and given.get("type") == "hidden":
            self.forms[self._form][given["name"]] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self._words.append(data)
