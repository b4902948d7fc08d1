"""Domain time stops wherever something is due, and moves only when nothing is at work."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from key2xs_demo import timekeeper
from key2xs_demo.product import Quiet
from key2xs_demo.timekeeper import NeverQuiet, Timekeeper, next_step

NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("due", "goes_to"),
    [
        ((), NOW + 2 * MINUTE),
        ((NOW + 20 * SECOND,), NOW + 20 * SECOND),
        ((None, NOW + 40 * SECOND, NOW + 20 * SECOND), NOW + 20 * SECOND),
        ((NOW + SECOND / 10,), NOW + SECOND),
        ((NOW - SECOND,), NOW + 2 * MINUTE),
    ],
)
def test_time_goes_to_the_first_thing_due(due: tuple[datetime | None, ...], goes_to: datetime) -> None:
    assert next_step(NOW, NOW + 10 * MINUTE, due) == goes_to


def test_time_never_goes_beyond_where_it_is_to_go() -> None:
    assert next_step(NOW, NOW + SECOND / 2, (NOW + SECOND / 4,)) == NOW + SECOND / 2


async def test_the_twin_moves_first_and_the_heartbeat_comes_every_two_minutes() -> None:
    site = _Site()
    keeper = Timekeeper(site, site, NOW, beat=site.beat)
    await keeper.advance_to(NOW + 6 * MINUTE)
    moves = [what for what, _ in site.seen if what != "beat"]
    assert moves == ["twin", "product"] * (len(moves) // 2)
    beats = [at for what, at in site.seen if what == "beat"]
    assert {later - earlier for earlier, later in pairwise(beats)} == {2 * MINUTE}
    assert keeper.now == NOW + 6 * MINUTE


async def test_a_leap_is_one_step() -> None:
    """Between setting the site up and the night nothing goes on."""
    site = _Site()
    keeper = Timekeeper(site, site, NOW, beat=site.beat)
    await keeper.leap_to(NOW + 1500 * MINUTE)
    assert site.seen == [("twin", NOW + 1500 * MINUTE), ("product", NOW + 1500 * MINUTE)]
    assert keeper.now == NOW + 1500 * MINUTE


async def test_a_silent_permit_system_sends_no_heartbeat() -> None:
    site = _Site()
    keeper = Timekeeper(site, site, NOW, beat=site.beat)
    keeper.beating = False
    await keeper.advance_to(NOW + 3 * MINUTE)
    assert [what for what, _ in site.seen if what == "beat"] == []


async def test_time_stands_still_while_a_call_is_open() -> None:
    site = _Site(open_calls=2)
    keeper = Timekeeper(site, site, NOW, beat=site.beat)
    await keeper.settle()
    assert site.open_calls == 0


async def test_work_that_never_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timekeeper, "QUIET_WITHIN", 0.0)
    site = _Site(busy=("reconciler:iloq",))
    keeper = Timekeeper(site, site, NOW, beat=site.beat)
    with pytest.raises(NeverQuiet, match="reconciler:iloq"):
        await keeper.settle()


class _Site:
    """A twin and a product that only remember; each look ends one of the open calls."""

    def __init__(self, *, open_calls: int = 0, busy: tuple[str, ...] = ()) -> None:
        self.open_calls, self._busy = open_calls, busy
        self.seen: list[tuple[str, datetime]] = []

    async def advance(self, to: datetime) -> dict[str, Any]:
        self.seen.append(("twin", to))
        return {}

    async def state(self) -> dict[str, Any]:
        found, self.open_calls = self.open_calls, max(0, self.open_calls - 1)
        return {"open_calls": found, "next_event": None}

    async def move(self, to: datetime, within: float) -> Quiet:
        self.seen.append(("product", to))
        return await self.quiet(within)

    async def quiet(self, within: float) -> Quiet:
        return Quiet(self._busy, NOW, None)

    async def beat(self, at: datetime) -> None:
        self.seen.append(("beat", at))
