"""Days of a site's life: the same seed gives the same bytes, and what should happen on a site does."""

import json
from collections import Counter

import pytest

from key2xs_twin.cli import main
from key2xs_twin.devices.things import Reason
from key2xs_twin.life import live_days


def test_a_week_is_the_same_for_the_same_seed_and_full_of_what_happens_on_a_site() -> None:
    world, again = live_days("S", 7, 7), live_days("S", 7, 7)
    assert world.digest() == again.digest()
    reasons = Counter(opening.reason for opening in world.openings)
    opened = sum(opening.ok for opening in world.openings)
    assert 0.8 < opened / len(world.openings) < 1.0, "most people stand at the right door"
    assert reasons[Reason.NO_RIGHT], "somebody tries a lock that is not his"
    assert world.iloq.state.log, "phones and programmers brought rows"
    assert world.cliq.state.events
    used = {opening.key_id for opening in world.openings}
    assert used & world.keys.keys()
    assert used & world.cliq_field.keys.keys()


def test_the_command_lives_and_says_what_came_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for seed in ("7", "7", "8"):
        with pytest.raises(SystemExit) as ended:
            main(["live", "--site", "S", "--days", "1", "--seed", seed])
        assert not ended.value.code
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert told[0]["digest"] != told[2]["digest"]
    assert told[0]["openings"] > 100
