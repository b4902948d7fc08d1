"""One call at a time, each within its time, and honest about what may have been written when the time was over."""

import asyncio
from datetime import timedelta

import pytest

from key2xs.connectors.turns import Turns
from key2xs.core.errors import Retry, Unknown

SOON = timedelta(milliseconds=50)


class Wire:
    """Counts the writes that were sent."""

    def __init__(self) -> None:
        self.writes = 0
        self.turns = Turns(lambda: self.writes, limit=SOON, retry_after=timedelta(seconds=30))


async def test_a_call_that_never_gets_its_turn_has_sent_nothing() -> None:
    wire = Wire()
    async with wire.turns._one_at_a_time:  # somebody else's call that does not end
        with pytest.raises(Retry, match="order: out of time"):
            async with wire.turns.turn("order"):
                wire.writes += 1
    assert wire.writes == 0


async def test_a_call_that_ran_out_of_time_behind_a_write_may_have_happened() -> None:
    wire = Wire()

    async def order() -> None:
        async with wire.turns.turn("order"):
            wire.writes += 1
            await asyncio.Event().wait()

    with pytest.raises(Unknown, match="a write on its way"):
        await order()


async def test_a_call_that_only_read_may_simply_be_made_again() -> None:
    wire = Wire()
    wire.writes = 3  # of earlier calls
    with pytest.raises(Retry):
        async with wire.turns.turn("read"):
            await asyncio.Event().wait()


async def test_calls_do_not_overlap_and_go_in_order() -> None:
    wire, seen = Wire(), []

    async def call(name: str) -> None:
        async with wire.turns.turn(name):
            seen.append(f"{name} begins")
            await asyncio.sleep(0)
            seen.append(f"{name} ends")

    await asyncio.gather(call("one"), call("two"))
    assert seen == ["one begins", "one ends", "two begins", "two ends"]
