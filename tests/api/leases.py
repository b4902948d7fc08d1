"""Grants and keys put in place directly, for tests about acts on them."""

from datetime import timedelta
from typing import Any

from key2xs.core.ids import CylinderId, GrantId, KeyId, PersonId, new_id
from key2xs.grants.store import LeaseStore
from key2xs.grants.types import BasisKey, Verdict, Wish
from key2xs.identity import Act, ContractTerms
from key2xs.keys.port import Inventory, KeyKind, ProgrammingState, VendorKey
from key2xs.policy import Basis, FactWindow
from tests.api.conftest import Site


async def give_grant(
    site: Site, person: PersonId, *, kind: Any = "permit_step", ref: str = "", cylinder: Any = None
) -> GrantId:
    """An active grant of a person over one cylinder, which nothing else knows unless it is given."""
    at = site.clock.now()
    wish = Wish(
        key=BasisKey(person, ref or f"permit:{new_id()}"),
        kind=kind,
        cylinders=frozenset({CylinderId(cylinder or new_id())}),
        starts_at=at,
        ends_at=at + timedelta(hours=8),
        basis_at=at,
        basis=Basis(kind=kind, window=FactWindow(), gas=FactWindow(standing="none"), reference="permit 1"),
        longest=timedelta(hours=8),
        heads=frozenset(),
    )
    verdict = Verdict(wish.cylinders, frozenset(), (), None, "bundle")
    store = LeaseStore(site.services.ledger)
    async with site.services.database.transaction() as tx:
        return await store.insert(tx, wish, verdict, state="active", heads={}, at=at)


async def company_with(site: Site, ref: str, people: int) -> list[PersonId]:
    """A company and people under contract with it."""
    act = Act("system:test", site.clock.now())
    persons = [await site.person(f"{ref}-{n}", ref=f"{ref}-{n}") for n in range(people)]
    async with site.services.database.transaction() as tx:
        company = await site.identity.put_company(tx, act, ref, f"Company {ref}")
        for person in persons:
            terms = ContractTerms(
                company=company, starts_at=act.at - timedelta(days=1), ends_at=act.at + timedelta(days=9)
            )
            await site.identity.set_contract(tx, act, person, terms)
    return persons


async def add_keys(site: Site, *stamps: str) -> dict[str, KeyId]:
    """Keys as a vendor lists them."""
    services, at = site.services, site.clock.now()
    async with services.database.transaction() as tx:
        system = await services.registry.ensure_system(tx, "iloq-main", "iloq", at)
        keys = tuple(VendorKey(f"v-{s}", s, KeyKind.PHONE, ProgrammingState.PLANNING) for s in stamps)
        found = Inventory(keys=keys, locks=(), rights=(), as_of=at, visibility_complete=True)
        await services.registry.take_inventory(tx, system.id, found, at)
        return {stamp: (await services.registry.get_key(tx, stamp)).id for stamp in stamps}


async def states(site: Site) -> list[str]:
    """The states of all grants, in the order they were given."""
    async with site.services.database.read() as tx:
        return [row["state"] for row in await tx.fetch("SELECT state FROM grant_lease ORDER BY id")]
