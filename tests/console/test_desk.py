"""The key desk: two scans and a key is handed out, one and it is back; what does not fit is settled here."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from key2xs.core.outside import CabinetSource
from key2xs.core.secret import Secret
from key2xs.keys.desk.cabinets.events import CabinetEvent
from key2xs.keys.desk.cabinets.taking import take_events
from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey
from tests.support.database import DatabaseServer

from .client import Browserless, Page
from .conftest import browse
from .showcase import Showcase, open_showcase

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
async def site(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """A corner of its own: these tests connect another key system and lose keys."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("desk")) as show:
            await show.permit("pumps", "4711", "2210", crew=("u1", "u2"))
            await show.pass_time(2 * MINUTE)
            yield show


@pytest.fixture
async def desk(site: Showcase) -> AsyncIterator[Browserless]:
    """The shift leader at the key desk."""
    async with browse(site) as client:
        await client.sign_in("leader")
        yield client


async def scan(desk: Browserless, path: str = "/desk", **values: str) -> tuple[int, Page]:
    """Type into the fields and press Enter; returns the page that follows."""
    page = await desk.page(path)
    answer = await desk.submit(page, "/desk", **values)
    if answer.status_code == 303:
        return 303, await desk.page(answer.headers["location"])
    return answer.status_code, Page(answer.text)


async def holder(site: Showcase, stamp: str) -> str | None:
    rows = await site.spine.fetch(
        "SELECT person_id FROM key_custody JOIN key_key AS key ON key.id = key_id"
        " WHERE stamp = $1 AND upper_inf(known) AND upper_inf(during)",
        stamp,
    )
    known = {person: ref for ref, person in site.spine.persons.items()}
    return known[rows[0]["person_id"]] if rows else None


async def test_two_scans_hand_a_key_out_and_one_brings_it_back(site: Showcase, desk: Browserless) -> None:
    status, page = await scan(desk, who="u8")
    assert status == 303
    assert re.search(r"Hand out to P-....", page.text), "the person is read back before the key is scanned"
    assert page.html.count("autofocus") == 1
    assert re.search(r'name="keys"[^>]* autofocus', page.html)
    answer = await desk.submit(page, "/desk", keys="1061")
    page = await desk.page(answer.headers["location"])
    assert re.search(r"Key 1061 handed to P-....", page.text)
    assert "Waits: nothing allowed yet" in page.text
    assert await holder(site, "1061") == "u8"
    status, page = await scan(desk, who="1061")
    assert "Key 1061 is back" in page.text
    assert await holder(site, "1061") is None
    assert page.handlers == [], "nothing inline"


async def test_both_fields_at_once_and_what_the_key_will_do(site: Showcase, desk: Browserless) -> None:
    _, page = await scan(desk, who="u2", keys="1062")
    assert re.search(r"Key 1062 handed to P-....", page.text)
    assert (
        re.search(r"Will open: 2 locks until \d\d:\d\d", page.text) or "Waits: nothing allowed" in page.text
    )
    assert "Due back" in page.text
    undo = await desk.submit(page, "/desk/undo")
    assert undo.headers["location"] == "/desk?done=mistake"
    assert await holder(site, "1062") is None


async def test_what_is_wrong_is_said_aloud_and_nothing_happens(site: Showcase, desk: Browserless) -> None:
    for values, said in (
        ({"who": "Given Family"}, "Nobody, or more than one person, goes by Given Family."),
        ({"who": "u8", "keys": "7777"}, "No key carries the stamp 7777."),
        ({"who": "", "keys": "1061"}, "Key 1061 is not out. To hand it out, scan the person first."),
        ({"who": "", "keys": ""}, "Scan a person, or a key that comes back."),
    ):
        status, page = await scan(desk, **values)
        assert status in {400, 409}, values
        assert said in page.text, values
        assert 'role="alert"' in page.html
    assert await holder(site, "1061") is None
    if await holder(site, "1042") == "u2":
        status, page = await scan(desk, who="u8", keys="1042")
        assert status == 409
        assert "Key 1042 was handed out and has not come back; take it back first." in page.text


async def test_a_stamp_of_two_systems_is_asked_about(site: Showcase, desk: Browserless) -> None:
    async with site.spine.services.database.transaction() as tx:
        registry, now = site.spine.services.registry, site.spine.now
        system = await registry.ensure_system(tx, "cliq-main", "cliq", now)
        key = VendorKey("cliq-0308", "1047", KeyKind.DYNAMIC, ProgrammingState.PROGRAMMED)
        await registry.take_inventory(
            tx, system.id, Inventory((key,), (), (), now, visibility_complete=True), now
        )
    status, page = await scan(desk, who="u8", keys="1047")
    assert status == 200
    assert "Keys of 2 key systems carry the stamp 1047. Look at the key and choose." in page.text
    ids = re.findall(r'name="key_id" value="([^"]+)"', page.html)
    assert len(ids) == 2
    iloq = next(part for part in page.html.split("<li>") if "iloq" in part and "key_id" in part)
    chosen = re.findall(r'name="key_id" value="([^"]+)"', iloq)[0]
    answer = await desk.submit(page, "/desk", key_id=chosen)
    done = await desk.page(answer.headers["location"])
    assert "Key 1047 handed to" in done.text


