"""One call at a time, each within its time, and honest about what may have been written when the time was over."""

import asyncio
from datetime import timedelta

import pytest

from key2xs.connectors.turns import Turns
from key2xs.core.errors import Retry, Unknown
from key2xs.keys.budget import calling_for
from key2xs.keys.lanes import WorkLane

SOON = timedelta(milliseconds=50)


class Wire:
    """Counts the writes that were sent."""

    def __init__(self) -> None:
        self.writes = 0
        self.turns = Turns(lambda: self.writes, limit=SOON, retry_after=timedelta(seconds=30))


async def test_a_call_that_never_gets_its_turn_has_sent_nothing() -> None:
    wire = Wire()
    async with wire.turns._line.turn():  # somebody else's call that does not end
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


async def _in_line(wire: Wire, calls: list[tuple[str, WorkLane | None]]) -> list[str]:
    """Let calls come one after the other while the first one is under way; returns their order."""
    seen: list[str] = []

    async def call(name: str, lane: WorkLane | None) -> None:
        with calling_for(lane):
            async with wire.turns.turn(name):
                seen.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(*(call(name, lane) for name, lane in calls))
    return seen


async def test_a_stop_goes_before_what_waits_already() -> None:
    calls = [
        ("first", WorkLane.REVOKE),
        ("reading", None),
        ("grant", WorkLane.GRANT),
        ("kill", WorkLane.KILL),
        ("stop", WorkLane.STOP),
    ]
    assert await _in_line(Wire(), calls) == ["first", "kill", "stop", "reading", "grant"]


async def test_many_stops_do_not_keep_a_reading_waiting_for_ever() -> None:
    kills = [(f"kill {number}", WorkLane.KILL) for number in range(30)]
    seen = await _in_line(Wire(), [("reading 1", None), ("reading 2", None), *kills])
    assert seen.index("reading 2") <= 10


async def test_who_gives_up_waiting_gives_the_turn_to_the_next() -> None:
    wire, seen = Wire(), []

    async def call(name: str) -> None:
        async with wire.turns.turn(name):
            seen.append(name)

    async with wire.turns._line.turn():
        patient, leaver = asyncio.create_task(call("patient")), asyncio.create_task(call("leaver"))
        await asyncio.sleep(0)
        leaver.cancel()
    await patient
    await asyncio.gather(leaver, return_exceptions=True)
    late = asyncio.create_task(call("late"))
    await asyncio.sleep(0)
    given = asyncio.create_task(call("given and cancelled at once"))
    async with wire.turns._line.turn():
        await asyncio.sleep(0)
    given.cancel()
    await asyncio.gather(late, given, return_exceptions=True)
    await call("last")
    assert seen[0] == "patient"
    assert seen[-1] == "last", "nobody holds the turn"
