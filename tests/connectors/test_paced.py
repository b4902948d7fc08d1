"""What a vendor turned away for a few seconds is sent again, and nothing else is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest

from key2xs.connectors.paced import PacedTransport
from key2xs.core.clock import ManualClock
from key2xs.core.database import Database
from key2xs.core.ids import KeySystemId, new_id
from key2xs.core.vault import Vault
from key2xs.keys.budget import Budget, calling_for
from key2xs.keys.call_limits import CallLimits
from key2xs.keys.lanes import WorkLane
from key2xs.ledger import Ledger

BUSY = {"retry-after": "2"}
VENDOR = "http://vendor.test/"


class Vendor:
    """Answers as planned, then with 200; remembers what arrived when."""

    def __init__(self, clock: ManualClock, *answers: httpx2.Response | Exception) -> None:
        self.clock, self.answers = clock, list(answers)
        self.began = clock.now()
        self.bodies: list[bytes] = []
        self.at: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(request.content)
        self.at.append((self.clock.now() - self.began).total_seconds())
        answer = self.answers.pop(0) if self.answers else httpx2.Response(200)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def budget(db: Database, vault: Vault, clock: ManualClock) -> Budget:
    async def sleep(seconds: float) -> None:
        clock.advance_to(clock.now() + timedelta(seconds=seconds))

    return Budget(db, Ledger(vault), KeySystemId(new_id()), "iloq", CallLimits(), clock, sleep=sleep)


@asynccontextmanager
async def _connected(vendor: Vendor, budget: Budget, **more: float) -> AsyncIterator[httpx2.AsyncClient]:
    transport = PacedTransport(httpx2.MockTransport(vendor), budget)
    async with httpx2.AsyncClient(transport=transport, timeout=more.get("timeout", 10.0)) as client:
        yield client


@pytest.mark.parametrize("status", [429, 503])
async def test_a_write_that_was_turned_away_is_sent_again_whole(
    budget: Budget, clock: ManualClock, status: int
) -> None:
    vendor = Vendor(clock, httpx2.Response(status, headers=BUSY), httpx2.Response(status, headers=BUSY))
    async with _connected(vendor, budget) as client:
        with calling_for(WorkLane.REVOKE):
            answer = await client.put(VENDOR, content=b"plan")
    assert answer.status_code == 200
    assert vendor.bodies == [b"plan"] * 3
    assert vendor.at == [0, 2, 4]
    assert await budget.open_to() == (WorkLane.GRANT, None), "it was waited out: nobody else has to wait"


async def test_it_gives_up_within_the_time_of_the_request(budget: Budget, clock: ManualClock) -> None:
    vendor = Vendor(clock, *(httpx2.Response(429, headers=BUSY) for _ in range(9)))
    async with _connected(vendor, budget) as client:
        with calling_for(WorkLane.REVOKE):
            answer = await client.get(VENDOR)
    assert answer.status_code == 429
    assert vendor.at == [0, 2, 4], "a third wait would go over five seconds"
    assert await budget.open_to() == (None, timedelta(seconds=2)), "now the others are told"


@pytest.mark.parametrize(("timeout", "wait"), [(10.0, "6"), (3.0, "2")])
async def test_a_long_rest_is_left_to_whoever_called(
    budget: Budget, clock: ManualClock, timeout: float, wait: str
) -> None:
    vendor = Vendor(clock, httpx2.Response(429, headers={"retry-after": wait}))
    async with _connected(vendor, budget, timeout=timeout) as client:
        with calling_for(WorkLane.GRANT):
            answer = await client.put(VENDOR, content=b"plan")
    assert (answer.status_code, vendor.at) == (429, [0])


async def test_reading_in_the_background_tries_once_more(budget: Budget, clock: ManualClock) -> None:
    vendor = Vendor(clock, *(httpx2.Response(429, headers={"retry-after": "0"}) for _ in range(9)))
    async with _connected(vendor, budget) as client:
        answer = await client.get(VENDOR)
    assert (answer.status_code, vendor.at) == (429, [0, 1]), "and a vendor that says 0 is not hammered"


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500, headers=BUSY),
        httpx2.Response(504, headers=BUSY),
        httpx2.Response(429),
        httpx2.Response(503, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}),
    ],
)
async def test_what_may_have_been_carried_out_is_not_sent_again(
    budget: Budget, clock: ManualClock, answer: httpx2.Response
) -> None:
    vendor = Vendor(clock, answer)
    async with _connected(vendor, budget) as client:
        with calling_for(WorkLane.REVOKE):
            got = await client.put(VENDOR, content=b"plan")
    assert (got.status_code, len(vendor.bodies)) == (answer.status_code, 1)


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("silence")])
async def test_a_connection_that_fails_is_not_tried_again_here(
    budget: Budget, clock: ManualClock, error: Exception
) -> None:
    vendor = Vendor(clock, error)
    async with _connected(vendor, budget) as client:
        with calling_for(WorkLane.REVOKE), pytest.raises(type(error)):
            await client.put(VENDOR, content=b"plan")
    assert len(vendor.bodies) == 1
