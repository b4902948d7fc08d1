import hmac
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from key2xs.ledger.canonical import canonical
from key2xs.ledger.labels import TooManyStreams, blind
from key2xs.ledger.leaf import (
    MAX_LEAF_BYTES,
    EntrySalts,
    LeafDraft,
    LeafError,
    LeafTooLarge,
    MalformedLeaf,
    Opening,
    StreamPosition,
    build_leaf,
    check_opening,
    commit,
    commit_draft,
    derive_salt,
    format_instant,
    new_salt,
    parse_instant,
    parse_leaf,
)
from key2xs.ledger.merkle import leaf_hash

GOLDEN = json.loads((Path(__file__).parent / "golden_leaf.json").read_text())
PAGE = (Path(__file__).parents[2] / "docs/reference/log.md").read_text()
AT = datetime(2026, 11, 21, 14, 2, 11, 250_000, tzinfo=UTC)
SALT = bytes(range(16))


def make_draft(**changes: object) -> LeafDraft:
    draft = LeafDraft(
        id=UUID("019a0000-0000-7000-8000-000000000001"),
        kind="work:permit:change",
        occurred_at=AT,
        recorded_at=AT + timedelta(seconds=1),
        label_version=1,
        actor=Opening(SALT, "person:0001"),
        subjects=(Opening(SALT, "permit:0001"),),
        body={"state": Opening(SALT, "live")},
    )
    return replace(draft, **changes)  # type: ignore[arg-type]  # a test names the field it changes


def positions(count: int) -> list[StreamPosition]:
    return [StreamPosition(f"{n:032x}", 1, None) for n in range(count)]


def golden_draft() -> LeafDraft:
    def opening(shown: dict[str, str]) -> Opening:
        return Opening(bytes.fromhex(shown["salt"]), shown["value"])

    shown = GOLDEN["openings"]
    return LeafDraft(
        id=UUID(GOLDEN["id"]),
        kind=GOLDEN["kind"],
        occurred_at=parse_instant(GOLDEN["occurred_at"]),
        recorded_at=parse_instant(GOLDEN["recorded_at"]),
        label_version=GOLDEN["label_version"],
        actor=opening(shown["actor"]),
        subjects=tuple(opening(item) for item in shown["subjects"]),
        body={name: opening(item) for name, item in shown["body"].items()},
    )


def test_the_worked_example_of_the_reference_page_is_what_the_code_computes() -> None:
    site_key = bytes.fromhex(GOLDEN["site_key"])
    streams = [
        StreamPosition(blind(site_key, item["name"]), item["number"], item["previous"])
        for item in GOLDEN["streams"]
    ]
    assert [position.tag for position in streams] == [item["tag"] for item in GOLDEN["streams"]]
    leaf = build_leaf(golden_draft(), streams)
    assert commit_draft(golden_draft()).body == GOLDEN["commitments"]["body"]
    assert leaf[:1] == b"\x01"
    assert leaf[1:].decode() == GOLDEN["canonical_json"]
    assert leaf_hash(leaf).hex() == GOLDEN["leaf_hash"]


def test_the_reference_page_shows_every_golden_value() -> None:
    shown = [GOLDEN["canonical_json"], GOLDEN["leaf_hash"], GOLDEN["commitments"]["actor"]]
    shown += [item[name] for item in GOLDEN["streams"] for name in ("name", "secret", "tag")]
    shown += GOLDEN["commitments"]["subjects"] + list(GOLDEN["commitments"]["body"].values())
    assert [value for value in shown if value not in PAGE] == []


def test_the_shell_commands_of_the_reference_page_give_what_it_says() -> None:
    script = PAGE.partition("```sh\n")[2].partition("# The leaf hash")[0]
    told = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True).stdout
    commitment, tag = [line.split()[0] for line in told.splitlines()]
    assert commitment == GOLDEN["commitments"]["actor"]
    assert tag.startswith(GOLDEN["streams"][0]["tag"])


