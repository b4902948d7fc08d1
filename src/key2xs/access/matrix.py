"""The authority matrix: which role may do what, where, with whom and on which word. Site data, kept as CSV.

The matrix decides through the policy engine (`policy.acts`): each row is a permit, behind guardrails that no matrix
can drop. What a matrix may not say is refused here, naming the row.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from key2xs.core.errors import InvalidInput
from key2xs.policy.acts import ActRow, ActRules, make_rules

from .permissions import (
    ALWAYS_SECOND,
    ASKS_REASON,
    BUILT_IN_SECOND,
    BY_UNIT,
    GIVES_KEYS,
    MANAGES_USERS,
    ONLY_LOOKS,
    PERMISSIONS,
    SECOND_FOR,
    Permission,
    Role,
)

COLUMNS: Final = ("role", "permission", "scope", "second_person", "reason")
MOST_ROWS: Final = 2000  # eleven roles by fifty permissions, some of them by unit
_MOST_CHARACTERS: Final = 256 * 1024
_SCOPE: Final = re.compile(r"all|(?:unit|area):[A-Za-z0-9][A-Za-z0-9 ._/-]{0,59}")
_YES_NO: Final = {"yes": True, "no": False}
_APART: Final = ((Role.CONTRACTOR_COORDINATOR, Role.PERMIT_ISSUER),)
"""Roles that one user never has together: whoever adds workers does not issue their permits."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A checked matrix. `text` is its one canonical form; `version` 0 is the one that ships."""

    rows: tuple[ActRow, ...]
    text: str
    rules: ActRules
    version: int = 0

    @property
    def hash(self) -> str:
        """What the matrix is known by: equal for equal rows behind the same guardrails."""
        return self.rules.hash


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two matrices. `before` or `after` None: the row is new, or gone."""

    role: str
    permission: str
    scope: str
    before: str | None
    after: str | None


def parse_matrix(text: str, *, version: int = 0) -> Matrix:
    """Read a matrix from CSV.

    Raises:
        InvalidInput: names the row and what is wrong with it.
    """
    if len(text) > _MOST_CHARACTERS:
        raise InvalidInput("matrix", f"has more than {_MOST_CHARACTERS} characters")
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        lines = [[cell.strip() for cell in line] for line in reader if any(cell.strip() for cell in line)]
    except csv.Error as error:
        raise InvalidInput("matrix", f"is no CSV: {error}", record=f"line {reader.line_num}") from error
    if not lines or tuple(lines[0]) != COLUMNS:
        raise InvalidInput("matrix", f"the first line must be {','.join(COLUMNS)}", record="line 1")
    if len(lines) - 1 > MOST_ROWS:
        raise InvalidInput("matrix", f"has more than {MOST_ROWS} rows")
    rows = [_row(line, f"row {number}") for number, line in enumerate(lines[1:], start=2)]
    return make_matrix(rows, version=version)


def make_matrix(rows: Iterable[ActRow], *, version: int = 0) -> Matrix:
    """Check rows as one matrix.

    Raises:
        InvalidInput: the rows do not stand together.
    """
    ordered = sorted(rows)
    seen: set[tuple[str, str, str]] = set()
    for row in ordered:
        name = (row.role, row.permission, row.scope)
        if name in seen:
            raise InvalidInput("scope", "stands twice", record=_named(row))
        seen.add(name)
    _check_together(ordered)
    rules = make_rules(ordered, {str(each): groups_of(each) for each in Permission})
    return Matrix(tuple(ordered), matrix_text(ordered), rules, version)


def matrix_text(rows: Iterable[ActRow]) -> str:
    """Write rows as CSV, in their order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow((row.role, row.permission, row.scope, _word(row.second_person), _word(row.reason)))
    return out.getvalue()