async def test_what_desk_and_cabinet_say_differently_is_settled_here(
    site: Showcase, desk: Browserless
) -> None:
    await scan(desk, who="u7", keys="1061")
    await site.pass_time(2 * MINUTE)
    cabinet = CabinetSource("north", (Secret("x" * 24),), "iam")
    event = CabinetEvent("c1", "item_taken", site.spine.now, "NORTH-1", "3", "1061", "u8")
    parts = site.spine.services.key_desk
    await site.spine.services.database.transact(
        lambda tx: take_events(tx, parts, cabinet, [event], site.spine.now)
    )
    page = await desk.page("/desk")
    assert re.search(
        r"A cabinet gave it to P-.{4} · .*, and P-.{4} · .* has not brought it back\.", page.text
    )
    action = next(path for path in page.forms if path.startswith("/desk/settle/"))
    wrong = await desk.submit(page, action, reason="rang them")
    assert wrong.status_code == 400
    answer = await desk.submit(page, action, reason="rang them", holder=str(site.spine.persons["u8"]))
    assert answer.headers["location"] == "/desk?done=settled"
    assert await holder(site, "1061") == "u8"
    await scan(desk, who="1061")


async def test_an_overdue_key_stands_on_the_desk_and_on_the_printed_list(
    site: Showcase, desk: Browserless
) -> None:
    await scan(desk, who="u7", keys="1062")
    page = await desk.page("/keys/1062/due")
    until = (
        f"{site.spine.now + MINUTE + timedelta(hours=1):%Y-%m-%dT%H:%M}"  # the site is an hour ahead of UTC
    )
    answer = await desk.submit(page, "/keys/1062/due", due_at=until, reason="one job only")
    assert answer.headers["location"] == "/keys/1062?done=key-due"
    await site.pass_time(20 * MINUTE)
    page = await desk.page("/desk")
    assert "reminder" in page.text
    listed = await desk.page("/keys-out")
    assert "Brought back, signature" in listed.text
    assert "overdue" in listed.text
    assert "Volt & Vessel" in listed.text
    assert "Family" not in listed.text
    by_area = await desk.page("/keys-out?by=area")
    assert "By company" in by_area.text
    file = await desk.get("/keys-out.csv")
    assert file.headers["content-disposition"].startswith('attachment; filename="keys-out-')
    await scan(desk, who="1062")


async def test_a_lost_key_is_reported_found_and_passed_on_with_a_reason(
    site: Showcase, desk: Browserless
) -> None:
    await scan(desk, who="u8", keys="1062")
    page = await desk.page("/keys/1062/transfer")
    wrong = await desk.submit(page, "/keys/1062/transfer", who="nobody", reason="goes home")
    assert wrong.status_code == 400
    done = await desk.submit(Page(wrong.text), "/keys/1062/transfer", who="u7", reason="goes home")
    assert done.headers["location"] == "/keys/1062?done=key-transfer"
    assert await holder(site, "1062") == "u7"
    page = await desk.page("/keys/1062/lost")
    short = await desk.submit(page, "/keys/1062/lost", reason=" ")
    assert short.status_code == 400
    lost = await desk.submit(page, "/keys/1062/lost", reason="in the sump", since="")
    assert lost.headers["location"] == "/keys/1062?done=key-lost"
    assert "in the sump" in (await desk.page("/desk")).text
    page = await desk.page("/keys/1062/found")
    found = await desk.submit(page, "/keys/1062/found", reason="under a seat")
    assert found.headers["location"] == "/keys/1062?done=key-found"
    assert await holder(site, "1062") is None


async def test_the_change_of_shifts_page_hands_over_and_names_refusals(
    site: Showcase, desk: Browserless
) -> None:
    empty = await desk.page("/desk/shift?unit=CDU-2")
    assert "Nobody of this unit goes off duty around now with a key." in empty.text
    assert (await desk.get("/desk/shift?unit=nowhere")).status_code == 404


async def test_whoever_hands_out_nothing_sees_no_desk(site: Showcase) -> None:
    async with browse(site) as client:
        await client.sign_in("auditor")
        assert (await client.get("/desk")).status_code == 403
        assert "/desk" not in (await client.page("/keys-out")).links
