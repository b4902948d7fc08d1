"""The matrix as site data: what ships is what is documented, and what cannot stand is refused by its row."""

import re
from pathlib import Path

import pytest

from key2xs.access import PERMISSIONS, Permission, Role, parse_matrix, shipped_matrix
from key2xs.access.matrix import COLUMNS, conflicts_of, differences
from key2xs.access.permissions import ALWAYS_SECOND, BUILT_IN_SECOND, GIVES_KEYS, ONLY_LOOKS
from key2xs.core.errors import InvalidInput
from key2xs.policy.acts import check_rules

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "authority.md"
HEAD = ",".join(COLUMNS)
SHIPPED = shipped_matrix()
DOCUMENTED = re.compile(r"^\| `([a-z:]+)` \| (.+?) \| (.*?) \|$", re.MULTILINE)


def with_row(row: str) -> str:
    return f"{SHIPPED.text}{row}\n"


def test_what_ships_is_what_is_documented_role_by_role() -> None:
    documented = {}
    for permission, roles, needs in DOCUMENTED.findall(PAGE.read_text(encoding="utf-8")):
        for role in roles.split(", "):
            name, _, mark = role.partition(" ")
            documented[name, permission] = ("second person" in needs or mark == "(2)", "reason" in needs)
    shipped = {(row.role, row.permission): (row.second_person, row.reason) for row in SHIPPED.rows}
    assert documented == shipped


def test_what_ships_is_valid_and_reads_back_as_it_was_written() -> None:
    assert check_rules(SHIPPED.rules) == []
    again = parse_matrix(SHIPPED.text)
    assert again == SHIPPED
    assert again.hash == SHIPPED.hash
    assert differences(SHIPPED, again) == []


def test_the_sets_that_guardrails_rest_on_hold_together() -> None:
    assert not ONLY_LOOKS & (GIVES_KEYS | BUILT_IN_SECOND | ALWAYS_SECOND)
    assert not BUILT_IN_SECOND & ALWAYS_SECOND
    assert not PERMISSIONS[Role.ADMINISTRATOR] & GIVES_KEYS
    assert PERMISSIONS[Role.WORKER] == frozenset()


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("root,keys:key:read,all,no,no", "role"),
        ("soc,keys:key:melt,all,no,no", "permission"),
        ("soc,plant:file:import,everywhere,no,no", "scope"),
        ('soc,plant:file:import,"unit:A"")",no,no', "scope"),
        ("soc,plant:file:import,unit:CDU,no,no", "scope"),  # nothing asks there for the unit
        ("soc,plant:file:import,all,perhaps,no", "second_person"),
        ("soc,plant:file:import,all,no,", "reason"),
        ("soc,plant:file:import,all,no", "matrix"),
        ("soc,keys:key:block,all,no,no", "scope"),  # stands there already
        ("soc,plant:zone:switch,all,no,no", "second_person"),  # built in
        ("soc,identity:person:erase,all,no,yes", "second_person"),  # always
        ("hse,ledger:log:export,all,yes,no", "permission"),  # only looks
        ("worker,keys:key:read,all,no,no", "role"),
        ("administrator,keys:custody:change,all,no,no", "role"),
        ("key_desk,access:user:manage,all,no,no", "role"),
    ],
)
def test_a_row_that_cannot_stand_is_refused_and_named(row: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_matrix(with_row(row))
    assert refused.value.field == field
    assert refused.value.record or field == "matrix"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "role,permission\n",
        '"',
        HEAD + "\n",
        HEAD.upper() + "\n",
        "x" * 300_000,
        HEAD + "\n" + "a,b,c,d,e\n" * 2001,
    ],
)
def test_what_is_no_matrix_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_matrix(text)


@pytest.mark.parametrize("permission", [Permission.ACCESS_USER_MANAGE, Permission.ACCESS_MATRIX_CHANGE])
def test_a_matrix_that_nobody_could_change_again_is_refused(permission: Permission) -> None:
    lines = [line for line in SHIPPED.text.splitlines() if f",{permission}," not in line]
    with pytest.raises(InvalidInput, match="never be changed again"):
        parse_matrix("\n".join(lines))


def test_a_good_row_is_taken_in_any_order_and_with_a_byte_order_mark() -> None:
    new = parse_matrix("\ufeff" + with_row("hse,grants:request:approve,unit:CDU,no,yes"))
    (change,) = differences(SHIPPED, new)
    assert (change.role, change.scope, change.before, change.after) == ("hse", "unit:CDU", None, "reason")
    shuffled = SHIPPED.text.splitlines()
    assert parse_matrix("\n".join([shuffled[0], *reversed(shuffled[1:])])).hash == SHIPPED.hash


def test_roles_that_are_never_one_persons_are_known() -> None:
    rules = SHIPPED.rules
    assert conflicts_of(["administrator", "key_desk"], rules)
    assert conflicts_of(["contractor_coordinator", "permit_issuer"], rules)
    assert conflicts_of(["administrator", "auditor"], rules) is None
    assert conflicts_of(["shift_leader", "permit_issuer"], rules) is None