def differences(old: Matrix, new: Matrix) -> list[Change]:
    """Return what a change of the matrix changes, in order."""
    before, after = ({(r.role, r.permission, r.scope): _terms(r) for r in each.rows} for each in (old, new))
    return [
        Change(*name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


@cache
def shipped_matrix() -> Matrix:
    """Return the matrix a new site starts with."""
    return make_matrix(
        ActRow(
            str(role),
            str(permission),
            "all",
            second_person=permission in BUILT_IN_SECOND | ALWAYS_SECOND or (role, permission) in SECOND_FOR,
            reason=permission in ASKS_REASON,
        )
        for role, permissions in PERMISSIONS.items()
        for permission in permissions
    )


def groups_of(permission: Permission) -> list[str]:
    """Return the groups of actions that the guardrails know a permission by."""
    groups = {
        "gives_keys": GIVES_KEYS,
        "manages_users": MANAGES_USERS,
        "two_people": BUILT_IN_SECOND | ALWAYS_SECOND,
    }
    return [name for name, members in groups.items() if permission in members]


def conflicts_of(roles: Iterable[str], rules: ActRules) -> str | None:
    """Say why one user may not have these roles together; None when they may."""
    held = set(roles)
    for one, other in _APART:
        if {str(one), str(other)} <= held:
            return f"{one} and {other} are never one person"
    managing = held & rules.administering
    giving = {row.role for row in rules.rows if row.permission in GIVES_KEYS} & held
    if managing and giving:
        return f"{min(managing)} manages users, {min(giving)} gives keys or access: never one person"
    return None


def _row(line: Sequence[str], record: str) -> ActRow:
    if len(line) != len(COLUMNS):
        raise InvalidInput("matrix", f"needs {len(COLUMNS)} columns", record=record)
    role, permission, scope, second, reason = line
    if role not in set(Role):
        raise InvalidInput("role", f"must be one of {', '.join(Role)}", record=record)
    if permission not in set(Permission):
        raise InvalidInput("permission", f"there is no {permission[:80]!r}", record=record)
    if not _SCOPE.fullmatch(scope):
        raise InvalidInput("scope", "must be all, unit:<code> or area:<code>", record=record)
    for name, word in (("second_person", second), ("reason", reason)):
        if word not in _YES_NO:
            raise InvalidInput(name, "must be yes or no", record=record)
    made = ActRow(role, permission, scope, _YES_NO[second], _YES_NO[reason])
    _check_row(made, record)
    return made


def _check_row(row: ActRow, record: str) -> None:
    permission = Permission(row.permission)
    if row.role == Role.WORKER:
        raise InvalidInput("role", "a worker opens the page about himself and nothing else", record=record)
    if permission in BUILT_IN_SECOND | ALWAYS_SECOND and not row.second_person:
        raise InvalidInput("second_person", f"{permission} always takes a second person", record=record)
    if permission in ONLY_LOOKS and (row.second_person or row.reason):
        raise InvalidInput(
            "permission", f"{permission} only looks; nothing can be asked first", record=record
        )
    if permission not in BY_UNIT and row.scope != "all":
        listed = ", ".join(sorted(BY_UNIT))
        raise InvalidInput("scope", f"only {listed} can be limited to a unit or area", record=record)


def _check_together(rows: Sequence[ActRow]) -> None:
    holding: dict[str, set[str]] = {}
    for row in rows:
        _check_row(row, _named(row))
        holding.setdefault(row.role, set()).add(row.permission)
    for role, held in holding.items():
        both = sorted(held & GIVES_KEYS)
        if held & MANAGES_USERS and both:
            problem = f"manages users and would give keys by {both[0]}; never one role"
            raise InvalidInput("role", problem, record=role)
    for permission in (Permission.ACCESS_USER_MANAGE, Permission.ACCESS_MATRIX_CHANGE):
        if not any(permission in held for held in holding.values()):
            raise InvalidInput("matrix", f"nobody would have {permission}: it could never be changed again")


def _named(row: ActRow) -> str:
    return f"{row.role}, {row.permission}, {row.scope}"


def _terms(row: ActRow) -> str:
    extra = [
        word for word, needed in (("second person", row.second_person), ("reason", row.reason)) if needed
    ]
    return " and ".join(extra) or "alone"


def _word(value: bool) -> str:  # noqa: FBT001 - written as a word
    return "yes" if value else "no"
