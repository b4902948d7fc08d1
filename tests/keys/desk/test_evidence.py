"""From hands to custodies: whatever was told, in whatever order, at most one person has a key at any instant."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

from hypothesis import given, strategies as st

from key2xs.core.ids import PersonId
from key2xs.keys.desk.evidence import Custodies, Handling, read_in_order

BEGIN = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
A, B, C = (PersonId(UUID(int=number)) for number in (1, 2, 3))


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


@st.composite
def words(draw: st.DrawFn) -> list[Handling]:
    """What desk and cabinets may tell of one key, right or wrong."""
    many = []
    for number in range(draw(st.integers(0, 12))):
        source = draw(st.sampled_from(["desk", "cabinet"]))
        kind = draw(st.sampled_from(["out", "out", "back", "due"]))
        people = [A, B, C] if source == "desk" else [A, B, C, None]
        many.append(
            Handling(
                UUID(int=100 + number),
                at(draw(st.integers(0, 30))),
                source,  # type: ignore[arg-type]
                kind,  # type: ignore[arg-type]
                draw(st.sampled_from(people)),
                draw(st.sampled_from([None, A, B])) if (source, kind) == ("desk", "out") else None,
                due_at=draw(st.sampled_from([None, at(60), at(90)])),
                mark=f"{number:03d}",
            )
        )
    return many


@given(words(), st.randoms(use_true_random=False))
def test_at_most_one_person_has_a_key_and_the_order_of_telling_does_not_matter(
    many: list[Handling], random: Random
) -> None:
    found = read_in_order(None, many)
    for before, after in pairwise(found.spans):
        assert before.end is not None
        assert before.end <= after.start
    assert all(span.end is None or span.start < span.end for span in found.spans)
    shuffled = list(many)
    random.shuffle(shuffled)
    assert read_in_order(None, shuffled) == found


@given(words(), st.integers(0, 31))
def test_reading_on_from_any_instant_gives_the_same_as_reading_it_all(
    many: list[Handling], minute: int
) -> None:
    """What is stored is rewritten from the new word on, never from the beginning: that must be enough."""
    whole = read_in_order(None, many)
    before = [each for each in many if each.at < at(minute)]
    earlier = read_in_order(None, before)
    held = next((span for span in earlier.spans if span.end is None), None)
    later = read_in_order(held, [each for each in many if each.at >= at(minute)])
    past = [span for span in earlier.spans if span.end is not None]
    assert (*past, *later.spans) == whole.spans
    assert (*earlier.clashes, *later.clashes) == whole.clashes


def told(*many: tuple[int, str, str, PersonId | None]) -> Custodies:
    return read_in_order(
        None,
        [
            Handling(UUID(int=100 + number), at(minute), source, kind, person, mark=f"{number:03d}")  # type: ignore[arg-type]
            for number, (minute, source, kind, person) in enumerate(many)
        ],
    )


def test_the_normal_way_of_a_key_has_nothing_to_find() -> None:
    found = told(
        (0, "cabinet", "out", A), (5, "cabinet", "back", A), (9, "desk", "out", B), (12, "desk", "back", B),
        (12, "cabinet", "back", None),
    )  # fmt: skip
    assert [(span.person_id, span.start, span.end) for span in found.spans] == [
        (A, at(0), at(5)),
        (B, at(9), at(12)),
    ]
    assert found.clashes == ()


def test_a_cabinet_never_takes_a_key_away_from_whom_the_desk_gave_it_to() -> None:
    found = told((0, "desk", "out", A), (5, "cabinet", "out", B))
    assert [(span.person_id, span.end) for span in found.spans] == [(A, None)]
    assert [(clash.kind, clash.person_id, clash.holder_id) for clash in found.clashes] == [
        ("taken_while_out", B, A)
    ]


def test_what_the_desk_has_in_hand_it_may_hand_out_whatever_a_cabinet_missed() -> None:
    found = told((0, "cabinet", "out", A), (5, "desk", "out", B))
    assert [(span.person_id, span.start, span.end) for span in found.spans] == [
        (A, at(0), at(5)),
        (B, at(5), None),
    ]
    assert [clash.kind for clash in found.clashes] == ["handed_out_while_out"]


def test_the_same_hand_out_told_by_desk_and_cabinet_is_one() -> None:
    found = told((0, "cabinet", "out", A), (0, "desk", "out", A), (7, "cabinet", "out", A))
    assert [(span.person_id, span.start, span.end) for span in found.spans] == [(A, at(0), None)]
    assert found.clashes == ()


def test_a_key_brought_by_somebody_else_is_back_and_is_told() -> None:
    found = told((0, "desk", "out", A), (5, "cabinet", "back", B))
    assert [(span.person_id, span.end) for span in found.spans] == [(A, at(5))]
    assert [clash.kind for clash in found.clashes] == ["returned_by_other"]
