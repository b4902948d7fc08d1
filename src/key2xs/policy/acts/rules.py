"""A site's matrix as Cedar policies: one `permit` a row, behind the shipped guardrails."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

BASE_ACTIONS: Final = ("gives_keys", "manages_users", "two_people")
"""Groups that an action may belong to; the guardrails speak of them."""


@dataclass(frozen=True, slots=True, order=True)
class ActRow:
    """One row: a role may do this here, if need be with a second person or with a reason.

    `scope` is `all`, `unit:<code>` or `area:<code>`.
    """

    role: str
    permission: str
    scope: str = "all"
    second_person: bool = False
    reason: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ActRules:
    """One set of rules, known and compared by its hash, which covers all of it. Make it with `make_rules`."""

    hash: str
    schema: str
    guardrails: str
    rows: tuple[ActRow, ...]
    administering: frozenset[str]
    """The roles that manage users under these rows."""

    def __eq__(self, other: object) -> bool:
        """Compare by hash."""
        return isinstance(other, ActRules) and other.hash == self.hash

    def __hash__(self) -> int:
        """Hash by hash: rules stand in the keys of caches."""
        return hash(self.hash)


def make_rules(rows: Iterable[ActRow], actions: Mapping[str, Collection[str]]) -> ActRules:
    """Put rows behind the guardrails.

    Args:
        rows: the matrix.
        actions: every permission, with the groups (`BASE_ACTIONS`) it belongs to.
    """
    ordered = tuple(sorted(set(rows)))
    schema = _text("schema.cedarschema") + "".join(
        _action(name, groups) for name, groups in sorted(actions.items())
    )
    managing = {name for name, groups in actions.items() if "manages_users" in groups}
    parts = (schema, _text("guardrails.cedar"), "\n".join(map(policy_of, ordered)))
    return ActRules(
        hash=sha256("\0".join(parts).encode()).hexdigest(),
        schema=schema,
        guardrails=parts[1],
        rows=ordered,
        administering=frozenset(row.role for row in ordered if row.permission in managing),
    )


def policy_of(row: ActRow) -> str:
    """Write a row as a policy."""
    kind, _, code = row.scope.partition(":")
    conditions = [f'principal.roles.contains("{row.role}")']
    if kind in ("unit", "area"):
        conditions.append(f'resource.{kind} == "{code}"')
    if row.second_person:
        conditions.append('(context.second != "none" || context.part == "second")')
    if row.reason:
        # Confirming carries no reason of its own: the one that was given stands.
        conditions.append('(context.reason == "given" || context.part == "second")')
    name = f"matrix.{row.role}.{row.permission.replace(':', '.')}.{row.scope.replace(':', '.')}"
    where = "everywhere" if kind == "all" else f"in {kind} {code}"
    return (
        f'@id("{name}")\n@reason("{row.role.replace("_", " ").capitalize()}, {where}.")\n'
        f'permit (principal, action == Action::"{row.permission}", resource)\n'
        f"when {{ {' && '.join(conditions)} }};\n"
    )


def _action(name: str, groups: Collection[str]) -> str:
    parents = f" in [{', '.join(sorted(groups))}]" if groups else ""
    return f'action "{name}"{parents} appliesTo {{ principal: Account, resource: Place, context: Act }};\n'


@cache
def _text(name: str) -> str:
    return files("key2xs.policy.acts").joinpath(name).read_text(encoding="utf-8")
