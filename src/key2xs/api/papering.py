"""Permits on paper and declarations that a permit system is down, as they come in and as a second person confirms them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec

from key2xs.access import Principal, Proposal
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from key2xs.core.ids import PersonId
from key2xs.plant import get_cylinder
from key2xs.work import PaperForm, PaperGas, PaperIsolation, PaperMember, declare_down
from key2xs.work.paper_checks import check_source
from key2xs.work.payload import AssetRef

from .auth import require_person
from .explaining import find_person
from .web import Web

PAPER_PERMIT: Final = "paper_permit"
SOURCE_DOWN: Final = "source_down"
KINDS: Final = frozenset({PAPER_PERMIT, SOURCE_DOWN})
_MOST: Final = 60

Who = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class CrewIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who works under the sheet: an id, or `scheme:reference`."""

    person: Who
    role: Word = "performing_authority"


class AssetIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plant item under the code of a scheme."""

    id: Word
    scheme: Word = "sap_floc"


class IsolationIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The isolation as the sheet states it."""

    certificate: Word
    locks: Annotated[list[Word], msgspec.Meta(max_length=_MOST)] = msgspec.field(default_factory=list)
    proven_by: Who | None = None
    proven_at: datetime | None = None


class GasIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gas test as the sheet states it."""

    at: datetime
    valid_to: datetime
    result: Literal["safe", "unsafe"]
    tested_by: Who | None = None


class NewPaper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit on paper, with the number printed on its sheet. People: an id, or `scheme:reference`."""

    number: Annotated[str, msgspec.Meta(max_length=40)]
    stands_for: Word
    type: Word
    area: Word
    issuing: Who
    performing: Who
    valid_to: datetime
    reason: Reason
    valid_from: datetime | None = None
    unit: Word | None = None
    order: Word | None = None
    locks: Annotated[list[Word], msgspec.Meta(max_length=_MOST)] = msgspec.field(default_factory=list)
    assets: Annotated[list[AssetIn], msgspec.Meta(max_length=_MOST)] = msgspec.field(default_factory=list)
    crew: Annotated[list[CrewIn], msgspec.Meta(max_length=_MOST)] = msgspec.field(default_factory=list)
    isolation: IsolationIn | None = None
    gas: GasIn | None = None


async def propose_paper(tx: Connection, web: Web, caller: Principal, said: NewPaper) -> Proposal:
    """Check a sheet and put it to a second person.

    Raises:
        InvalidInput: names the field and what is wrong with it.
        NotAllowed: the account is no person.
    """
    require_person(caller)
    form = await read_form(tx, web, said)
    await web.services.paper.check(tx, form, written_by=person_of(caller), at=web.now)
    return await web.access.proposals.propose(
        tx,
        caller,
        PAPER_PERMIT,
        subject=f"work_source:{form.stands_for}",
        payload={"form": msgspec.to_builtins(form)},
        reason=said.reason,
        at=web.now,
    )


async def propose_down(tx: Connection, web: Web, caller: Principal, source: str, *, reason: str) -> Proposal:
    """Propose to count a permit system as down.

    Raises:
        InvalidInput: no such permit system, or no reason.
        NotAllowed: the account is no person.
    """
    require_person(caller)
    check_source(source, [each.name for each in web.services.settings.permits], field="source")
    return await web.access.proposals.propose(
        tx, caller, SOURCE_DOWN, subject=f"work_source:{source}", payload={"source": source}, reason=reason,
        at=web.now,
    )  # fmt: skip


async def carry_out_paper(
    tx: Connection, web: Web, proposal: Proposal, caller: Principal, at: datetime
) -> UUID | None:
    """Do what a second person has confirmed; returns the permit where one was made.

    Raises:
        InvalidInput: something about it is no longer right; names the field.
        NotAllowed: the two are not surely two people.
        Conflict: it is so already.
    """
    proposer = await web.access.users.get(tx, proposal.proposed_by)
    actor = f"user:{proposal.proposed_by}"
    if proposal.kind == SOURCE_DOWN:
        lasts = timedelta(minutes=web.services.settings.continuity.declared_down_minutes)
        await declare_down(
            tx, web.services.desk, proposal.payload["source"], reason=proposal.reason, declared_by=actor,
            confirmed_by=caller.actor, lasts=lasts, at=at,
        )  # fmt: skip
        return None
    if proposer.person_id is None:
        raise NotAllowed("the account that wrote it is not linked to a person")
    return await web.services.paper.issue(
        tx,
        msgspec.convert(proposal.payload["form"], PaperForm),
        reason=proposal.reason,
        written_by=(actor, proposer.person_id),
        confirmed_by=(caller.actor, person_of(caller)),
        at=at,
    )


async def read_form(tx: Connection, web: Web, said: NewPaper) -> PaperForm:
    """Turn what was typed into a sheet: references into people, stamps into locks.

    Raises:
        InvalidInput: somebody or some lock is not known; names the field.
    """
    crew = [
        PaperMember(await _who(tx, web, each.person, f"crew[{place}].person"), each.role)
        for place, each in enumerate(said.crew)
    ]
    locks = [await _lock(tx, name, f"locks[{place}]") for place, name in enumerate(said.locks)]
    return PaperForm(
        number=said.number,
        stands_for=said.stands_for,
        type=said.type,
        area=said.area,
        unit=said.unit,
        order=said.order,
        issuing=await _who(tx, web, said.issuing, "issuing"),
        performing=await _who(tx, web, said.performing, "performing"),
        valid_from=web.instant(said.valid_from, "valid_from"),
        valid_to=web.instant(said.valid_to, "valid_to"),
        crew=tuple(crew),
        assets=tuple(AssetRef(each.scheme, each.id) for each in said.assets),
        cylinders=tuple(locks),
        isolation=await _isolation(tx, web, said.isolation),
        gas=await _gas(tx, web, said.gas),
    )


async def _isolation(tx: Connection, web: Web, said: IsolationIn | None) -> PaperIsolation | None:
    if said is None:
        return None
    by = await _who(tx, web, said.proven_by, "isolation.proven_by") if said.proven_by else None
    at = web.instant(said.proven_at, "isolation.proven_at") if said.proven_at else None
    return PaperIsolation(said.certificate, tuple(said.locks), by, at)


async def _gas(tx: Connection, web: Web, said: GasIn | None) -> PaperGas | None:
    if said is None:
        return None
    by = await _who(tx, web, said.tested_by, "gas.tested_by") if said.tested_by else None
    at, until = web.instant(said.at, "gas.at"), web.instant(said.valid_to, "gas.valid_to")
    return PaperGas(at, until, said.result, by)


async def _who(tx: Connection, web: Web, name: str, field: str) -> UUID:
    try:
        return await find_person(tx, web, name)
    except NotFound as error:
        raise InvalidInput(field, "is nobody the identity system knows") from error


async def _lock(tx: Connection, name: str, field: str) -> UUID:
    try:
        return (await get_cylinder(tx, name)).id
    except NotFound as error:
        raise InvalidInput(field, f"no lock is called {name}") from error
    except Conflict as error:
        raise InvalidInput(field, f"several locks are called {name}; use the id") from error


def person_of(caller: Principal) -> PersonId:
    """Return who the caller is.

    Raises:
        NotAllowed: the account is no person, or a token.
    """
    person: Any = require_person(caller).person_id
    return PersonId(person)
