"""A permit on paper as it is typed into a form: numbers of people, stamps of locks, the site's own time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from key2xs.access import Principal, Proposal
from key2xs.api.papering import CrewIn, GasIn, IsolationIn, NewPaper, propose_paper
from key2xs.api.web import Web
from key2xs.console.times import read_local
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.work.checks import PERMIT_TYPES

from .asking import find_person

TYPES: Final = tuple(sorted(PERMIT_TYPES))
_BETWEEN: Final = re.compile(r"[\s,;]+")
_LONGEST: Final = 500


@dataclass(frozen=True, slots=True)
class Typed:
    """The form as it was typed; shown again where something stands against it."""

    number: str = ""
    stands_for: str = ""
    type: str = "cold_work"
    area: str = ""
    locks: str = ""
    issuing: str = ""
    performing: str = ""
    crew: str = ""
    attendant: str = ""
    until: str = ""
    certificate: str = ""
    lock_numbers: str = ""
    proven_by: str = ""
    gas_at: str = ""
    gas_until: str = ""
    gas_result: str = ""
    tested_by: str = ""
    reason: str = ""


def read_typed(form: Mapping[str, str]) -> Typed:
    """Read the form; what is too long is cut."""
    return Typed(**{each.name: form.get(each.name, "")[:_LONGEST] for each in fields(Typed)})


async def propose_typed(tx: Connection, web: Web, caller: Principal, typed: Typed) -> Proposal:
    """Check what was typed and put it to a second person.

    Raises:
        InvalidInput: names the field and what is wrong with it.
        NotAllowed: the account is no person.
    """
    until = _at(web, typed.until, "valid_to")
    crew = [CrewIn(await _who(tx, web, who, "crew"), "worker") for who in _BETWEEN.split(typed.crew) if who]
    if typed.attendant:
        crew.append(CrewIn(await _who(tx, web, typed.attendant, "attendant"), "confined_space_attendant"))
    said = NewPaper(
        number=typed.number,
        stands_for=typed.stands_for,
        type=typed.type,
        area=typed.area,
        issuing=await _who(tx, web, typed.issuing, "issuing"),
        performing=await _who(tx, web, typed.performing, "performing"),
        valid_to=until,
        reason=typed.reason,
        locks=[name for name in _BETWEEN.split(typed.locks) if name],
        crew=crew,
        isolation=await _isolation(tx, web, typed),
        gas=await _gas(tx, web, typed),
    )
    return await propose_paper(tx, web, caller, said)


async def _isolation(tx: Connection, web: Web, typed: Typed) -> IsolationIn | None:
    if not typed.certificate:
        return None
    by = await _who(tx, web, typed.proven_by, "proven_by") if typed.proven_by else None
    numbers = [each for each in _BETWEEN.split(typed.lock_numbers) if each]
    return IsolationIn(typed.certificate, numbers, by)


async def _gas(tx: Connection, web: Web, typed: Typed) -> GasIn | None:
    if not typed.gas_at and not typed.gas_result:
        return None
    if typed.gas_result not in {"safe", "unsafe"}:
        raise InvalidInput("gas_result", "say whether the gas test was safe")
    by = await _who(tx, web, typed.tested_by, "tested_by") if typed.tested_by else None
    result = "safe" if typed.gas_result == "safe" else "unsafe"
    return GasIn(_at(web, typed.gas_at, "gas_at"), _at(web, typed.gas_until, "gas_until"), result, by)  # type: ignore[arg-type]


def _at(web: Web, text: str, field: str) -> datetime:
    at = read_local(text, web.services.settings.zone)
    if at is None:
        raise InvalidInput(field, "give the day and the time")
    return at


async def _who(tx: Connection, web: Web, who: str, field: str) -> str:
    if not who:
        raise InvalidInput(field, "is missing: give their number")
    try:
        return str(await find_person(tx, web, who))
    except InvalidInput as error:
        raise InvalidInput(field, error.problem) from error
