"""The public SCIM tester against our storage: the floor. The quirks of Entra and Okta are the bar, elsewhere."""

import asyncio
import warnings
from collections.abc import Coroutine
from typing import Any

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from key2xs.identity.scim import Profile, scim_app
from tests.identity.worlds import KEY2XS, TOKENS, World, authenticate


class LoopTransport(httpx2.BaseTransport):
    """Lets a synchronous client in a thread call an ASGI application on the test's event loop."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner, self._loop = httpx2.ASGITransport(app), loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._run(self._answer(request))

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._inner.handle_async_request(
            httpx2.Request(request.method, request.url, headers=request.headers, content=request.read())
        )
        content = await answer.aread()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=content)

    def _run(self, work: Coroutine[Any, Any, httpx2.Response]) -> httpx2.Response:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


def teach(client: SyncSCIMClient) -> None:
    """Tell the tester what a date and a company's code look like; it fills everything else at random."""
    extension = client.provider.model_for(KEY2XS)
    assert extension is not None
    for name, example in {
        "contract_start": "2026-01-05",
        "contract_end": "2026-12-31",
        "company": "ACME",
    }.items():
        extension.model_fields[name].examples = [example]


def run_tester(app: Any, loop: asyncio.AbstractEventLoop) -> list[Any]:
    with (
        httpx2.Client(
            base_url="http://site.test/scim/entra/v2",
            headers={"Authorization": f"Bearer {TOKENS['entra']}"},
            transport=LoopTransport(app, loop),
        ) as http,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # the tester's own
        client = SyncSCIMClient(http)
        client.discover()
        teach(client)
        return list(check_server(client))


@pytest.mark.parametrize(("profile", "least"), [(Profile.SITE, 80), (Profile.FULL, 135)])
async def test_scim_tester_finds_no_fault(world: World, profile: Profile, least: int) -> None:
    await world.company()
    app = scim_app(world.db, world.vault, world.clock, authenticate, profile=profile)
    results = await asyncio.to_thread(run_tester, app, asyncio.get_running_loop())
    failed = [
        f"{each.title} {each.reason}"
        for each in results
        if each.status not in {Status.SUCCESS, Status.SKIPPED}
    ]
    assert not failed, "\n".join(failed)
    assert len(results) >= least
