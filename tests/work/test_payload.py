"""What an event must be, field by field; no database."""

import json
from typing import Any, cast

import pytest

from key2xs.work.checks import check_envelope, check_permit
from key2xs.work.payload import ENVELOPE, HEARTBEAT_DATA, PERMIT_DATA, BadPayload, sequence_of
from key2xs_twin.clients.permits import Member, Step
from key2xs_twin.clients.ptw import PermitSystem
from key2xs_twin.clients.webhook import WebhookSender
from tests.work.worlds import NIGHT, Change, Outbox, after, having, without


def live_event(**more: Any) -> dict[str, Any]:
    """The event by which a permit goes live, as an independent system writes it."""
    outbox = Outbox()
    system = PermitSystem(cast("WebhookSender", outbox), site="SITEA")
    permit = system.create(**{
        "type_": "cold_work", "area": "CDU", "unit": "U1", "assets": ["P-1"], "valid_from": NIGHT,
        "valid_to": after(720), "at": NIGHT, "people": [Member(ref="u1", role="worker")], **more,
    })  # fmt: skip
    system.approve(permit.id, by="aa", at=after(1))
    return system.go_live(permit.id, by="ia", at=after(2))


def problems_of(event: dict[str, Any] | bytes) -> list[tuple[str, str]]:
    """Read an event as the product does, and return what is wrong with it."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    try:
        envelope = ENVELOPE.read(body)
        check_envelope(envelope, received_at=after(10))
        sequence_of(envelope)
        if not envelope.is_permit:
            return [("type", "is not known")]
        data = PERMIT_DATA.read(envelope.data, record=envelope.id)
        check_permit(envelope, data)
    except BadPayload as error:
        return [(problem.field, problem.problem) for problem in error.problems]
    return []


def test_what_an_independent_system_sends_has_no_problem() -> None:
    assert problems_of(live_event()) == []


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        (having("0.3", "specversion"), "specversion", "must be 1.0"),
        (having("com.key2xs.ptw.permit.live.v2", "type"), "type", "is not known"),
        (without("data", "permit", "state"), "data.permit.state", "is missing"),
        (having(7, "data", "people", 0, "ref"), "data.people[0].ref", "expected `str`, got `int`"),
        (having([], "data", "scope", "assets"), "data.scope.assets", "expected `array` of length >= 1"),
        (having([], "data", "people"), "data.people", "is empty although the permit is in force"),
        (having([], "data", "approvals"), "data.approvals", "is empty although the permit is in force"),
        (having({"system": "sap"}, "data", "work"), "data.work", "needs order or package"),
        (having("PTW-0", "subject"), "subject", "is not data.permit.id"),
        (having("12a", "sequence"), "sequence", "is not a whole number"),
        (without("sequence"), "sequence", "is missing"),
        (having("2026-03-02T18:00:00", "data", "permit", "valid_from"), "data.permit.valid_from", "expected `datetime` with a timezone component"),
        (having(after(0).isoformat(), "data", "permit", "valid_to"), "data.permit.valid_to", "is not after valid_from"),
        (having(after(30).isoformat(), "time"), "time", "lies more than 5 minutes in the future"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_problem(change: Change, field: str, problem: str) -> None:
    assert problems_of(change(live_event())) == [(field, problem)]


def test_fields_that_are_not_known_are_ignored_and_words_are_kept() -> None:
    event = having("orange", "data", "permit", "colour")(live_event(type_="weightless_work"))
    assert problems_of(event) == []


def test_a_sequence_may_be_text_as_cloudevents_writes_it() -> None:
    assert problems_of(having("000017", "sequence")(live_event())) == []


def test_a_problem_never_repeats_a_value() -> None:
    problems = problems_of(having({"name": "Jan"}, "data", "people", 0, "ref")(live_event()))
    assert "Jan" not in str(problems)


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ([("s1", 10, 5)], "data.steps[0].planned_to"),
        ([("s1", 1, 2), ("s1", 3, 4)], "data.steps[1].id"),
    ],
)
def test_steps_that_contradict_themselves_are_refused(steps: list[tuple[str, int, int]], field: str) -> None:
    event = live_event(
        steps=[Step(id=name, planned_from=after(a), planned_to=after(b)) for name, a, b in steps]
    )
    assert [where for where, _ in problems_of(event)] == [field]


@pytest.mark.parametrize(
    ("turns", "problem"),
    [
        ([(-60, -30), (-40, -10)], ("data.people[1]", "overlaps people[0]: same person and role")),
        ([(-60, None), (-40, -10)], ("data.people[1]", "overlaps people[0]: same person and role")),
        ([(None, None), (None, None)], ("data.people[1]", "overlaps people[0]: same person and role")),
        ([(-10, -60)], ("data.people[0].signed_off", "lies before signed_on")),
        ([(None, -60)], ("data.people[0].signed_off", "without signed_on")),
        ([(-60, -30), (-30, -10), (None, None)], None),
    ],
)
def test_turns_of_one_person_must_follow_one_another(
    turns: list[tuple[int | None, int | None]], problem: tuple[str, str] | None
) -> None:
    people = [
        Member(
            ref="u1",
            role="worker",
            signed_on=None if on is None else after(on),
            signed_off=None if off is None else after(off),
        )
        for on, off in turns
    ]
    assert problems_of(live_event(people=people)) == ([problem] if problem else [])


def test_a_gas_test_that_ends_before_it_began_is_refused() -> None:
    tests = [{"at": after(5).isoformat(), "valid_to": after(1).isoformat(), "result": "safe"}]
    assert problems_of(having(tests, "data", "gas_tests")(live_event())) == [
        ("data.gas_tests[0].valid_to", "is not after at")
    ]


def test_a_list_beyond_its_limit_is_refused() -> None:
    many = [{"kind": "access_point", "id": f"AP{n}"} for n in range(501)]
    assert problems_of(having(many, "data", "scope", "points")(live_event())) == [
        ("data.scope.points", "expected `array` of length <= 500")
    ]


def test_a_heartbeat_is_read() -> None:
    outbox = Outbox()
    event = PermitSystem(cast("WebhookSender", outbox)).heartbeat(at=NIGHT)
    envelope = ENVELOPE.read(json.dumps(event).encode())
    assert HEARTBEAT_DATA.read(envelope.data).live == 0