def test_a_leaf_reads_back_as_it_was_built() -> None:
    streams = (StreamPosition("aa" * 16, 3, 17), StreamPosition("0b" * 16, 1, None))
    leaf = parse_leaf(build_leaf(make_draft(), streams))
    assert leaf.kind == "work:permit:change"
    assert (leaf.occurred_at, leaf.recorded_at) == (AT, AT + timedelta(seconds=1))
    assert leaf.streams == (streams[1], streams[0])
    assert leaf.actor == commit(Opening(SALT, "person:0001"))
    assert leaf.body.keys() == {"state"}


def test_nothing_that_was_said_stands_in_the_leaf_in_the_clear() -> None:
    leaf = build_leaf(
        make_draft(body={"holder": Opening(new_salt(), "Jan Jansen"), "count": Opening(new_salt(), 4711)}),
        positions(1),
    )
    for said in (b"Jan", b"4711", b"person:", b"permit:0001", SALT.hex().encode()):
        assert said not in leaf


def test_a_draft_hashed_by_the_writer_gives_the_same_leaf() -> None:
    draft = make_draft()
    assert build_leaf(commit_draft(draft), positions(2)) == build_leaf(draft, positions(2))


def test_the_order_in_which_streams_are_given_does_not_change_the_leaf() -> None:
    draft = make_draft()
    assert build_leaf(draft, positions(5)) == build_leaf(draft, reversed(positions(5)))


def test_local_times_become_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    assert format_instant(local) == "2026-11-21T14:02:11.250000Z"
    assert parse_instant(format_instant(local)) == AT


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(LeafError):
        build_leaf(make_draft(occurred_at=AT.replace(tzinfo=None)), [])


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_survives_the_leaf(at: datetime) -> None:
    assert parse_instant(format_instant(at)) == at


def test_a_leaf_of_65535_bytes_is_taken_and_one_more_is_not() -> None:
    empty = len(build_leaf(make_draft(body={}), []))
    per_field = 64 + len('"":"",')
    name = "x" * (MAX_LEAF_BYTES - empty - per_field + 1)  # The first field brings no comma.
    assert len(build_leaf(make_draft(body={name: Opening(SALT, 1)}), [])) == MAX_LEAF_BYTES
    with pytest.raises(LeafTooLarge) as caught:
        build_leaf(make_draft(body={name + "x": Opening(SALT, 1)}), [])
    assert caught.value.size == MAX_LEAF_BYTES + 1


def test_sixteen_streams_fit_and_seventeen_do_not() -> None:
    assert len(parse_leaf(build_leaf(make_draft(), positions(16))).streams) == 16
    with pytest.raises(TooManyStreams):
        build_leaf(make_draft(), positions(17))


@pytest.mark.parametrize(
    "position",
    [
        StreamPosition("00", 1, None),
        StreamPosition("AA" * 16, 1, None),
        StreamPosition("aa" * 16, 0, None),
        StreamPosition("aa" * 16, 1, 4),  # the first has no predecessor
        StreamPosition("aa" * 16, 2, None),  # every other one has
        StreamPosition("aa" * 16, 2, -1),
    ],
)
def test_a_place_that_cannot_be_is_refused(position: StreamPosition) -> None:
    with pytest.raises(LeafError):
        build_leaf(make_draft(), [position])


def test_one_stream_cannot_stand_twice_in_a_leaf() -> None:
    with pytest.raises(LeafError, match="twice"):
        build_leaf(make_draft(), [*positions(1), *positions(1)])


def test_only_salt_and_value_together_open_a_commitment() -> None:
    opening = Opening(new_salt(), {"state": "live", "count": 2})
    commitment = commit(opening)
    assert check_opening(commitment, opening)
    assert not check_opening(commitment, Opening(new_salt(), opening.value))
    assert not check_opening(commitment, Opening(opening.salt, {"state": "live", "count": 3}))
    assert not check_opening(commitment, Opening(b"", opening.value))
    assert not check_opening(commitment, Opening(opening.salt, object()))


def test_true_and_one_are_different_values() -> None:
    assert commit(Opening(SALT, True)) != commit(Opening(SALT, 1))


