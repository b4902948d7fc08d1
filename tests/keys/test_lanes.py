"""What comes first at a key system: a stop before what is new, and each key for itself."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from key2xs.core.ids import PersonId
from key2xs.keys.lanes import WorkLane, lane_of
from key2xs.keys.marker import TargetMarker
from key2xs.ledger import ReadEntry
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.stage import open_stage


@pytest.mark.parametrize(
    ("kind", "body", "lane"),
    [
        ("keys:key:block", {}, WorkLane.KILL),
        ("grants:lease:end", {"reason": "killed"}, WorkLane.KILL),
        ("grants:lease:end", {"reason": "basis_lost"}, WorkLane.STOP),
        ("grants:lease:end", {"reason": "denied"}, WorkLane.STOP),
        ("grants:lease:end", {"reason": "something later versions know"}, WorkLane.STOP),
        ("grants:lease:end", {"reason": "revoked"}, WorkLane.REVOKE),
        ("keys:custody:take_back", {}, WorkLane.REVOKE),
        ("grants:lease:end", {"reason": "lapsed"}, WorkLane.EXPIRE),
        ("grants:lease:begin", {}, WorkLane.GRANT),
        ("keys:custody:hand_out", {}, WorkLane.GRANT),
    ],
)
def test_every_entry_has_its_lane(kind: str, body: dict[str, str], lane: WorkLane) -> None:
    assert lane_of(kind, body) is lane


def test_only_what_gives_is_braked() -> None:
    assert [lane for lane in WorkLane if not lane.passes_brake] == [WorkLane.GRANT]


async def test_something_new_for_one_does_not_overtake_with_the_stop_of_another(
    databases: DatabaseServer,
) -> None:
    async with open_stage(databases, START) as stage:
        spine = stage.spine
        await spine.hand_out("K001", "u1")
        await spine.hand_out("K002", "u2")
        await spine.settle()
        entries = [
            _entry("grants:lease:end", spine.persons["u1"], reason="killed"),
            _entry("grants:lease:begin", spine.persons["u2"]),
            _entry("grants:lease:begin", spine.persons["u1"]),
        ]
        async with spine.services.database.transaction() as tx:
            await TargetMarker(spine.services.registry, spine.services.targets).handle(tx, entries)
        rows = await spine.fetch(
            "SELECT key.stamp, work.lane FROM key_work AS work JOIN key_target AS target ON target.id = work.target_id "
            "JOIN key_key AS key ON key.id = target.key_id WHERE key.stamp IN ('K001', 'K002') ORDER BY key.stamp"
        )
        assert [(row["stamp"], row["lane"]) for row in rows] == [
            ("K001", WorkLane.KILL),
            ("K002", WorkLane.GRANT),
        ]
        await spine.advance(timedelta(minutes=2))
        lanes = await spine.fetch("SELECT DISTINCT lane FROM key_work")
        assert [row["lane"] for row in lanes] == [WorkLane.GRANT], "done work is ordinary again"


def _entry(kind: str, person: PersonId, **body: str) -> ReadEntry:
    at = START + timedelta(minutes=1)
    subjects = (f"person:{UUID(str(person))}",)
    return ReadEntry(1, 1, uuid4(), kind, at, at, "system:test", subjects, (), body)
