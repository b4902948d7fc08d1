"""SIGKILL for one process after another: the others go on, nothing is lost, and nothing comes back."""

from key2xs_twin.clients.permits import Permit

from .site import SEPARATE, Site, assert_whole

WRITE = "PUT Keys/*/SecurityAccesses"
# A lease lasts longer than any call, in real time. The tests let that time pass in the row itself.
LEASE_PASSES = (
    "UPDATE key_work SET leased_until = leased_until - interval '1 hour' WHERE leased_until IS NOT NULL"
)


def a_worker_killed_in_a_vendor_call_is_followed_by_another(site: Site) -> None:
    ref, stamp, permit = site.holds_key("C1")
    name = suspend_into_a_slow_call(site, permit)
    site.kill(name)
    site.twin.clear_faults()
    assert site.grants(ref) == ["ended"]
    # Carried out at the vendor and not yet ordered: without a successor the key would go on opening.
    assert site.twin.could_open(stamp, "C1")
    site.fetch(LEASE_PASSES, role="app")
    site.wait(lambda: not site.twin.could_open(stamp, "C1"))
    site.start({name: SEPARATE[name]})
    assert site.grants(ref) == ["ended"]
    assert_whole(site, "worker.ndjson")


def a_worker_that_stalled_widens_nothing_when_it_goes_on(site: Site) -> None:
    ref, stamp, permit = site.holds_key("C1")
    name = suspend_into_a_slow_call(site, permit)
    site.running[name].freeze()
    site.twin.clear_faults()
    site.fetch(LEASE_PASSES, role="app")
    site.wait(lambda: not site.twin.could_open(stamp, "C1"))
    site.running[name].thaw()
    again = site.permits.issue("C3", ref=ref)
    site.wait(lambda: site.twin.could_open(stamp, "C3"))
    assert not site.twin.could_open(stamp, "C1")
    site.permits.suspend(again)
    site.wait(lambda: not site.twin.could_open(stamp, "C3"))


def a_sequencer_killed_with_entries_waiting_is_followed_by_the_other(site: Site) -> None:
    ref, stamp, permit = site.holds_key("C1")
    # Whoever has the office now: after this the first one has it.
    restart(site, "sequencer-2", after=lambda: site.wait(site.quiet))
    site.running["sequencer-1"].freeze()
    site.permits.suspend(permit)
    waiting = site.fetch("SELECT count(*) AS n FROM log_pending")[0]["n"]
    assert waiting > 0
    fence = site.fetch("SELECT fence FROM log_head")[0]["fence"]
    site.kill("sequencer-1")
    site.wait(lambda: not site.twin.could_open(stamp, "C1"))
    assert site.fetch("SELECT fence FROM log_head")[0]["fence"] > fence
    site.start({"sequencer-1": SEPARATE["sequencer-1"]})
    assert site.grants(ref) == ["ended"]
    assert_whole(site, "sequencer.ndjson")


def a_web_side_that_was_killed_takes_what_nobody_answered(site: Site) -> None:
    ref, stamp, permit = site.holds_key("C2")
    site.kill("web")
    site.permits.system.suspend(permit.id, code="shift_end", at=site.now())
    assert [sent.status for sent in site.run(site.permits.flush())] == [0]
    site.start({"web": SEPARATE["web"]})
    site.permits.post_again()
    site.wait(lambda: site.grants(ref) == ["ended"])
    site.wait(lambda: not site.twin.could_open(stamp, "C2"))


def suspend_into_a_slow_call(site: Site, permit: Permit) -> str:
    """Suspend a permit; the name of the worker that is in the call that narrows the key."""
    site.twin.fault(WRITE, "slow:8", times=1)
    site.permits.suspend(permit)
    site.wait(lambda: site.twin.faults_fired() > 0)
    name = holder(site)
    assert name
    return name


def holder(site: Site) -> str:
    """Return the name of the worker that holds a lease on a target, empty if none does."""
    found = site.fetch("SELECT leased_by FROM key_work WHERE leased_until IS NOT NULL")
    pids = {int(row["leased_by"].rpartition(":")[2]) for row in found}
    return next((name for name, child in site.running.items() if child.pid in pids), "")


def restart(site: Site, name: str, after: object) -> None:
    """Kill a process and start it again."""
    site.kill(name)
    assert callable(after)
    after()
    site.start({name: SEPARATE[name]})
