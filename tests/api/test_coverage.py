"""Evidence coverage over the API: how far a lock's memory was read, and what may be said of openings."""

from datetime import timedelta

from key2xs.keys.coverage.reads import CLOCK_MARGIN
from key2xs.keys.port import (
    EventPage,
    Inventory,
    KeyKind,
    LockEvent,
    LockEventOutcome,
    ProgrammingState,
    TimeQuality,
    VendorKey,
    VendorLock,
)
from tests.api.conftest import Site
from tests.api.plant import import_plant


async def rows_read(site: Site, *numbers: int) -> None:
    """Rows of lock v1, one an hour, the last one now."""
    services, at = site.services, site.clock.now()
    async with services.database.transaction() as tx:
        system = await services.registry.ensure_system(tx, "iloq", "iloq", at)
        found = Inventory(
            keys=(VendorKey("k1", "K001", KeyKind.PHONE, ProgrammingState.UNKNOWN),),
            locks=(VendorLock("v1", "CDU-001"), VendorLock("v2", "CDU-002")),
            rights=(), as_of=at, visibility_complete=True,
        )  # fmt: skip
        await services.registry.take_inventory(tx, system.id, found, at)
        events = tuple(
            LockEvent(
                f"row-{number}", when, TimeQuality.CLOCK, when, when, "v1", "k1", LockEventOutcome.OPENED,
                person_certain=True, raw_type=4, counter_lock=number,
            )
            for number in numbers
            for when in [at - timedelta(hours=max(numbers) - number)]
        )  # fmt: skip
        assert await services.events.take_page(tx, system, EventPage(events, "1", more=False), at) == len(
            events
        )


async def test_each_cylinder_says_how_far_it_was_read_and_which_rows_are_missing(site: Site) -> None:
    await import_plant(site)
    await rows_read(site, 3, 4, 5, 9, 10)
    client, now = await site.signed_in("auditor"), site.clock.now()
    answer = (await client.get("/api/v1/coverage")).json()
    assert answer["counts"] == {"unknown": 1, "old": 0, "rows_missing": 1, "read": 0}
    assert [each["cylinder"] for each in answer["cylinders"]] == ["CDU-002", "CDU-001"], "the worst first"
    never, read = (each["coverage"] for each in answer["cylinders"])
    assert (never["standing"], never["read_up_to"], never["spans"]) == ("unknown", None, [])
    assert read["read_up_to"] == (now - CLOCK_MARGIN).isoformat().replace("+00:00", "Z")
    (gap,) = read["gaps"]
    assert gap["rows"] == 3
    assert len(read["spans"]) == 2

    only = (await client.get("/api/v1/coverage", params={"standing": "unknown", "unit": "CDU"})).json()
    assert [each["cylinder"] for each in only["cylinders"]] == ["CDU-002"]
    assert (await client.get("/api/v1/coverage", params={"zone": "no such"})).json()["cylinders"] == []
    (lock,) = (await client.get("/api/v1/coverage", params={"lock": "CDU-001"})).json()["cylinders"]
    assert lock["coverage"] == read
    (key,) = (await client.get("/api/v1/coverage", params={"key": "K001"})).json()["keys"]
    assert key["coverage"]["standing"] == "unknown", "never adopted: what it opens besides nobody took up"
    assert (await client.get("/api/v1/coverage", params={"what": "keys"})).json()["counts"]["unknown"] == 1


async def test_a_list_of_openings_says_how_far_it_goes(site: Site) -> None:
    await import_plant(site)
    await rows_read(site, 1, 2, 3)
    client, now = await site.signed_in("auditor"), site.clock.now()
    found = (await client.get("/api/v1/openings", params={"cylinder": "CDU-001"})).json()
    assert found["read_up_to"] == (now - CLOCK_MARGIN).isoformat().replace("+00:00", "Z")
    assert found["whole_since"] is not None
    other = (await client.get("/api/v1/openings", params={"cylinder": "CDU-002"})).json()
    assert (other["items"], other["read_up_to"], other["whole_since"]) == ([], None, None)
    both = (await client.get("/api/v1/openings", params={"cylinder": "CDU-001", "key": "K001"})).json()
    assert both["read_up_to"] == found["read_up_to"]
    assert (await client.get("/api/v1/openings")).json()["read_up_to"] is None


async def test_coverage_is_for_who_may_read_openings(site: Site) -> None:
    assert (await site.client().get("/api/v1/coverage")).status_code == 401
