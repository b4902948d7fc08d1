"""Every role a process of its own, two of those that may be lost: one site, one step after the other."""

from pathlib import Path

import pytest

from tests.support.database import DatabaseServer

from . import kills, line, privacy
from .site import SEPARATE, open_site

STEPS = (
    line.a_key_follows_identity_permit_and_policy_across_processes,
    kills.a_worker_killed_in_a_vendor_call_is_followed_by_another,
    kills.a_worker_that_stalled_widens_nothing_when_it_goes_on,
    kills.a_sequencer_killed_with_entries_waiting_is_followed_by_the_other,
    kills.a_web_side_that_was_killed_takes_what_nobody_answered,
    privacy.outputs_and_syslog_name_nobody_and_hold_no_secret,
)


def test_separate_processes(databases: DatabaseServer, tmp_path: Path, subtests: pytest.Subtests) -> None:
    with databases.fresh() as dsns, open_site(tmp_path, dsns) as site:
        site.start(SEPARATE)
        for step in STEPS:
            with subtests.test(step.__name__):
                step(site)


@pytest.mark.long
def test_separate_processes_again_and_again(databases: DatabaseServer, tmp_path: Path) -> None:
    with databases.fresh() as dsns, open_site(tmp_path, dsns) as site:
        site.start(SEPARATE)
        for _ in range(3):
            for step in STEPS[1:5]:
                step(site)
