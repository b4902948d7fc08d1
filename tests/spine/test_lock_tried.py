"""What a person tried at a lock wins over what the interface says, in every listing and in every bound."""

from datetime import timedelta
from pathlib import Path

import pytest

from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.postgres import RoleDsns
from key2xs.keys.lock_checks import FOUND, note_lock_check
from tests.conftest import START
from tests.support.spine import Spine, open_spine
from tests.support.tiny import twin_id


async def note(spine: Spine, lock: str, found: str, reason: str = "tried") -> str:
    services = spine.services
    async with services.database.read() as tx:
        system = await services.connections.get(tx, "iloq")
    return await services.database.transact(
        lambda tx: note_lock_check(
            tx,
            services.ledger,
            system.id,
            lock,
            FOUND[found],
            reason=reason,
            actor="user:setup",
            at=spine.now,
        )
    )


async def heeds(spine: Spine) -> str:
    [row] = await spine.fetch(
        "SELECT honours_limits FROM key_lock WHERE external_id = $1", str(twin_id("C1"))
    )
    return str(row["honours_limits"])


async def test_what_was_tried_wins_until_it_is_taken_back(db_dsns: RoleDsns, tmp_path: Path) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        await spine.hand_out("K001", "u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        await spine.advance(timedelta(minutes=1))
        said = await heeds(spine)
        assert said == "yes"
        before = (await spine.who_can_open("C1"))["K001"]
        assert before.exposed_until is not None

        await note(spine, str(twin_id("C1")).upper(), "no", "it opened the day after")
        await spine.settle()
        assert await heeds(spine) == "no"
        after = (await spine.who_can_open("C1"))["K001"]
        assert after.exposed_until is None or after.exposed_until > before.exposed_until, (
            "the end date is no end"
        )
        await spine.advance(timedelta(hours=2), every=timedelta(minutes=30))
        assert await heeds(spine) == "no", "a listing does not bring back what the interface says"

        await note(spine, str(twin_id("C1")), "unknown")
        assert await heeds(spine) == "unknown"
        await spine.advance(timedelta(hours=2), every=timedelta(minutes=30))
        assert await heeds(spine) == said
        assert permit.valid_to is not None
        with pytest.raises(NotFound):
            await note(spine, "C99", "yes")
        with pytest.raises(InvalidInput):
            await note(spine, str(twin_id("C1")), "yes", " ")
