"""The command against a real application, without a network."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from key2xs.cli.commands import run_command
from tests.api.conftest import Site, settings, site


class Bridge(httpx2.BaseTransport):
    """Leads the command's requests to an application on the test's event loop."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return asyncio.run_coroutine_threadsafe(self._send(request), self._loop).result(30)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        again = httpx2.Request(request.method, request.url, headers=request.headers, content=body)
        answer = await self._inner.handle_async_request(again)
        content = b"".join([piece async for piece in answer.stream])  # type: ignore[union-attr]
        return httpx2.Response(answer.status_code, headers=answer.headers, content=content)


@dataclass
class Shell:
    """Runs commands and tells what they printed."""

    app: Any
    token: str
    capsys: pytest.CaptureFixture[str]

    async def run(self, *arguments: str, token: str | None = None) -> tuple[int, str, str]:
        """Run a command; returns its exit code, stdout and stderr."""
        self.capsys.readouterr()
        bridge = Bridge(self.app, asyncio.get_running_loop())
        given = [*arguments, "--token", self.token if token is None else token]
        code = await asyncio.to_thread(run_command, given, transport=bridge)
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err

    async def json(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json."""
        code, out, err = await self.run(*arguments, "--json")
        assert out, err
        return code, json.loads(out)


async def token_of(site: Site, *roles: str) -> str:
    """A token of a new user with all that these roles may do."""
    from datetime import timedelta

    from key2xs.access import permissions_of

    owner = await site.user(*roles)
    async with site.services.database.transaction() as tx:
        _, secret = await site.access.tokens.make(
            tx,
            owner_id=owner,
            label="cli",
            permissions=permissions_of(roles),
            valid_for=timedelta(days=1),
            actor="system:test",
        )
    return secret


@pytest.fixture
async def shell(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("COLUMNS", "240")
    return Shell(site.app, await token_of(site, "security_manager"), capsys)


# The application's own fixtures, for this folder too.
__all__ = ["settings", "site"]


@pytest.fixture
async def admin(site: Site, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command with the token of an administrator, who gives no keys."""
    return Shell(site.app, await token_of(site, "administrator"), capsys)
