import random

import pytest

from key2xs.core.errors import LedgerError
from key2xs.ledger.labels import (
    MAX_STREAMS,
    LabelError,
    TooManyStreams,
    blind,
    stream_secret,
    stream_tag,
    streams_of,
)

KIND = "work:permit:change"
SITE_KEY = bytes(range(32))


def test_cylinders_keys_zones_permits_access_points_and_key_systems_have_streams() -> None:
    nouns = ["cylinder", "key", "zone", "permit", "access_point", "key_system"]
    subjects = [f"{noun}:1" for noun in nouns]
    assert streams_of(1, KIND, subjects) == tuple(sorted(subjects))


def test_people_companies_and_grants_never_get_a_stream() -> None:
    subjects = ["person:1", "company:1", "user:1", "grant:1", "bundle:1", "unit:1", "duty:1"]
    assert streams_of(1, KIND, subjects) == ()


def test_order_and_repeats_of_subjects_do_not_matter() -> None:
    subjects = [f"cylinder:{n}" for n in range(8)] + ["zone:2", "person:9", "zone:2"]
    expected = streams_of(1, KIND, subjects)
    for seed in range(5):
        random.Random(seed).shuffle(subjects)
        assert streams_of(1, KIND, subjects) == expected
    assert len(expected) == 9


def test_seventeen_streams_ask_for_parent_and_children() -> None:
    at_the_limit = [f"cylinder:{n}" for n in range(MAX_STREAMS)]
    assert len(streams_of(1, KIND, at_the_limit)) == MAX_STREAMS
    with pytest.raises(TooManyStreams, match="parent") as caught:
        streams_of(1, KIND, [*at_the_limit, "key:1"])
    assert caught.value.count == MAX_STREAMS + 1
    assert isinstance(caught.value, LedgerError)


@pytest.mark.parametrize(
    "kind", ["", "work", "work:permit", "Work:permit:change", "a:b:c:d", "a:b:c ", "a::c"]
)
def test_a_kind_is_three_words(kind: str) -> None:
    with pytest.raises(LabelError):
        streams_of(1, kind, [])


@pytest.mark.parametrize("subject", ["", "cylinder", "cylinder:", ":1", "cylinder:a b", "Cylinder:1"])
def test_a_subject_is_noun_and_id(subject: str) -> None:
    with pytest.raises(LabelError):
        streams_of(1, KIND, [subject])


def test_an_unknown_labelling_version_is_not_guessed_at() -> None:
    with pytest.raises(LabelError, match="version 2"):
        streams_of(2, KIND, ["key:1"])


def test_a_disclosed_stream_secret_gives_its_tag_and_no_other() -> None:
    secret = stream_secret(SITE_KEY, "cylinder:1")
    assert stream_tag(secret, "cylinder:1") == blind(SITE_KEY, "cylinder:1")
    # The secret of one stream says nothing about another one, not even with its name.
    assert stream_tag(secret, "cylinder:2") != blind(SITE_KEY, "cylinder:2")
    assert len(bytes.fromhex(blind(SITE_KEY, "cylinder:1"))) == 16


def test_tags_of_two_sites_differ() -> None:
    assert blind(SITE_KEY, "zone:1") != blind(bytes(32), "zone:1")


def test_a_short_site_key_is_refused() -> None:
    with pytest.raises(LabelError):
        stream_secret(b"short", "zone:1")
