"""States over time, worked out from events; no database."""

from dataclasses import replace
from datetime import datetime

import pytest

from key2xs.work.states import (
    ENDED,
    NARROWING,
    STATES,
    TYPE_STATES,
    default_native_states,
    is_legal,
    judge,
)
from key2xs.work.timeline import Stop, Told, fold
from tests.work.worlds import NIGHT, after


def told(sequence: int, verb: str, minutes: float, **more: object) -> Told:
    """An event that says what its type says, signed at its own time where it issues or revalidates."""
    base = Told(
        sequence=sequence,
        event_id=f"e{sequence}",
        verb=verb,
        told_at=after(minutes),
        state=TYPE_STATES.get(verb, "live"),
        valid_from=NIGHT,
        valid_to=after(720),
        revision=1,
        places=frozenset({("sap_floc", "P-1")}),
        approved_at=after(minutes) if verb in {"live", "revalidated"} else None,
        content=f"c{sequence}",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def history(*verbs: str, **last: object) -> list[Told]:
    """Events every ten minutes; `last` changes the last one."""
    events = [told(place, verb, 10 * place) for place, verb in enumerate(verbs, start=1)]
    return [*events[:-1], replace(events[-1], **last)] if last else events  # type: ignore[arg-type]


def state(events: list[Told], at: datetime | None = None, *stops: Stop) -> str:
    stretch = fold(events, stops).at(at or after(300))
    assert stretch
    return stretch.state


@pytest.mark.parametrize(
    ("verbs", "expected"),
    [
        (("requested", "approved", "live"), "live"),
        (("requested", "approved", "isolated", "live"), "live"),
        (("requested", "live"), "unknown"),  # nobody approved
        (("live", "suspended", "live"), "suspended"),
        (("live", "suspended", "changed"), "suspended"),
        (("live", "suspended", "revalidated"), "live"),
        (("live", "handed_back", "revalidated"), "handed_back"),
        (("live", "handed_back", "live"), "handed_back"),
        (("live", "approved"), "unknown"),  # back to a state before live is no legal move
        (("live", "closed"), "closed"),  # odd, but it narrows
        (("approved", "suspended"), "suspended"),
        (("live", "cancelled", "revalidated"), "cancelled"),
        (("live", "expired", "revalidated"), "expired"),
        (("live", "closed", "suspended"), "closed"),
        (("requested", "cancelled", "approved"), "cancelled"),
        (("suspended", "live"), "suspended"),  # the first thing we hear may be any state
    ],
)
def test_a_move_that_widens_must_be_legal_and_one_that_narrows_is_believed(
    verbs: tuple[str, ...], expected: str
) -> None:
    assert state(history(*verbs)) == expected


@pytest.mark.parametrize("before", sorted(STATES - {"approved", "isolated", "live", "suspended", "test"}))
def test_live_follows_only_approval_isolation_and_revalidation(before: str) -> None:
    for revalidated in (False, True):
        assert not is_legal(before, "live", revalidated=revalidated)  # type: ignore[arg-type]


def test_nothing_follows_an_end() -> None:
    for ended in ENDED:
        for after_it in STATES:
            assert not is_legal(ended, after_it, revalidated=True)  # type: ignore[arg-type]


def test_a_revalidation_needs_an_approval_newer_than_the_last() -> None:
    events = history("live", "suspended", "revalidated", approved_at=after(10))
    assert state(events) == "suspended"


def test_the_clock_ends_a_live_permit_and_a_revalidation_may_follow() -> None:
    events = history("live", valid_to=after(60))
    assert state(events, after(59)) == "live"
    assert state(events, after(60)) == "expired"
    late = told(2, "revalidated", 90, valid_to=after(400))
    assert state([*events, late]) == "live"
    assert state([*events, replace(late, verb="changed")]) != "live"


def test_a_suspended_permit_is_not_expired_by_the_clock() -> None:
    assert state(history("live", "suspended", valid_to=after(60))) == "suspended"


def test_a_stop_ends_what_was_approved_and_not_what_came_after() -> None:
    stop = Stop("s", after(25))
    assert state(history("approved", "live"), after(30), stop) == "cancelled"
    assert state(history("approved", "live"), after(24), stop) == "live"
    assert state(history("requested"), after(30), stop) == "requested"
    assert state([told(1, "approved", 30), told(2, "live", 40)], after(50), stop) == "live"
    assert state([*history("approved", "live"), told(3, "revalidated", 60)], after(70), stop) == "cancelled"


def test_a_stop_at_the_very_instant_of_issue_wins() -> None:
    assert state([told(1, "live", 10)], after(10), Stop("s", after(10))) == "cancelled"


def test_two_events_of_one_sequence_give_the_narrower_state() -> None:
    events = history("approved", "live")
    other = replace(told(2, "suspended", 20), event_id="other", content="other")
    assert state([*events, other]) == "suspended"
    assert state([other, *events]) == "suspended"
    same = replace(events[-1], event_id="again")
    assert state([*events, same]) == "live"


def test_an_event_that_cannot_be_read_holds_until_a_right_one_comes() -> None:
    broken = replace(told(3, "changed", 30), readable=False, state="unknown")
    assert state([*history("approved", "live"), broken]) == "unknown"
    assert state([*history("approved", "live"), broken, told(4, "changed", 40)]) == "live"
    assert state([*history("approved", "live"), broken, told(3, "changed", 30, content="right")]) == "live"
    assert state([*history("live", "suspended"), broken]) == "suspended"


def test_a_revision_that_falls_is_not_believed() -> None:
    events = [told(1, "live", 10, revision=3), told(2, "changed", 20, revision=2)]
    assert state(events) == "unknown"


def test_gaps_are_named() -> None:
    assert fold([told(1, "approved", 10), told(4, "live", 40), told(5, "changed", 50)]).gaps == (1,)


@pytest.mark.parametrize("verb", sorted({*TYPE_STATES, "changed"}))
def test_live_is_what_type_state_and_native_state_say_together(verb: str) -> None:
    native = default_native_states()
    for declared in STATES:
        for name, meant in native.items():
            judged, findings = judge(verb=verb, declared=declared, native=name, native_states=native)
            agree = declared == meant == "live" and TYPE_STATES.get(verb, "live") == "live"
            assert (judged == "live") == agree
            assert (judged == "live") <= (not findings)
            if {declared, meant} & NARROWING:
                assert judged in NARROWING
