"""Between a SCIM user and what the identity room understands of it. Pure, but for the company's id."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from scim2_models import InvalidValueException

from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CompanyId
from key2xs.identity.days import parse_end, parse_start
from key2xs.identity.types import ContractTerms, PersonStatement, Profile

from .schemas import ENTERPRISE, KEY2XS

_NOT_KEPT: Final = frozenset({"id", "meta", "groups", "password"})
"""`id` and `meta` are columns, `groups` follows from the groups, and a password is nothing we want."""

Document = dict[str, Any]


def document_of(resource: Any) -> Document:
    """Return what is kept of a SCIM user, as it is sealed."""
    dumped: Document = resource.model_dump()
    return {name: value for name, value in dumped.items() if name not in _NOT_KEPT}


def company_ref(document: Document) -> str | None:
    """Return the company's code that a user names."""
    return _text((document.get(KEY2XS) or {}).get("company"))


def statement_of(
    document: Document, source: str, zone: ZoneInfo, company: CompanyId | None
) -> PersonStatement:
    """Return what a SCIM user says about a person.

    Raises:
        InvalidValueException: a contract date cannot be read; names it.
    """
    name = document.get("name") or {}
    extension = document.get(KEY2XS) or {}
    return PersonStatement(
        source=source,
        profile=Profile(
            display_name=_text(document.get("displayName")) or _text(name.get("formatted")),
            given_name=_text(name.get("givenName")),
            family_name=_text(name.get("familyName")),
            email=_first_value(document.get("emails")),
            phone=_first_value(document.get("phoneNumbers")),
            user_name=_text(document.get("userName")),
            sponsor=_text(extension.get("sponsor")),
        ),
        active=document.get("active"),
        contract=_terms(extension, zone, company),
        external_id=_text(document.get("externalId")),
        personnel_no=_text((document.get(ENTERPRISE) or {}).get("employeeNumber")),
    )


def emails_of(document: Document) -> list[str]:
    """Return all mail addresses of a user."""
    return [value for each in document.get("emails") or [] if (value := _text(each.get("value")))]


def _terms(extension: Document, zone: ZoneInfo, company: CompanyId | None) -> ContractTerms:
    start, end = _text(extension.get("contractStart")), _text(extension.get("contractEnd"))
    try:
        starts_at = parse_start(start, zone, field=f"{KEY2XS}:contractStart") if start else None
        ends_at = parse_end(end, zone, field=f"{KEY2XS}:contractEnd") if end else None
    except InvalidInput as error:
        raise InvalidValueException(detail=str(error)) from error
    return ContractTerms(
        company=company, starts_at=starts_at, ends_at=ends_at, open_ended=end is not None and ends_at is None
    )


def _first_value(values: list[Document] | None) -> str | None:
    """Return the primary value, else the one for work, else the first."""
    ranked = sorted(values or [], key=lambda each: (not each.get("primary"), each.get("type") != "work"))
    return next((text for each in ranked if (text := _text(each.get("value")))), None)


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
