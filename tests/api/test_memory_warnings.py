"""People are told once that a memory is about to lose rows, and that is taken back when it was read."""

from datetime import datetime, timedelta

from key2xs.keys.coverage.forecast import Ring
from key2xs.keys.coverage.warnings import MemoryLoop, MemoryWarning, memory_warnings
from key2xs.keys.port import EventPage, LockEvent, LockEventOutcome, MemoryReading, MemoryWiped, TimeQuality
from tests.api.conftest import Site
from tests.api.plant import import_plant
from tests.api.test_coverage import rows_read

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


async def rows_between(site: Site, first: int, last: int, every: timedelta, until: datetime) -> None:
    """Rows of lock v1, numbered and regular, the last one at an instant."""
    events = tuple(
        LockEvent(
            f"row-{number}", when, TimeQuality.CLOCK, until, until, "v1", "k1", LockEventOutcome.OPENED,
            person_certain=True, raw_type=4, counter_lock=number,
        )
        for number in range(first, last + 1)
        for when in [until - (last - number) * every]
    )  # fmt: skip
    services = site.services
    async with services.database.transaction() as tx:
        (system,) = await services.registry.systems(tx)
        await services.events.take_page(tx, system, EventPage(events, "2", more=False), until)


async def warned(site: Site) -> list[MemoryWarning]:
    async with site.services.database.read() as tx:
        return await memory_warnings(tx)


async def test_a_memory_is_warned_of_once_before_it_is_full_and_not_after_it_was_read(site: Site) -> None:
    await import_plant(site)
    await rows_read(site)
    now = site.clock.now()
    await rows_between(site, 1, 101, 3 * HOUR, now)  # eight rows a day, over twelve days
    loop = MemoryLoop(site.services.database, site.services.ledger, {"iloq": Ring(400)}, 7 * DAY)

    await loop.step(now + 40 * DAY)
    assert await warned(site) == [], "full in ten days, which is not yet"
    await loop.step(now + 44 * DAY)
    (found,) = await warned(site)
    assert (found.name, found.memory) == ("CDU-001", "lock")
    assert abs(found.expected_at - (now + 50 * DAY)) < DAY
    await loop.step(now + 46 * DAY)
    assert await warned(site) == [found], "told once"

    await rows_between(site, 102, 110, HOUR, now + 47 * DAY)
    await loop.step(now + 48 * DAY)
    assert await warned(site) == []


async def test_a_wipe_ends_what_was_known_and_the_rows_between_are_lost(site: Site) -> None:
    await import_plant(site)
    await rows_read(site)
    services, at = site.services, site.clock.now()

    async def page(
        readings: tuple[MemoryReading, ...], wipes: tuple[MemoryWiped, ...], when: datetime
    ) -> None:
        async with services.database.transaction() as tx:
            (system,) = await services.registry.systems(tx)
            taken = EventPage((), "3", more=False, readings=readings, wipes=wipes)
            await services.events.take_page(tx, system, taken, when)

    def read(hours: float) -> MemoryReading:
        return MemoryReading("v1", None, at + hours * HOUR, at + hours * HOUR, 1000)

    await page((read(0), read(10)), (), at + 10 * HOUR)
    wiped = MemoryWiped("v1", at + 20 * HOUR, at + 21 * HOUR)
    for _ in range(2):  # pages overlap: a wipe that comes twice is one
        await page((read(30),), (wiped,), at + 30 * HOUR)
    site.clock.advance_to(at + 31 * HOUR)
    client = await site.signed_in("auditor")
    (line,) = (await client.get("/api/v1/coverage", params={"lock": "CDU-001"})).json()["cylinders"]
    (gap,) = line["coverage"]["gaps"]
    assert gap["lost"] is True
    assert datetime.fromisoformat(gap["after"]) == at + 10 * HOUR
    assert datetime.fromisoformat(gap["before"]) == at + 20 * HOUR
    assert len(line["coverage"]["spans"]) == 2

    # Told late, after a reading that came later: the stretch in which it fell claims nothing any more.
    await page((), (MemoryWiped("v1", at + 25 * HOUR, at + 40 * HOUR),), at + 40 * HOUR)
    (line,) = (await client.get("/api/v1/coverage", params={"lock": "CDU-001"})).json()["cylinders"]
    spans = [
        (datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"]))
        for each in line["coverage"]["spans"]
    ]
    assert len(spans) == 2
    assert not [start for start, end in spans if start < at + 25 * HOUR and end > at + 11 * HOUR]
