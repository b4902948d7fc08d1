"""A page of a lock's log costs as many statements as one row does."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from key2xs.core.haste import bulk, give_way, hurry
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, TimeQuality
from tests.conftest import START
from tests.properties.crashes import at_work
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import MARKINGS, twin_id


def _row(spine: Spine, number: int) -> LockEvent:
    at = spine.now - timedelta(minutes=5, seconds=number)
    return LockEvent(
        vendor_event_id=f"page-{number}",
        occurred_at=at,
        time_quality=TimeQuality.CLOCK,
        read_at=spine.now,
        arrived_at=spine.now,
        vendor_lock=str(twin_id(MARKINGS[number % len(MARKINGS)])),
        vendor_key=str(twin_id(f"key {number % 4 + 1}")),
        outcome=LockEventOutcome.OPENED,
        person_certain=True,
        raw_type=1,
    )


async def _statements(spine: Spine, page: EventPage, monkeypatch: pytest.MonkeyPatch) -> int:
    asked: Counter[str] = Counter()
    ask = getattr(asyncpg.Connection, "_do_execute")  # noqa: B009 - every statement with arguments passes here

    async def counted(self: Any, query: str, *rest: Any, **named: Any) -> Any:
        asked[query] += 1
        return await ask(self, query, *rest, **named)

    async with spine.services.database.transaction() as tx:
        system = await spine.services.registry.ensure_system(tx, "iloq", "iloq", spine.now)
    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_do_execute", counted)
        async with spine.services.database.transaction() as tx:
            assert await spine.services.events.take_page(tx, system, page, spine.now) == len(page.events)
    return asked.total()


async def test_a_page_of_many_rows_costs_as_many_statements_as_one_row(
    databases: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.settle()
        await at_work(stage)
        rows = [_row(spine, number) for number in range(121)]
        first = replace(
            rows[0], vendor_event_id="first"
        )  # the first time streams, heads and types are made known
        await _statements(spine, EventPage((first,), "0", more=True), monkeypatch)
        one = await _statements(spine, EventPage((rows[0],), "1", more=True), monkeypatch)
        many = await _statements(spine, EventPage(tuple(rows[1:]), "2", more=False), monkeypatch)
        # At most the two statements about kept rights and grants, where the one row is of a key without.
        assert many <= one + 3
        (stored,) = await spine.fetch(
            "SELECT count(*) AS n FROM key_event WHERE vendor_event_id LIKE 'page-%'"
        )
        assert stored["n"] == 121


async def test_only_bulk_work_steps_back_for_who_is_in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    hurry()
    await give_way()
    assert slept == []
    with bulk():
        await give_way()
    assert slept[0] == 0
    assert 0 < slept[1] <= 0.05
