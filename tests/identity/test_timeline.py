"""What a statement does to a timeline, against a model that asks every instant."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st

from key2xs.identity.timeline import Span, Stated, restate

ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def hour(number: int | None) -> datetime | None:
    return None if number is None else ZERO + timedelta(hours=number)


def at(number: int) -> datetime:
    return ZERO + timedelta(hours=number)


statements = st.tuples(
    st.integers(0, 20),  # when it is stated
    st.one_of(
        st.none(),
        st.tuples(
            st.one_of(st.none(), st.integers(0, 20)),
            st.one_of(st.none(), st.integers(21, 40)),
            st.sampled_from("ab"),
        ),
    ),
)


@given(st.lists(statements, max_size=6))
def test_the_newest_statement_holds_from_its_cut_and_the_past_before_it_stays(history: list[Any]) -> None:
    rows: list[Stated] = []
    model: dict[int, Any] = {}
    number = 0
    for stated_at, said in sorted(history, key=lambda each: each[0]):
        new = None if said is None else (Span(hour(said[0]), hour(said[1])), (said[2],))
        splice = restate(rows, new, at=at(stated_at))
        rows = [row for row in rows if row.id not in splice.close]
        for span, value in splice.write:
            number += 1
            rows.append(Stated(number, span, value))
        cut = stated_at if said is None else min(stated_at, said[0] if said[0] is not None else -1)
        model = {instant: value for instant, value in model.items() if instant < cut}
        if said is not None:
            start, end = said[0] if said[0] is not None else -1, said[1] if said[1] is not None else 60
            model |= dict.fromkeys(range(start, end), said[2])
        for instant in range(-1, 59):
            holding = [row.value[0] for row in rows if row.span.contains(at(instant))]
            assert holding == ([model[instant]] if instant in model else [])


def test_the_same_statement_twice_changes_nothing() -> None:
    new = (Span(at(1), None), (True,))
    first = restate((), new, at=at(1))
    rows = [Stated(1, *first.write[0])]
    assert not restate(rows, (Span(at(5), None), (True,)), at=at(5)).changes


def test_an_end_moved_into_the_past_takes_effect_from_there() -> None:
    rows = [Stated(1, Span(at(0), at(30)), ("firm",))]
    splice = restate(rows, (Span(at(0), at(5)), ("firm",)), at=at(10))
    assert splice.close == (1,)
    assert splice.write == ((Span(at(0), at(5)), ("firm",)),)
