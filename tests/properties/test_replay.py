"""P9: the same facts and the same bundle give the same decision, live and in replay."""

from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings, strategies as st

from key2xs.core.errors import NotFound
from key2xs.core.ids import GrantId, new_id
from key2xs.grants.replay import Replayed, replay
from key2xs.identity.types import Act as IdentityAct
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import Stage, open_stage, run

from .acts import Act, play
from .history import History

numbers = st.integers(0, 11)
ACTS = ("issue", "suspend", "revalidate", "sign_on", "sign_off", "disable", "enable", "contract", "duty", "request",
        "block", "kill", "gas", "wait")  # fmt: skip


async def _replayed(stage: Stage) -> list[Replayed]:
    services = stage.spine.services
    grants = await stage.spine.fetch("SELECT id FROM grant_lease ORDER BY id")
    async with services.database.read() as tx:
        return [await replay(tx, services.custody, services.settings.leases, row["id"]) for row in grants]


async def _play(databases: DatabaseServer, acts: list[Act]) -> None:
    async with open_stage(databases, START) as stage:
        history = History(stage, safe=False)
        await play(history, [("hand_out", 0, 0), ("hand_out", 1, 1), ("issue", 1, 8), *acts])
        answers = await _replayed(stage)
        assert answers
        assert {answer.outcome for answer in answers} <= {"same", "held"}, (answers, history.told)


@settings(max_examples=4 * settings().max_examples // 25, phases=(Phase.explicit, Phase.generate))
@given(acts=st.lists(st.tuples(st.sampled_from(ACTS), numbers, numbers), min_size=6, max_size=20))
def test_every_stored_decision_replays_the_same(databases: DatabaseServer, acts: list[Act]) -> None:
    run(_play(databases, acts))


async def test_erased_facts_replay_as_erased(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        await spine.live_permit("C1", crew=("u1",))
        await spine.scim.delete(spine.scim_ids["u1"])
        await spine.advance(timedelta(minutes=1))
        assert [answer.outcome for answer in await _replayed(stage)] == ["same"]
        await spine.services.identity.erase_person(
            spine.services.database, IdentityAct("user:dpo", spine.now), spine.persons["u1"]
        )
        assert [answer.outcome for answer in await _replayed(stage)] == ["erased"]


async def test_a_grant_that_never_was_cannot_be_replayed(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        services = stage.spine.services
        async with services.database.read() as tx:
            with pytest.raises(NotFound):
                await replay(tx, services.custody, services.settings.leases, GrantId(new_id()))
