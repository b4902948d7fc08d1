"""What is out of order stands where the shift leader looks first: on *My area* and on the control-room screen."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.database import DatabaseServer
from tests.support.tiny import twin_id

from .client import Browserless
from .conftest import browse
from .showcase import Showcase, open_showcase


@pytest.fixture(scope="module")
async def troubled(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """A corner of its own, on which things go wrong."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("trouble")) as show:
            await show.permit("pumps", "4711", crew=("u1",))
            await show.pass_time(2 * show.MINUTE)
            yield show


@pytest.fixture
async def leads(troubled: Showcase) -> AsyncIterator[Browserless]:
    async with browse(troubled) as client:
        await client.sign_in("leader")
        yield client


async def test_a_key_changed_in_the_makers_own_tool_is_told_of(
    troubled: Showcase, leads: Browserless
) -> None:
    assert "changed in the maker's own tool" not in (await leads.page("/keys/1041")).text
    await edit_elsewhere(troubled, "1041", "5120")
    for path in ("/", "/keys/1041"):
        page = await leads.page(path)
        assert "changed in the maker's own tool" in page.text.lower(), path
        assert "what is done about it stands on Edits made elsewhere" in page.text, path
    assert "1 changed elsewhere" in (await leads.page("/")).text
    assert "1 key changed in the maker's own tool 1041" in (await leads.page("/wall")).text
    assert "changed in the maker's own tool" not in (await leads.page("/keys/1042")).text.lower()


async def test_a_stopped_brake_is_seen_at_once(troubled: Showcase, leads: Browserless) -> None:
    assert "Programming stopped" not in (await leads.page("/")).text
    await stop_bulk(troubled)
    first, wall = await leads.page("/"), await leads.page("/wall")
    for page in (first, wall):
        assert "Programming stopped at iLOQ" in page.text
    assert "60 keys in ten minutes" in first.text
    assert "/adoption#brake-iloq" in first.links
    assert not first.handlers + wall.handlers


async def test_a_silent_permit_system_stands_on_the_wall(troubled: Showcase, leads: Browserless) -> None:
    down = re.compile(r"Down:[\w ,]* eptw")
    assert not down.search((await leads.page("/wall")).text)
    await troubled.spine.advance(4 * troubled.MINUTE)
    for path in ("/", "/wall"):
        assert down.search((await leads.page(path)).text), path


async def edit_elsewhere(show: Showcase, stamp: str, marking: str) -> None:
    """Another operator gives a key a right in the vendor's own program; then the key is out of reach."""
    world, key = show.spine.world, show.key_id(stamp)
    world.out_of_band.change_rights(key, [twin_id(f"right {marking}")])
    world.out_of_band.order(key)
    await show.pass_time(show.MINUTE)
    world.cut_network(key)
    await show.pass_time(18 * show.MINUTE)


async def stop_bulk(show: Showcase) -> None:
    """Have the brake fall, as it does when too many keys are to be written at once."""
    services, at = show.spine.services, show.spine.now - timedelta(minutes=4)
    async with services.database.transaction() as tx:
        system = await services.connections.get(tx, "iloq")
        await services.brake._stop(tx, system.id, "60 keys in ten minutes are more than 50", at)
