from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from key2xs.ledger import ReadEntry
from key2xs.telemetry.events import ELEMENT, to_syslog
from key2xs.telemetry.rfc5424 import Severity, format_rfc5424
from key2xs_twin.syslog_receiver import parse_record

AT = datetime(2026, 7, 2, 3, 17, tzinfo=UTC)


def make_entry(**changes: object) -> ReadEntry:
    fields: dict[str, object] = {
        "position": 42,
        "seq": 50,
        "id": UUID("019a0000-0000-7000-8000-000000000001"),
        "kind": "keys:opening:class",
        "occurred_at": AT,
        "recorded_at": AT + timedelta(minutes=4),
        "actor": "system:locks",
        "subjects": ("cylinder:019a-c1", "key:019a-f1"),
        "heads": (),
        "body": {},
        **changes,
    }
    return ReadEntry(**fields)  # type: ignore[arg-type]  # a test names the field it changes


def told(**changes: object) -> str:
    return format_rfc5424(to_syslog(make_entry(**changes), host="site")).decode()


def test_a_receiver_learns_kind_place_time_subjects_and_codes() -> None:
    record = parse_record(told(body={"class": "unexplained"}).encode())
    assert record.time == "2026-07-02T03:17:00.000000Z"
    assert record.msgid == "keys:opening:class"
    assert record.msg == "keys:opening:class: class unexplained"
    assert record.data[ELEMENT] == {
        "key2xs_uid": "019a0000-0000-7000-8000-000000000001",
        "index": "42",
        "kind": "keys:opening:class",
        "recorded_at": "2026-07-02T03:21:00.000000Z",
        "actor": "system:locks",
        "subject": "key:019a-f1",  # the twin keeps the last of several
        "class": "unexplained",
    }
    assert 'subject="cylinder:019a-c1" subject="key:019a-f1"' in record.raw


def test_the_same_entry_always_gives_the_same_message() -> None:
    assert told() == told()


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Jan Jansen"},
        {"outcome": "Jan Jansen asked for it"},
        {"reason": "jansen"},  # what a person typed, of a kind whose reasons are not ours
        {"state": {"$owner": "019a", "$sealed": "jansen"}},
        {"reasons": [{"text": "jansen"}, {"code": "Jan Jansen"}, 3, None, ["jansen"]]},
        {"outcome": "x" * 65},
    ],
)
def test_names_free_text_and_sealed_values_are_never_told(body: dict[str, object]) -> None:
    assert told(body=body) == told()


def test_a_subject_or_actor_that_is_no_opaque_id_is_not_told() -> None:
    line = told(actor="Jan Jansen", subjects=("person:Jan Jansen", "person:019a-0f"))
    assert "Jan" not in line
    assert 'subject="person:019a-0f"' in line


def test_reasons_come_as_codes_alone_or_beside_their_text() -> None:
    reasons = ["permit_not_live", {"code": "gas:retest", "text": "the gas retest of Jan failed"}]
    line = told(kind="grants:lease:refuse", body={"reasons": reasons, "reason": "lapsed"})
    assert 'reasons="permit_not_live" reasons="gas:retest" reason="lapsed"' in line
    assert "Jan" not in line


@pytest.mark.parametrize(
    ("body", "severity"),
    [
        ({}, Severity.NOTICE),
        ({"class": "expected"}, Severity.NOTICE),
        ({"class": "refused"}, Severity.WARNING),
        ({"class": "after_end"}, Severity.WARNING),
        ({"verdict": "deny"}, Severity.WARNING),
        ({"class": "unexplained"}, Severity.ALERT),
        ({"class": "expected", "was": "unexplained"}, Severity.NOTICE),
    ],
)
def test_an_unexplained_opening_is_the_top_alarm(body: dict[str, object], severity: Severity) -> None:
    assert to_syslog(make_entry(body=body), host="site").severity is severity


def test_an_entry_with_sixteen_subjects_fits_a_receiver_of_2048_bytes() -> None:
    # RFC 5425, 4.3.1: every receiver must take 2,048 bytes.
    subjects = tuple(f"access_point:{UUID(int=n)}" for n in range(16))
    assert len(told(subjects=subjects, actor=f"person:{UUID(int=1)}")) < 2048
