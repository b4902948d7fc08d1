"""The firms that people come from."""

from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CompanyId, new_id
from key2xs.ledger import Entry

from .desk import SQL, Desk
from .types import Act, Company

LONGEST_REF = 100  # characters; supplier numbers have about ten


def fold(ref: str) -> str:
    """Return the form company codes are compared by."""
    return ref.strip().casefold()


async def find_company(tx: Connection, ref: str) -> Company | None:
    """Return a company by its code, or None."""
    row = await tx.fetchrow(SQL["find_company"], fold(ref))
    return Company(CompanyId(row["id"]), row["ref"], row["name"]) if row else None


async def get_company(tx: Connection, company_id: CompanyId) -> Company | None:
    """Return a company by id, or None."""
    row = await tx.fetchrow(SQL["get_company"], company_id)
    return Company(CompanyId(row["id"]), row["ref"], row["name"]) if row else None


async def list_companies(tx: Connection) -> list[Company]:
    """Return all companies by code."""
    return [
        Company(CompanyId(row["id"]), row["ref"], row["name"])
        for row in await tx.fetch(SQL["list_companies"])
    ]


async def put_company(
    tx: Connection, desk: Desk, act: Act, ref: str, name: str
) -> tuple[CompanyId, int | None]:
    """Make a company, or give it another name; the entry is None when it is already so.

    Raises:
        InvalidInput: code or name is empty or too long.
    """
    for field, value in (("ref", ref), ("name", name)):
        if not 0 < len(value.strip()) <= LONGEST_REF:
            raise InvalidInput(field, f"must have 1 to {LONGEST_REF} characters", record=f"company {ref}")
    known = await find_company(tx, ref)
    if known is not None and known.name == name:
        return known.id, None
    company_id = known.id if known else CompanyId(new_id())
    subject = f"company:{company_id}"
    entry = await desk.ledger.record(
        tx,
        Entry(
            kind="identity:company:change" if known else "identity:company:create",
            occurred_at=act.at,
            recorded_at=act.recorded_at,
            actor=act.actor,
            subjects=(subject,),
            heads=(subject,),
            body={"ref": ref, "name": name},
        ),
    )
    if known:
        await tx.execute(SQL["rename_company"], company_id, name, entry)
    else:
        await tx.execute(SQL["insert_company"], company_id, ref, fold(ref), name, entry)
    return company_id, entry
