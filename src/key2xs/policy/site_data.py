"""The site's own tables that go with its policies: what each kind of work and each criticality asks for.

A TOML text beside the `.cedar` files, part of the bundle's hash:

    [permit_types.hot_work]
    needs_gas = true          # a valid gas test whatever the permit says
    needs_isolation = false
    qualifications = ["VCA_VOL"]

    [criticality.4]
    qualifications = ["SITE_INDUCTION"]

The tables can only add conditions. A permit type that is not listed is not known, and a permit of a type that is
not known opens nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from re import compile as re_compile
from tomllib import TOMLDecodeError, loads
from typing import Any, Final

from key2xs.core.errors import Key2XSError

CODE: Final = re_compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
CRITICALITIES: Final = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class PermitType:
    """What every permit of one type needs, besides what the permit itself asks for."""

    needs_gas: bool
    needs_isolation: bool
    qualifications: frozenset[str]


@dataclass(frozen=True, slots=True)
class SiteData:
    """The parsed tables."""

    permit_types: Mapping[str, PermitType]
    qualifications_by_criticality: Mapping[int, frozenset[str]]


class SiteDataInvalid(Key2XSError):
    """The site data cannot be used; `problems` says why, one sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def parse_site_data(text: str) -> SiteData:
    """Read the tables strictly: an unknown table, field or type is a mistake, not a comment.

    Raises:
        SiteDataInvalid: not TOML, or not these tables.
    """
    try:
        document = loads(text)
    except TOMLDecodeError as error:
        raise SiteDataInvalid((f"not TOML: {error}",)) from error
    problems: list[str] = [
        f"unknown table {name}" for name in document if name not in ("permit_types", "criticality")
    ]
    types = {
        name: _permit_type(name, fields, problems)
        for name, fields in _table(document, "permit_types", problems).items()
    }
    by_criticality = {
        int(level): _codes(f"criticality.{level}", _only(fields, "criticality." + level, problems), problems)
        for level, fields in _table(document, "criticality", problems).items()
        if _is_level(level, problems)
    }
    if problems:
        raise SiteDataInvalid(tuple(problems))
    return SiteData(types, by_criticality)


def _table(document: Mapping[str, Any], name: str, problems: list[str]) -> Mapping[str, Any]:
    table = document.get(name)
    if not isinstance(table, dict):
        problems.append(f"the table {name} is missing")
        return {}
    return table


def _permit_type(name: str, fields: Any, problems: list[str]) -> PermitType:
    where = f"permit_types.{name}"
    if not CODE.fullmatch(name):
        problems.append(f"{where}: a permit type is letters, digits, _ . and -")
    fields = _only(fields, where, problems, "needs_gas", "needs_isolation")
    problems.extend(
        f"{where}.{flag} must be true or false"
        for flag in ("needs_gas", "needs_isolation")
        if not isinstance(fields.get(flag), bool)
    )
    return PermitType(
        needs_gas=fields.get("needs_gas") is not False,
        needs_isolation=fields.get("needs_isolation") is not False,
        qualifications=_codes(where, fields, problems),
    )


def _only(fields: Any, where: str, problems: list[str], *allowed: str) -> Mapping[str, Any]:
    if not isinstance(fields, dict):
        problems.append(f"{where} must be a table")
        return {}
    problems.extend(
        f"{where}.{name} is not a known field" for name in fields if name not in (*allowed, "qualifications")
    )
    return fields


def _codes(where: str, fields: Mapping[str, Any], problems: list[str]) -> frozenset[str]:
    codes = fields.get("qualifications")
    if not isinstance(codes, list) or not all(isinstance(c, str) and CODE.fullmatch(c) for c in codes):
        problems.append(f"{where}.qualifications must be a list of codes (letters, digits, _ . and -)")
        return frozenset()
    return frozenset(codes)


def _is_level(level: str, problems: list[str]) -> bool:
    if level in map(str, CRITICALITIES):
        return True
    problems.append(f"criticality.{level}: criticality is 1 to 4")
    return False
