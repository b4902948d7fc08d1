"""Acts decided by Cedar: every guardrail both ways, slices that say what the whole says, and nothing by mistake."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from key2xs.policy.acts import Account, ActQuestion, ActRow, Place, check_rules, judge, make_rules

GIVE, MANAGE, LOOK, BOTH = "keys:custody:change", "access:user:manage", "keys:key:read", "zone:zone:switch"
ACTIONS = {GIVE: ["gives_keys"], MANAGE: ["manages_users"], LOOK: [], BOTH: ["two_people"]}
ROLES = ("administrator", "key_desk", "shift_leader")
RULES = make_rules(
    [
        ActRow("administrator", MANAGE),
        ActRow("key_desk", GIVE),
        ActRow("shift_leader", GIVE, "unit:CDU"),
        ActRow("shift_leader", LOOK, "area:A1", reason=True),
        ActRow("shift_leader", BOTH, second_person=True, reason=True),
    ],
    ACTIONS,
)


def ask(*roles: str, permission: str = GIVE, **facts: Any) -> ActQuestion:
    account = Account(frozenset(roles), linked="yes", altered="no", administered="no")
    return ActQuestion(account, permission, **facts)


def test_the_shipped_schema_takes_the_shipped_guardrails() -> None:
    assert check_rules(RULES) == []


def test_a_row_allows_its_role_its_act_at_its_place_and_nothing_else() -> None:
    assert judge(ask("key_desk"), RULES).allowed
    assert not judge(ask("key_desk", permission=LOOK), RULES).possible
    assert not judge(ask("soc"), RULES).possible
    assert judge(ask("shift_leader", place=Place("CDU")), RULES).allowed
    assert not judge(ask("shift_leader", place=Place("FCC")), RULES).possible
    assert not judge(ask("shift_leader"), RULES).possible


def test_what_a_row_asks_for_is_named_and_enough() -> None:
    look = ask("shift_leader", permission=LOOK, place=Place("CDU", "A1"))
    verdict = judge(look, RULES)
    assert (verdict.allowed, verdict.needs_reason, verdict.needs_second) == (False, True, False)
    assert judge(replace(look, reason="given"), RULES).allowed
    both = judge(ask("shift_leader", permission=BOTH), RULES)
    assert (both.allowed, both.needs_reason, both.needs_second) == (False, True, True)
    assert judge(ask("shift_leader", permission=BOTH, reason="given", second="confirmed"), RULES).allowed


def test_where_a_reason_or_a_second_person_would_do_the_reason_is_asked_for() -> None:
    rules = make_rules(
        [ActRow("key_desk", LOOK, reason=True), ActRow("shift_leader", LOOK, second_person=True)], ACTIONS
    )
    verdict = judge(ask("key_desk", "shift_leader", permission=LOOK), rules)
    assert (verdict.needs_reason, verdict.needs_second) == (True, False)


SECOND = ask("key_desk", part="second", proposer="other")


@pytest.mark.parametrize(
    ("change", "guardrail"),
    [
        ({"via": "token", "token_holds": "yes"}, "guardrail.act.second_signs_in"),
        ({"via": "token", "token_holds": "no"}, "guardrail.act.token"),
        ({"via": "code"}, "guardrail.act.code"),
        ({"proposer": "self"}, "guardrail.act.second_is_another"),
        ({"proposer": "none"}, "guardrail.act.second_is_another"),
        ({"proposer": "unknown"}, "guardrail.act.second_surely_is"),
        ({"proposer_altered": "yes"}, "guardrail.act.proposer_altered"),
        ({"proposer_altered": "unknown"}, "guardrail.act.proposer_altered"),
    ],
)
def test_each_guardrail_of_the_second_person_forbids_by_itself(
    change: dict[str, Any], guardrail: str
) -> None:
    assert judge(SECOND, RULES).allowed
    verdict = judge(replace(SECOND, **change), RULES)
    assert not verdict.possible
    assert guardrail in verdict.policies


@pytest.mark.parametrize(
    ("fact", "guardrail"),
    [
        ("altered", "guardrail.act.altered"),
        ("administered", "guardrail.act.administered"),
    ],
)
@pytest.mark.parametrize("word", ["yes", "unknown"])
def test_whoever_touched_accounts_or_was_touched_is_no_second_person(
    fact: str, guardrail: str, word: Any
) -> None:
    account = replace(SECOND.account, **{fact: word})
    verdict = judge(replace(SECOND, account=account), RULES)
    assert verdict.policies == (guardrail,)
    # Beginning an act, or approving in an emergency, does not ask for it.
    assert judge(replace(SECOND, account=account, part="first"), RULES).allowed
    assert judge(replace(SECOND, account=account, part="approve"), RULES).allowed


def test_whoever_manages_users_never_gives_keys_whatever_the_rows_say() -> None:
    rules = make_rules([*RULES.rows, ActRow("administrator", GIVE)], ACTIONS)
    assert judge(ask("administrator"), rules).policies == ("guardrail.act.administrator",)
    assert judge(ask("administrator", "key_desk"), RULES).policies == ("guardrail.act.administrator",)
    assert judge(ask("administrator", permission=MANAGE), rules).allowed


def test_no_row_can_drop_the_second_person_of_an_act_that_always_takes_two() -> None:
    rules = make_rules([ActRow("key_desk", BOTH)], ACTIONS)
    assert judge(ask("key_desk", permission=BOTH), rules).needs_second
    assert judge(ask("key_desk", permission=BOTH, second="built_in"), rules).allowed


def test_what_cedar_cannot_evaluate_is_denied() -> None:
    assert not judge(ask("key_desk", permission="no:such:act"), RULES).possible
    assert not judge(ask("key_desk", via="carrier pigeon"), RULES).possible
    odd = replace(ask("key_desk"), account=Account(frozenset({"key_desk"}), linked="maybe"))  # type: ignore[arg-type]
    assert not judge(odd, RULES).possible


def test_a_policy_that_errs_denies_although_cedar_allows() -> None:
    broken = RULES.guardrails + (
        '@id("guardrail.act.broken") @reason("x") forbid (principal, action, resource) '
        'when { 9223372036854775807 + principal.roles.contains("x") == 1 };'
    )
    from dataclasses import replace as swap

    rules = swap(RULES, guardrails=broken, hash="broken")
    assert check_rules(rules) != []
    assert not judge(ask("key_desk"), rules).possible


WORDS = st.sampled_from(["yes", "no", "unknown"])
QUESTIONS = st.builds(
    ActQuestion,
    st.builds(Account, st.frozensets(st.sampled_from([*ROLES, "soc"]), max_size=4), WORDS, WORDS, WORDS),
    st.sampled_from(sorted(ACTIONS)),
    st.builds(Place, st.sampled_from(["", "CDU", "FCC"]), st.sampled_from(["", "A1", "A2"])),
    via=st.sampled_from(["session", "token", "code"]),
    token_holds=st.sampled_from(["yes", "no", "none"]),
    part=st.sampled_from(["first", "second", "approve"]),
    proposer=st.sampled_from(["none", "self", "other", "unknown"]),
    proposer_altered=WORDS,
    second=st.sampled_from(["none", "confirmed", "built_in"]),
    reason=st.sampled_from(["given", "none"]),
)
MATRICES = st.frozensets(
    st.builds(
        ActRow,
        st.sampled_from(ROLES),
        st.sampled_from(sorted(ACTIONS)),
        st.sampled_from(["all", "unit:CDU", "area:A1"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@given(rows=MATRICES, questions=st.lists(QUESTIONS, min_size=1, max_size=12))
def test_the_slice_and_its_cache_say_what_the_whole_matrix_says(
    rows: frozenset[ActRow], questions: list[ActQuestion]
) -> None:
    rules = make_rules(rows, ACTIONS)
    for question in questions:
        whole = judge(question, rules, sliced=False)
        assert judge(question, rules) == whole
        assert judge(question, rules) == whole  # the second time from the cache


@given(rows=MATRICES, question=QUESTIONS)
def test_no_matrix_drops_a_guardrail(rows: frozenset[ActRow], question: ActQuestion) -> None:
    verdict = judge(question, make_rules(rows, ACTIONS))
    if not verdict.possible:
        return
    account = question.account
    assert question.via != "code"
    if question.part != "first":
        assert question.via == "session"
        assert account.linked == "yes"
        assert question.proposer == "other"
    if question.part == "second":
        assert (account.altered, account.administered, question.proposer_altered) == ("no", "no", "no")
    if question.permission == GIVE:
        managing = {row.role for row in rows if row.permission == MANAGE}
        assert not account.roles & managing
    if question.permission == BOTH and question.part != "second" and question.second == "none":
        assert verdict.needs_second
