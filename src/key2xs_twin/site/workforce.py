"""Build the people: own staff, shift teams, contractor firms, contracts and qualifications. All invented."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from .model import Company, Person, Qualification, Sizes
from .names import FAMILY_NAMES, FIRM_FIRST, FIRM_TRADES, GIVEN_NAMES
from .rota import TEAMS

OWN = "own"

# Day staff after operators and maintenance; whoever is left over is an engineer.
STAFF = (
    ("permit_issuer", 4),
    ("security_manager", 2),
    ("soc", 2),
    ("auditor", 1),
    ("administrator", 2),
    ("planner", 4),
    ("hse", 4),
)

SHARE_EXPIRED = 0.04  # of the qualifications of contractors: somebody always comes with an old card
FIRMS_BY_FILE = 10  # every tenth firm is not in the identity system; its people come by file

# Years of validity, after the published schemes (B-VCA ten years; gate instruction two; gas testing two; others assumed).
VALID_YEARS = {
    "VCA_BASIC": 10,
    "VCA_VOL": 10,
    "SITE_INDUCTION": 2,
    "GAS_TESTER": 2,
    "INDEPENDENT_BREATHING": 2,
    "LOTO": 3,
    "HV_SWITCHING": 3,
    "CONFINED_SPACE_WATCH": 2,
}
QUALIFICATIONS_OF = {
    "shift_leader": ("VCA_VOL", "LOTO", "GAS_TESTER"),
    "panel_operator": ("VCA_VOL", "LOTO"),
    "field_operator": ("VCA_BASIC", "INDEPENDENT_BREATHING"),
    "isolating_authority": ("VCA_BASIC", "LOTO", "HV_SWITCHING"),
    "gas_tester": ("VCA_BASIC", "GAS_TESTER", "CONFINED_SPACE_WATCH"),
    "maintenance": ("VCA_BASIC", "LOTO"),
    "contractor_supervisor": ("VCA_VOL",),
    "electrician": ("VCA_BASIC", "HV_SWITCHING"),
    "cleaner": ("VCA_BASIC", "CONFINED_SPACE_WATCH"),
    "catalyst_worker": ("VCA_BASIC", "INDEPENDENT_BREATHING"),
}


@dataclass(frozen=True, slots=True)
class Workforce:
    """The result of `build_workforce`."""

    companies: tuple[Company, ...]
    people: tuple[Person, ...]
    qualifications: tuple[Qualification, ...]


def team_functions(sizes: Sizes) -> tuple[str, ...]:
    """The functions on one shift, as many as the size says."""
    specialists = max(1, sizes.units // 8)
    functions = ["shift_leader", *["panel_operator"] * sizes.areas]
    functions += ["isolating_authority", "gas_tester"] * specialists
    return (*functions, *["field_operator"] * (sizes.operators_on_shift - len(functions)))


def build_workforce(sizes: Sizes, rng: random.Random, first_day: date) -> Workforce:
    """Own people first (IAM ids u10001...), then the firms' people."""
    own = _own_people(sizes, rng, first_day)
    sponsors = [person.ref for person in own if person.role in {"permit_issuer", "planner"}]
    companies = [Company(OWN, "Refinery")]
    people = list(own)
    per_firm = _shares(round(sizes.extra_people / 3), sizes.firms)
    for index in range(sizes.firms):
        place, (trade, role) = FIRM_FIRST[index % len(FIRM_FIRST)], FIRM_TRADES[index % len(FIRM_TRADES)]
        number = index // len(FIRM_FIRST)
        name = f"{place} {trade}" if number == 0 else f"{place} {trade} {number + 1}"
        company = Company(f"v{index + 1:03d}", name)
        companies.append(company)
        by_file = index % FIRMS_BY_FILE == FIRMS_BY_FILE - 1
        for place_in_firm in range(per_firm[index]):
            function = "contractor_supervisor" if place_in_firm == 0 else role
            ends = first_day + timedelta(days=rng.randrange(5, 60))
            people.append(
                _person(
                    rng,
                    len(people),
                    function,
                    company=company.ref,
                    scheme="personnel_no" if by_file else "iam",
                    contract=(first_day - timedelta(days=rng.randrange(1, 400)), ends),
                    sponsor=rng.choice(sponsors),
                )
            )
    qualifications = tuple(q for person in people for q in _qualifications(person, rng, first_day))
    return Workforce(tuple(companies), tuple(people), qualifications)


def _own_people(sizes: Sizes, rng: random.Random, first_day: date) -> list[Person]:
    functions = team_functions(sizes)
    places = [(function, team) for team in TEAMS for function in functions]
    places += [("maintenance", "")] * sizes.maintenance
    for role, count in STAFF:
        places += [(role, "")] * count
    places += [("engineer", "")] * (sizes.own_people - len(places))
    return [
        _person(
            rng,
            index,
            role,
            team=team,
            company=OWN,
            scheme="iam",
            contract=(first_day - timedelta(days=rng.randrange(400, 9000)), None),
            sponsor="",
        )
        for index, (role, team) in enumerate(places)
    ]


def _person(
    rng: random.Random,
    index: int,
    role: str,
    *,
    company: str,
    scheme: str,
    contract: tuple[date, date | None],
    sponsor: str,
    team: str = "",
) -> Person:
    # Leading zeros on purpose: personnel numbers come with and without them.
    personnel_no = f"{4100 + index:08d}"
    return Person(
        ref=personnel_no if scheme == "personnel_no" else f"u{10001 + index}",
        scheme=scheme,
        personnel_no=personnel_no,
        given_name=rng.choice(GIVEN_NAMES),
        family_name=rng.choice(FAMILY_NAMES),
        company=company,
        role=role,
        team=team,
        contract_start=contract[0],
        contract_end=contract[1],
        sponsor=sponsor,
    )


def _qualifications(person: Person, rng: random.Random, first_day: date) -> list[Qualification]:
    kinds = ("SITE_INDUCTION", *QUALIFICATIONS_OF.get(person.role, ("VCA_BASIC",)))
    rows = []
    for kind in kinds:
        expired = person.company != OWN and rng.random() < SHARE_EXPIRED
        life = VALID_YEARS[kind] * 365
        left = -rng.randrange(1, 90) if expired else rng.randrange(30, life)
        checked = min(first_day - timedelta(days=rng.randrange(1, 20)), first_day + timedelta(days=left))
        number = f"{kind[:3]}-{rng.randrange(10**6, 10**7)}"
        rows.append(
            Qualification(
                person.scheme,
                person.ref,
                kind,
                number,
                first_day + timedelta(days=left),
                checked,
                "gate-office",
            )
        )
    return rows


def _shares(total: int, parts: int) -> list[int]:
    return [total * (n + 1) // parts - total * n // parts for n in range(parts)]
