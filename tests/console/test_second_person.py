"""What needs a second person, on the page *Requests*: who proposes does not confirm, and confirming does it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from key2xs.access import Principal
from key2xs.core.ids import PersonId
from key2xs.grants.bundles import propose_bundle
from key2xs.identity import find_company
from key2xs.keys.types import Target
from key2xs.plant import list_zones
from key2xs.policy import shipped_bundle
from tests.support.database import DatabaseServer

from .client import Browserless
from .conftest import browse
from .showcase import PASSWORD, Showcase, open_showcase


@pytest.fixture(scope="module")
async def pair(
    databases: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Showcase]:
    """A site where two companies work, and a security manager beside the shift leader."""
    with databases.fresh() as dsns:
        async with open_showcase(dsns, tmp_path_factory.mktemp("pair")) as show:
            await show.permit("pumps", "4711", "2210", crew=("u1", "u2"))
            await show.permit("door", "4711", crew=("u3",))
            people = {name: await show.spine.person(name, company="own") for name in ("first", "second")}
            await _account(show, "first", "security_manager", people["first"])
            await _account(show, "second", "security_manager", people["second"])
            await _account(show, "nobody", "security_manager", None)
            await show.pass_time(2 * show.MINUTE)
            yield show


async def test_a_company_is_revoked_after_two_people_looked(pair: Showcase) -> None:
    path = await propose_company(pair, "first", "v017")
    before = await target_of(pair, "1041")
    assert before.grants
    assert before.desired.rights
    async with browse(pair) as first:
        await first.sign_in("first")
        page = await first.page("/requests")
        for said in (
            "End all access of a company", "Rotor & Seal", "breach at the contractor", "2 of 3 under contract",
            "Grants that end 2", "Keys out 2", "in 1 h", "you proposed it, so a second person confirms",
        ):  # fmt: skip
            assert said.replace(" ", "") in page.text.replace(" ", ""), said
        assert ">Confirm<" not in page.html
        assert "Take it back" in page.text
        refused = await first.submit(page, path, decision="confirm")
        assert refused.status_code == 403
        assert "Whoever proposes does not confirm; ask a second person." in refused.text
        now = (await first.page("/")).text
        assert "1 decision waiting" in now
        assert "breach at the contractor" in now
    assert "ended" not in await pair.spine.states()
    async with browse(pair) as second:
        await second.sign_in("leader")
        page = await second.page("/requests")
        assert ">Confirm<" in page.html
        forged = await second.post(path, {"decision": "confirm"})
        assert forged.status_code == 403, "no token"
        assert "ended" not in await pair.spine.states()
        done = await second.submit(page, path, decision="confirm")
        assert (done.status_code, done.headers["location"]) == (303, "/requests?done=confirmed")
        # Those who are at work are told through the shift leader first (S5); after that it proceeds.
        await pair.pass_time(3 * pair.MINUTE)
        assert sorted(await pair.spine.states()) == ["active", "ended", "ended"], "the other company works on"
        after = await target_of(pair, "1041")
        assert after.grants == ()
        assert after.desired.rights == frozenset(), "narrowed as it proceeded"
        assert (await target_of(pair, "1043")).grants != ()
        again = await second.submit(page, path, decision="confirm")
        assert again.status_code == 409
        assert "The proposal is confirmed already." in again.text
        assert path not in (await second.page("/requests")).forms
        assert "0 decisions waiting" in (await second.page("/")).text


@pytest.mark.parametrize(
    ("login", "why"),
    [
        ("issuer", "your role looks on; shift leaders and security managers confirm"),
        ("auditor", "your role looks on"),
        ("nobody", "your account is not linked to a person"),
    ],
)
async def test_who_is_no_second_person_is_told_why(pair: Showcase, login: str, why: str) -> None:
    path = await propose_company(pair, "first", "v022")
    kept = await pair.spine.states()
    async with browse(pair) as client:
        await client.sign_in(login)
        page = await client.page("/requests")
        assert why in page.text
        assert ">Confirm<" not in page.html
        token = page.forms["/sign-out"]["csrf_token"]
        answer = await client.post(path, {"decision": "confirm", "csrf_token": token})
        assert answer.status_code == 403
    assert await pair.spine.states() == kept
    await take_back(pair, "first", path)


async def test_a_proposal_is_refused_by_another_and_taken_back_by_its_own(pair: Showcase) -> None:
    path = await propose_company(pair, "first", "v022")
    async with browse(pair) as second:
        await second.sign_in("leader")
        page = await second.page("/requests")
        odd = await second.submit(page, path, decision="perhaps")
        assert "Use one of the buttons." in odd.text
        without = await second.submit(page, path, decision="refuse")
        assert without.status_code == 409
        assert "Say why" in without.text
        done = await second.submit(page, path, decision="refuse", reason="not this company")
        assert done.headers["location"] == "/requests?done=refused"
    await take_back(pair, "first", await propose_company(pair, "first", "v022"))


async def test_a_proposal_that_waited_too_long_is_gone_and_cannot_be_confirmed(pair: Showcase) -> None:
    path = await propose_company(pair, "first", "v022")
    async with browse(pair) as second:
        await pair.pass_time(timedelta(hours=1))
        await second.sign_in("leader")
        page = await second.page("/requests")
        assert path not in page.forms
        token = page.forms["/sign-out"]["csrf_token"]
        late = await second.post(path, {"decision": "confirm", "csrf_token": token})
        assert late.status_code == 409
        assert "The proposal is expired already." in late.text


async def test_a_zone_is_switched_by_a_second_security_manager(pair: Showcase) -> None:
    async with pair.spine.services.database.transaction() as tx:
        zone = next(each for each in await list_zones(tx) if each.code == "Z4")
        payload = {"zone": str(zone.id), "code": "Z4", "before": zone.mode, "mode": "advise"}
        made = await pair.access.proposals.propose(
            tx, await principal(pair, "first"), "zone_mode", subject=f"zone:{zone.id}", payload=payload,
            reason="commissioning", at=pair.spine.now,
        )  # fmt: skip
    path = f"/requests/proposals/{made.id}"
    async with browse(pair) as leader, browse(pair) as second:
        await leader.sign_in("leader")
        assert path not in (await leader.page("/requests")).forms, "not a shift leader's to confirm or refuse"
        await second.sign_in("second")
        page = await second.page("/requests")
        assert "Z4: from enforce to advise" in page.text
        assert "Locks 2" in page.text
        done = await second.submit(page, path, decision="confirm")
        assert done.headers["location"] == "/requests?done=confirmed"
    async with pair.spine.services.database.read() as tx:
        assert {each.code: each.mode for each in await list_zones(tx)}["Z4"] == "advise"


async def test_rules_come_into_force_by_a_second_person(pair: Showcase) -> None:
    rules = shipped_bundle()
    async with pair.spine.services.database.transaction() as tx:
        by = (await principal(pair, "first")).user_id
        made = await propose_bundle(
            tx, pair.spine.services.ledger, version="site-7", policies=rules.policies, site_data=rules.site_data, by=by,
            at=pair.spine.now, comment="shorter duties",
        )  # fmt: skip
    path = f"/requests/bundles/{made}"
    async with browse(pair) as first, browse(pair) as second:
        await first.sign_in("first")
        page = await first.page("/requests")
        assert "version site-7" in page.text
        assert path not in page.forms
        token = page.forms["/sign-out"]["csrf_token"]
        own = await first.post(path, {"decision": "confirm", "csrf_token": token})
        assert own.status_code == 403
        assert "ask a second person" in own.text
        await second.sign_in("second")
        page = await second.page("/requests")
        assert "shorter duties" in page.text
        assert "1 decision waiting" in (await second.page("/")).text
        done = await second.submit(page, path, decision="confirm")
        assert done.headers["location"] == "/requests?done=rules"
        assert "site-7" not in (await second.page("/requests")).text


async def propose_company(show: Showcase, login: str, ref: str) -> str:
    """Have somebody propose to revoke a company, as the API does; gives the address of its form."""
    async with show.spine.services.database.transaction() as tx:
        company = await find_company(tx, ref)
        assert company is not None
        made = await show.access.proposals.propose(
            tx, await principal(show, login), "mass_revoke", subject=f"company:{company.id}",
            payload={"company": str(company.id)}, reason="breach at the contractor", at=show.spine.now,
        )  # fmt: skip
    return f"/requests/proposals/{made.id}"


async def take_back(show: Showcase, login: str, path: str) -> None:
    """Take back one's own proposal on the page."""
    async with browse(show) as client:
        await client.sign_in(login)
        done = await _submit(client, path)
        assert done == "/requests?done=withdrawn"
        assert path not in (await client.page("/requests")).forms


async def _submit(client: Browserless, path: str) -> str:
    answer = await client.submit(await client.page("/requests"), path, decision="refuse", reason="a mistake")
    return str(answer.headers["location"])


async def principal(show: Showcase, login: str) -> Principal:
    """Return an account as a signed-in caller."""
    signed = await show.access.sessions.sign_in(login, PASSWORD, address="")
    found = await show.access.sessions.recognise(signed.secret)
    assert found is not None
    return found


async def target_of(show: Showcase, stamp: str) -> Target:
    """Return what is wanted on a key."""
    services = show.spine.services
    async with services.database.read() as tx:
        key = await services.registry.get_key(tx, stamp)
        found = await services.targets.find(tx, key.id)
    assert found is not None
    return found


async def _account(show: Showcase, login: str, role: str, person: PersonId | None) -> None:
    async with show.spine.services.database.transaction() as tx:
        await show.access.users.make(
            tx, login=login, roles=[role], actor="system:setup", at=show.spine.now, person_id=person,
            password=PASSWORD,
        )  # fmt: skip
