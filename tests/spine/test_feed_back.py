"""A permit system that was silent and is back: whoever waited is decided at once, not at the next sweep."""

from datetime import timedelta
from pathlib import Path

from key2xs.core.postgres import RoleDsns
from key2xs_twin.clients.permits import Member
from tests.conftest import START
from tests.support.spine import Spine, open_spine

SECONDS = timedelta(seconds=1)


async def test_who_waited_through_a_silence_is_decided_when_it_ends(
    db_dsns: RoleDsns, tmp_path: Path
) -> None:
    async with open_spine(db_dsns, tmp_path, START) as spine:
        await spine.person("u1")
        permit = await spine.live_permit("C1", crew=("u1",))
        permit.people.append(Member(ref="u2", role="performing_authority", company="v017"))
        spine.ptw.sign_on(permit.id, "u2", at=spine.now)
        await spine.send()
        await _pass_silently(spine)

        await spine.person("u2")
        await spine.settle()
        assert await spine.states() == ["active"]  # the other one's, which goes on

        spine.ptw.heartbeat(at=spine.now)
        await spine.send()
        await spine.settle()
        assert await spine.states() == ["active", "active"]


async def _pass_silently(spine: Spine) -> None:
    # Just after a sweep, so that none comes to help.
    await spine.advance(timedelta(minutes=5, seconds=10))
