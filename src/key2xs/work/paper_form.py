"""A permit on paper: what its sheet says, and the same in the words of `key2xs.ptw.v1`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from key2xs.core.ids import PersonId, new_id

from .payload import (
    SPEC_VERSION,
    TYPE_PREFIX,
    Approval,
    AssetRef,
    Envelope,
    GasTest,
    Instant,
    Isolation,
    IsolationPoint,
    Member,
    Name,
    Permit,
    PermitData,
    PointRef,
    Scope,
    Text,
    Work,
)

PAPER: Final = "paper"
"""The source that permits on paper have; no permit system may be called so."""
CYLINDER: Final = "cylinder"
"""A kind of point that only paper uses: one lock, by our own id."""
_OWN: Final = "person"  # the scheme under which we ourselves name people
ATTENDANT: Final = "confined_space_attendant"
_PEOPLE: Final = 60
_PLACES: Final = 60


class PaperMember(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who signed the sheet to work under it."""

    person: UUID
    role: Name = "performing_authority"
    signed_off: Instant | None = None


class PaperIsolation(Struct, frozen=True, forbid_unknown_fields=True):
    """The isolation as the sheet states it: a certificate, the numbers of the locks, who proved it."""

    certificate: Name
    locks: Annotated[tuple[Name, ...], Meta(max_length=_PLACES)] = ()
    proven_by: UUID | None = None
    proven_at: Instant | None = None


class PaperGas(Struct, frozen=True, forbid_unknown_fields=True):
    """The gas test as the sheet states it."""

    at: Instant
    valid_to: Instant
    result: Literal["safe", "unsafe"]
    tested_by: UUID | None = None


class PaperForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The sheet. People are our own ids, so that nothing personal stands in it."""

    number: Annotated[str, Meta(max_length=40)]
    stands_for: Name
    type: Name
    area: Name
    issuing: UUID
    performing: UUID
    valid_from: Instant
    valid_to: Instant
    unit: Name | None = None
    order: Name | None = None
    crew: Annotated[tuple[PaperMember, ...], Meta(max_length=_PEOPLE)] = ()
    assets: Annotated[tuple[AssetRef, ...], Meta(max_length=_PLACES)] = ()
    cylinders: Annotated[tuple[UUID, ...], Meta(max_length=_PLACES)] = ()
    isolation: PaperIsolation | None = None
    gas: PaperGas | None = None
    performing_signed_off: Instant | None = None

    @property
    def workers(self) -> tuple[PaperMember, ...]:
        """Everybody who works under it, the performing authority first."""
        first = PaperMember(self.performing, "performing_authority", self.performing_signed_off)
        return (first, *self.crew)

    def people(self) -> Iterator[tuple[str, PersonId]]:
        """Everybody the sheet names, with the field they stand in."""
        yield "issuing", PersonId(self.issuing)
        yield "performing", PersonId(self.performing)
        for place, member in enumerate(self.crew):
            yield f"crew[{place}].person", PersonId(member.person)
        if self.isolation and self.isolation.proven_by:
            yield "isolation.proven_by", PersonId(self.isolation.proven_by)
        if self.gas and self.gas.tested_by:
            yield "gas.tested_by", PersonId(self.gas.tested_by)


def number_key(number: str) -> str:
    """Return the form in which numbers of the pad are compared: blanks and case do not tell two apart."""
    return "".join(number.split()).casefold()


def external_id(number: str) -> str:
    """Return what the source *paper* calls a permit."""
    return f"paper-{number_key(number)}"


def event_of(
    form: PaperForm, *, verb: str, state: str, issued_at: datetime, sequence: int, at: datetime
) -> tuple[Envelope, PermitData]:
    """Return the sheet as one event, with the full state in it."""
    data = data_of(form, state=state, issued_at=issued_at)
    event = Envelope(
        specversion=SPEC_VERSION,
        id=str(new_id()),
        source="urn:key2xs:paper",
        type=f"{TYPE_PREFIX}permit.{verb}.v1",
        time=at,
        subject=data.permit.id,
        sequence=sequence,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
    return event, data


def data_of(form: PaperForm, *, state: str, issued_at: datetime) -> PermitData:
    """Return the sheet as the full state of a permit."""
    signers = [("issuing_authority", form.issuing)]
    if form.isolation and form.isolation.proven_by:
        signers.append(("isolation_verifier", form.isolation.proven_by))
    if form.gas and form.gas.tested_by:
        signers.append(("gas_tester", form.gas.tested_by))
    return PermitData(
        permit=Permit(
            id=external_id(form.number),
            number=f"paper {form.number.strip()}",
            revision=1,
            type=form.type,
            state=state,
            native_state=state,
            valid_from=form.valid_from,
            valid_to=form.valid_to,
        ),
        work=Work(system=PAPER, order=form.order or form.number.strip()),
        scope=Scope(
            site=PAPER,
            area=form.area,
            unit=form.unit,
            assets=form.assets,
            points=tuple(PointRef(CYLINDER, str(each)) for each in form.cylinders),
        ),
        people=(
            *(
                Member(str(each.person), _OWN, each.role, signed_on=issued_at, signed_off=each.signed_off)
                for each in form.workers
            ),
            # Signers stand in the list too: it says under which scheme a reference is to be read.
            *(Member(str(person), _OWN, role) for role, person in dict.fromkeys(signers)),
        ),
        isolations=_isolations(form.isolation),
        gas_tests=_gas_tests(form.gas),
        approvals=(Approval("issuing_authority", str(form.issuing), issued_at, "approve"),),
    )


def _isolations(said: PaperIsolation | None) -> tuple[Isolation, ...]:
    if said is None:
        return ()
    by = str(said.proven_by) if said.proven_by else None
    state: Text = "proven" if by else "isolated"
    points = tuple(
        IsolationPoint(
            f"{said.certificate}/{lock}", state, lock_no=lock, verified_by=by, verified_at=said.proven_at
        )
        for lock in said.locks
    )
    return (Isolation(said.certificate, state, points),)


def _gas_tests(said: PaperGas | None) -> tuple[GasTest, ...]:
    if said is None:
        return ()
    return (GasTest(said.at, said.result, said.valid_to, str(said.tested_by) if said.tested_by else None),)
