"""People, companies, contracts, qualifications, roles and duties; where they come from and what is true of them."""

from .boundaries import BoundaryLoop
from .companies import find_company, get_company, list_companies
from .days import end_of_day, parse_end, parse_start, start_of_day
from .duties import Duty
from .facts import people_on_duty, person_facts, persons_changed_by_clock, persons_of_company
from .qualifications import Qualification
from .service import Identity
from .types import (
    IAM,
    LOCAL_SOURCE,
    PERSONNEL_NO,
    Act,
    Boundary,
    Company,
    ContractTerms,
    DutyOn,
    PersonFacts,
    PersonStatement,
    Profile,
    StatementResult,
)

__all__ = [
    "IAM",
    "LOCAL_SOURCE",
    "PERSONNEL_NO",
    "Act",
    "Boundary",
    "BoundaryLoop",
    "Company",
    "ContractTerms",
    "Duty",
    "DutyOn",
    "Identity",
    "PersonFacts",
    "PersonStatement",
    "Profile",
    "Qualification",
    "StatementResult",
    "end_of_day",
    "find_company",
    "get_company",
    "list_companies",
    "parse_end",
    "parse_start",
    "people_on_duty",
    "person_facts",
    "persons_changed_by_clock",
    "persons_of_company",
    "start_of_day",
]
