from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from key2xs.telemetry.rfc5424 import SHORTEST_LIMIT, Element, Severity, SyslogMessage, format_rfc5424, frame
from key2xs_twin.syslog_receiver import parse_record

AT = datetime(2026, 7, 2, 0, 7, 0, 250_000, tzinfo=UTC)


def make_message(**changes: object) -> SyslogMessage:
    fields: dict[str, object] = {
        "severity": Severity.NOTICE,
        "at": AT,
        "host": "site.test",
        "app": "key2xs",
        "msgid": "grants:lease:end",
        **changes,
    }
    return SyslogMessage(**fields)  # type: ignore[arg-type]  # a test names the field it changes


def test_the_smallest_message_is_the_line_of_the_rfc() -> None:
    assert format_rfc5424(make_message()) == (
        b"<109>1 2026-07-02T00:07:00.250000Z site.test key2xs - grants:lease:end -"
    )


def test_a_full_message_is_the_line_of_the_rfc() -> None:
    message = make_message(
        severity=Severity.WARNING,
        procid="42",
        text="ended früh",
        data=(Element("key2xs@32473", (("kind", "a"), ("subject", "key:1"), ("subject", "key:2"))),),
    )
    assert format_rfc5424(message).decode() == (
        "<108>1 2026-07-02T00:07:00.250000Z site.test key2xs 42 grants:lease:end "
        '[key2xs@32473 kind="a" subject="key:1" subject="key:2"] ended früh'
    )


def test_local_time_becomes_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    assert format_rfc5424(make_message(at=local)) == format_rfc5424(make_message())


def test_quotes_backslashes_and_brackets_in_values_are_escaped() -> None:
    found = format_rfc5424(make_message(data=(Element("x", (("note", 'a "b" ] \\ c'),)),)))
    assert found.endswith(b' [x note="a \\"b\\" \\] \\\\ c"]')


@pytest.mark.parametrize("breaker", ["\n", "\r\n", "\0", "\t", "\x1b[31m", "\u2028", "\x85", "\ud800"])
def test_no_value_can_start_a_second_line_or_break_utf_8(breaker: str) -> None:
    sly = f"before{breaker}<8>1 forged"
    found = format_rfc5424(
        make_message(host=sly, app=sly, msgid=sly, procid=sly, text=sly, data=(Element(sly, ((sly, sly),)),))
    ).decode()
    assert breaker not in found
    assert len(found.splitlines()) == 1


def test_header_fields_keep_to_printable_ascii_and_their_lengths() -> None:
    found = format_rfc5424(
        make_message(host="ä b" + "h" * 300, app="a" * 60, procid="p" * 200, msgid="m" * 40)
    )
    _, _, host, app, procid, msgid, data = found.decode().split(" ")
    assert host.startswith("__bhhh")
    assert (len(host), len(app), len(procid), len(msgid), data) == (255, 48, 128, 32, "-")


def test_names_in_structured_data_are_made_legal_and_an_element_occurs_once() -> None:
    found = format_rfc5424(
        make_message(data=(Element('a="]b', (("n m", "1"), ("", "2"))), Element("a___b", (("z", "3"),))))
    )
    assert found.endswith(b'[a___b n_m="1" _="2"]')


@given(
    st.text(),
    st.text(),
    st.lists(st.tuples(st.text(max_size=40), st.text(max_size=2000)), max_size=5),
    st.text(max_size=4000),
    st.integers(SHORTEST_LIMIT, 4000),
)
def test_whatever_is_said_the_message_parses_and_keeps_to_its_limit(
    host: str, msgid: str, params: list[tuple[str, str]], text: str, limit: int
) -> None:
    message = make_message(host=host, msgid=msgid, data=(Element("key2xs@32473", tuple(params)),), text=text)
    found = format_rfc5424(message, limit=limit)
    assert len(found) <= limit
    record = parse_record(found)
    assert (record.facility, record.severity) == (13, 5)
    whole = format_rfc5424(message, limit=1_000_000)
    if found != whole:
        assert len(whole) > limit
        assert any(params.get("cut") == "1" for params in record.data.values()) or not record.data


def test_a_long_text_is_cut_between_characters_and_says_so() -> None:
    found = format_rfc5424(make_message(text="é" * 3000), limit=1001)
    record = parse_record(found)
    assert record.msg == "é" * len(record.msg)
    assert 999 <= len(found) <= 1001
    assert record.data == {"cut@32473": {"cut": "1"}}


def test_long_values_are_cut_before_any_of_them_is_dropped() -> None:
    data = (Element("x", (("a", "A" * 3000), ("b", "short"))),)
    record = parse_record(format_rfc5424(make_message(data=data, text="t" * 3000), limit=1000))
    assert record.data == {"x": {"a": "A" * 256, "b": "short", "cut": "1"}}
    many = (Element("x", tuple((f"p{n}", "v" * 40) for n in range(200))),)
    record = parse_record(format_rfc5424(make_message(data=many), limit=1000))
    assert record.data == {"cut@32473": {"cut": "1"}}


@pytest.mark.parametrize("changes", [{"at": AT.replace(tzinfo=None)}, {"facility": 24}, {"facility": -1}])
def test_a_message_nobody_may_write_is_a_programming_error(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="aware time"):
        format_rfc5424(make_message(**changes))


def test_frames_count_octets_and_not_characters() -> None:
    assert frame("é\n".encode()) == b"3 \xc3\xa9\n"
