"""The table of what roles hold: it says exactly what Cedar says, for every matrix, role, permission and place."""

from hypothesis import given, settings, strategies as st

from key2xs.access.holdings import Terms, holdings_of, question_for
from key2xs.access.matrix import groups_of, shipped_matrix
from key2xs.access.permissions import ALWAYS_SECOND, PERMISSIONS, Permission, Role
from key2xs.policy.acts import ActRow, Place, judge, make_rules

ACTIONS = {str(each): groups_of(each) for each in Permission}
ROLES = [str(role) for role in Role]
ROWS = st.frozensets(
    st.builds(
        ActRow,
        st.sampled_from(ROLES[:2]),
        st.sampled_from([str(each) for each in list(Permission)[::20]]),
        st.sampled_from(["all", "unit:CDU", "area:A1"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=15,
)


@settings(max_examples=15)
@given(
    rows=ROWS,
    roles=st.frozensets(st.sampled_from(ROLES[:3]), max_size=2),
    place=st.builds(Place, st.sampled_from(["", "CDU", "FCC"]), st.sampled_from(["", "A1"])),
)
def test_the_table_says_what_the_whole_policy_says(
    rows: frozenset[ActRow], roles: frozenset[str], place: Place
) -> None:
    rules = make_rules(rows, ACTIONS)
    held = holdings_of(rules, roles)
    for permission in Permission:
        verdict = judge(question_for(roles, permission, place), rules, sliced=False)
        expected = Terms(verdict.needs_second, verdict.needs_reason) if verdict.possible else None
        assert held.terms_of(permission, place) == expected, permission


def test_every_role_holds_what_the_shipped_matrix_says_and_nothing_else() -> None:
    rules = shipped_matrix().rules
    for role in Role:
        held = holdings_of(rules, frozenset({str(role)}))
        assert held.everywhere == PERMISSIONS[role]
        assert held.somewhere == frozenset()
        for permission in held.everywhere & ALWAYS_SECOND:
            terms = held.terms_of(permission)
            assert terms is not None
            assert terms.second


def test_nobody_holds_anything_without_a_role_or_with_one_that_is_not_known() -> None:
    rules = shipped_matrix().rules
    for roles in (frozenset[str](), frozenset({"root"}), frozenset({"worker"})):
        assert holdings_of(rules, roles).terms == {}


def test_managing_users_takes_every_key_giving_permission_away() -> None:
    held = holdings_of(shipped_matrix().rules, frozenset({"administrator", "shift_leader"}))
    assert Permission.KEYS_CUSTODY_CHANGE not in held.everywhere
    assert Permission.GRANTS_REQUEST_APPROVE not in held.everywhere
    assert Permission.KEYS_KEY_BLOCK in held.everywhere  # taking away stays possible


def test_in_its_unit_the_easier_row_counts_and_elsewhere_the_harder_one() -> None:
    permission = Permission.GRANTS_REQUEST_APPROVE
    rows = [
        ActRow("hse", str(permission), second_person=True, reason=True),
        ActRow("hse", str(permission), "unit:CDU"),
    ]
    held = holdings_of(make_rules(rows, ACTIONS), frozenset({"hse"}))
    assert held.terms_of(permission, Place("CDU")) == Terms()
    assert held.terms_of(permission, Place("FCC")) == Terms(second=True, reason=True)
    assert held.terms_of(permission) == Terms(second=True, reason=True)