@given(st.binary(min_size=16, max_size=32), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_other_split_of_salt_and_value_gives_the_same_commitment(salt: bytes, value: str) -> None:
    longer = Opening(salt + b'"', value)
    if len(salt) < 32:
        assert commit(Opening(salt, '"' + value)) != commit(longer)


@pytest.mark.parametrize("length", [0, 15, 33])
def test_salts_outside_16_to_32_bytes_are_refused(length: int) -> None:
    with pytest.raises(LeafError):
        commit(Opening(bytes(length), "value"))


@given(st.binary(min_size=32, max_size=32), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_derived_salt_is_half_of_the_published_hmac(secret: bytes, field: str) -> None:
    expected = hmac.digest(secret, b"key2xs/salt/v1\0" + field.encode(), "sha256")[:16]
    assert EntrySalts(secret).of(field) == derive_salt(secret, field) == expected


def test_salts_of_one_entry_differ_by_field_and_by_entry() -> None:
    fields = ["actor", "subjects/0", "subjects/1", "body/state"]
    salts = {derive_salt(bytes([n]) * 32, field) for n in range(3) for field in fields}
    assert len(salts) == 12
    with pytest.raises(LeafError):
        derive_salt(bytes(16), "actor")


Change = Callable[[dict[str, Any]], object]


def seventeen_streams(fields: dict[str, Any]) -> None:
    fields["streams"] = [{"number": 1, "previous": None, "tag": f"{n:032x}"} for n in range(17)]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("leaf", lambda fields: fields.pop("actor")),
        ("leaf", lambda fields: fields.update(zz=1)),
        ("kind", lambda fields: fields.update(kind="change")),
        ("kind", lambda fields: fields.update(kind=3)),
        ("id", lambda fields: fields.update(id=fields["id"].replace("019a", "019A"))),
        ("id", lambda fields: fields.update(id="1")),
        ("occurred_at", lambda fields: fields.update(occurred_at="2026-11-21T14:02:11Z")),
        ("recorded_at", lambda fields: fields.update(recorded_at="2026-02-30T14:02:11.000000Z")),
        ("actor", lambda fields: fields.update(actor="person:1")),
        ("subjects", lambda fields: fields.update(subjects="00")),
        ("subjects/0", lambda fields: fields.update(subjects=["00"])),
        ("body", lambda fields: fields.update(body=[])),
        ("body/state", lambda fields: fields.update(body={"state": "live"})),
        ("streams", lambda fields: fields.update(streams={})),
        ("streams", lambda fields: fields.update(streams=fields["streams"] * 2)),
        ("streams", seventeen_streams),
        ("streams/0", lambda fields: fields.update(streams=[1])),
        ("streams/0", lambda fields: fields["streams"][0].update(previous=None)),
        ("streams/0", lambda fields: fields["streams"][0].update(tag="AA" * 16)),
        ("streams/0/number", lambda fields: fields["streams"][0].update(number=0)),
        ("streams/0/number", lambda fields: fields["streams"][0].update(number=True)),
        ("label_version", lambda fields: fields.update(label_version=1.5)),
        ("v", lambda fields: fields.update(v=2)),
    ],
)
def test_a_malformed_leaf_is_refused_and_the_field_named(field: str, change: Change) -> None:
    fields = json.loads(build_leaf(make_draft(), [StreamPosition("aa" * 16, 2, 5)])[1:])
    change(fields)
    with pytest.raises(MalformedLeaf) as caught:
        parse_leaf(b"\x01" + canonical(fields))
    assert caught.value.field == field


def test_another_version_byte_or_another_spelling_of_the_same_json_is_refused() -> None:
    leaf = build_leaf(make_draft(), [])
    for wrong in (b"\x02" + leaf[1:], leaf[1:], b"", leaf.replace(b'","', b'", "', 1), leaf + b"\n"):
        with pytest.raises(MalformedLeaf):
            parse_leaf(wrong)


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_as_malformed_and_nothing_else(data: bytes) -> None:
    for candidate in (data, b"\x01" + data):
        with pytest.raises(MalformedLeaf):
            parse_leaf(candidate)
