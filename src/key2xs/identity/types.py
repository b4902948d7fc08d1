"""The nouns of the identity room."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from key2xs.core.ids import CompanyId, PersonId, UnitId
from key2xs.core.tri import Tri

LOCAL_SOURCE: Final = "key2xs"
"""The source of what people decide in Key2XS itself; it can narrow what every IAM says, never widen it."""

IAM: Final = "iam"
PERSONNEL_NO: Final = "personnel_no"
SITE: Final = "site"

PROFILE_FIELDS: Final = (
    "display_name",
    "given_name",
    "family_name",
    "email",
    "phone",
    "user_name",
    "sponsor",
)


@dataclass(frozen=True, slots=True)
class Act:
    """Who changes something, and when."""

    actor: str
    at: datetime
    """When it became true out there; also when we learnt of it, unless `learnt_at` says otherwise."""
    learnt_at: datetime | None = None

    @property
    def recorded_at(self) -> datetime:
        """When we learnt of it."""
        return self.learnt_at or self.at


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person is called and how to reach them. Personal, all of it; it does not print."""

    display_name: str | None = field(default=None, repr=False)
    given_name: str | None = field(default=None, repr=False)
    family_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    user_name: str | None = field(default=None, repr=False)
    sponsor: str | None = field(default=None, repr=False)
    """Who answers for a visitor or contractor, as the source names them."""


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What a source says about a contract. A part that is None was not said."""

    company: CompanyId | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    open_ended: bool = False
    """True when the source says in words that there is no end (9999-12-31); silence is not that."""

    @property
    def said(self) -> bool:
        """Tell whether the source says anything about a contract."""
        return bool(self.company or self.starts_at or self.ends_at or self.open_ended)


@dataclass(frozen=True, slots=True)
class PersonStatement:
    """All that one source says about one person, at one instant."""

    source: str
    profile: Profile
    active: bool | None
    contract: ContractTerms = ContractTerms()
    external_id: str | None = field(default=None, repr=False)
    """The source's own stable id of the person."""
    personnel_no: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StatementResult:
    """What became of a statement."""

    person_id: PersonId
    entry: int | None
    """The entry of the change, or None when nothing changed."""
    created: bool = False


@dataclass(frozen=True, slots=True)
class DutyOn:
    """A duty that a person has at the asked instant."""

    role: str
    unit_id: UnitId
    until: datetime | None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """Everything a decision reads about a person, true at one instant as known at one entry.

    Several sources: the most restrictive wins, so one *no* makes `active` or `contract` a no. `next_change_at` is
    the next instant after `at` at which one of these facts changes by the clock alone. `heads` are the subjects
    whose change makes them stale.
    """

    person_id: PersonId
    active: Tri
    contract: Tri
    contract_from: datetime | None
    contract_until: datetime | None
    company_id: CompanyId | None
    qualifications: Mapping[str, datetime | None]
    """Kinds valid at the instant, each with its end."""
    roles: frozenset[str]
    duties: tuple[DutyOn, ...]
    next_change_at: datetime | None
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """A firm that sends people."""

    id: CompanyId
    ref: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a SCIM source, and the role that membership gives."""

    source: str
    display_name: str
    role: str
    external_id: str | None
    made_at: datetime
    changed_at: datetime
    entry: int


@dataclass(frozen=True, slots=True)
class Boundary:
    """An instant at which a fact about a person begins or ends by itself."""

    at: datetime
    person_id: PersonId
    kind: str
    """contract, qualification, role or duty."""
    edge: str
    """begin or end."""
    fact: int
    detail: str
