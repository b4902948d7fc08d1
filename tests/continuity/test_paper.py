"""Permits on paper through the whole product: what they open, and what they never open."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from key2xs.core.errors import Conflict, InvalidInput, NotFound
from key2xs.core.ids import PermitId, new_id
from key2xs.work import (
    PaperForm,
    PaperGas,
    PaperIsolation,
    PaperMember,
    declare_back,
    declare_down,
    permit_facts,
)
from key2xs.work.paper import MOST_LISTED
from tests.conftest import START
from tests.continuity.sheets import HOUR, heard, issue, person, sheet
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import open_stage
from tests.support.tiny import asset_of

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def spine(databases: DatabaseServer) -> AsyncIterator[Spine]:
    """The prepared stage; the permit system was heard, and then fell silent."""
    async with open_stage(databases, START) as stage:
        await heard(stage.spine)
        await stage.spine.advance(3 * MINUTE, every=MINUTE)
        yield stage.spine


async def test_two_people_open_a_lock_while_the_permit_system_is_silent(spine: Spine) -> None:
    await spine.hand_out("K001", "u1")
    made = await issue(spine, await sheet(spine))
    await spine.advance(MINUTE)
    assert await spine.states() == ["active"]
    assert spine.try_open("K001", "C1")
    assert not spine.try_open("K001", "C2")
    async with spine.services.database.read() as tx:
        facts = await permit_facts(tx, made, spine.now)
        assert (facts.source, facts.number, facts.state, facts.feed_ok) == (
            "paper",
            "paper 000123",
            "live",
            "yes",
        )
    lease = (await spine.fetch("SELECT reference FROM grant_lease"))[0]
    assert lease["reference"] == "permit paper 000123"
    # It ends by itself.
    await spine.advance_to(START + 5 * HOUR, every=HOUR)
    assert await spine.states() == ["ended"]
    assert not spine.try_open("K001", "C1")


async def test_policy_holds_on_paper(spine: Spine) -> None:
    """No bypass: somebody without qualifications, or in two roles that must be separate, gets nothing."""
    spine.persons["u9"] = await _unqualified(spine, "u9")
    await issue(spine, await sheet(spine, performing=person(spine, "u9")))
    assert await spine.states() == []
    crew = (
        PaperMember(person(spine, "u2"), "performing_authority"),
        PaperMember(person(spine, "u2"), "isolating_authority"),
    )
    await issue(spine, await sheet(spine, number="124", crew=crew))
    rows = await spine.fetch("SELECT person_id FROM grant_lease")
    assert [row["person_id"] for row in rows] == [spine.persons["u1"]]
    # Nor does gas that was not safe.
    gas = PaperGas(spine.now, spine.now + HOUR, "unsafe", person(spine, "u3"))
    await issue(
        spine, await sheet(spine, number="125", type="hot_work", gas=gas, performing=person(spine, "u2"))
    )
    assert len(await spine.states()) == 1


async def test_whoever_signs_off_and_a_closed_sheet_lose_access(spine: Spine) -> None:
    await spine.hand_out("K001", "u1")
    await spine.hand_out("K002", "u2")
    made = await issue(spine, await sheet(spine, crew=(PaperMember(person(spine, "u2"), "fitter"),)))
    await spine.advance(MINUTE)
    assert spine.try_open("K002", "C1")
    paper = spine.services.paper
    async with spine.services.database.transaction() as tx:
        await paper.sign_off(tx, made, spine.persons["u2"], actor="user:x", at=spine.now)
    with pytest.raises(Conflict, match="signed off already"):
        async with spine.services.database.transaction() as tx:
            await paper.sign_off(tx, made, spine.persons["u2"], actor="user:x", at=spine.now)
    await spine.advance(MINUTE)
    assert (spine.try_open("K001", "C1"), spine.try_open("K002", "C1")) == (True, False)
    async with spine.services.database.transaction() as tx:
        await paper.close(tx, made, actor="user:x", at=spine.now)
    await spine.advance(MINUTE)
    assert not spine.try_open("K001", "C1")
    async with spine.services.database.read() as tx:
        assert (await permit_facts(tx, made, spine.now)).state == "closed"
    with pytest.raises(Conflict, match="over already"):
        async with spine.services.database.transaction() as tx:
            await paper.close(tx, made, actor="user:x", at=spine.now)


async def test_back_again_the_sheet_is_entered_and_closed_without_a_gap(spine: Spine) -> None:
    await spine.hand_out("K001", "u1")
    made = await issue(spine, await sheet(spine))
    await spine.advance(MINUTE)
    paper = spine.services.paper
    with pytest.raises(Conflict, match="still down"):
        await _enter(spine, made, "0001")
    await heard(spine)
    assert await spine.states() == ["active"]  # paper goes on: nothing is lost by good news
    with pytest.raises(InvalidInput, match="has told of no permit 0001"):
        await _enter(spine, made, "0001")
    waiting = spine.ptw.create(
        type_="cold_work", area="CDU", unit="CDU-1", assets=[asset_of("C1")], valid_from=spine.now,
        valid_to=spine.now + HOUR, at=spine.now,
    )  # fmt: skip
    await spine.send()
    with pytest.raises(Conflict, match="not in force"):
        await _enter(spine, made, waiting.number)
    permit = await spine.live_permit("C1", crew=("u1",))
    await _enter(spine, made, permit.number)
    await spine.advance(MINUTE)
    assert sorted(await spine.states()) == ["active", "ended"]
    assert spine.try_open("K001", "C1")
    async with spine.services.database.read() as tx:
        assert await paper.list(tx) == []
        done = await paper.get(tx, made)
    assert (done.entered_as, done.closed_at) == (permit.number, spine.now - MINUTE)
    with pytest.raises(Conflict, match="was entered"):
        await _enter(spine, made, permit.number)


async def test_a_stop_of_the_area_ends_paper_too(spine: Spine) -> None:
    await issue(spine, await sheet(spine))
    assert await spine.states() == ["active"]
    spine.ptw.area_stop("CDU", code="gas_alarm", at=spine.now)
    await spine.send()
    await spine.settle()
    assert await spine.states() == ["ended"]


async def test_declared_down_gives_nothing_new_and_lets_two_people_write(spine: Spine) -> None:
    await heard(spine)
    with pytest.raises(InvalidInput, match="is there"):
        await issue(spine, await sheet(spine))
    await _declare(spine)
    await heard(spine)  # signs of life, but two people said that it is down
    await spine.live_permit("C2", crew=("u2",))
    assert await spine.states() == []
    await issue(spine, await sheet(spine))
    assert await spine.states() == ["active"]
    with pytest.raises(Conflict, match="declared down already"):
        await _declare(spine)
    async with spine.services.database.transaction() as tx:
        await declare_back(tx, spine.services.desk, "eptw", actor="user:u4", at=spine.now)
    await spine.settle()
    assert await spine.states() == [
        "active",
        "active",
    ]  # a permit that stands is decided when its system is believed


async def test_a_system_that_was_never_heard_needs_a_declaration(databases: DatabaseServer) -> None:
    async with open_stage(databases, START) as stage:
        with pytest.raises(InvalidInput, match="never heard"):
            await issue(stage.spine, await sheet(stage.spine))
        await _declare(stage.spine)
        await issue(stage.spine, await sheet(stage.spine))
        assert await stage.spine.states() == ["active"]


CASES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("stands_for", {"stands_for": "other"}, "names no permit system"),
    ("number", {"number": "  "}, "give the number"),
    ("valid_to", {"valid_to": START + 13 * HOUR}, "more than one shift"),
    ("valid_to", {"valid_to": START - HOUR}, "is not after the start"),
    ("valid_to", {"valid_from": START - HOUR, "valid_to": START}, "has passed"),
    ("valid_from", {"valid_from": START + 20 * HOUR, "valid_to": START + 21 * HOUR}, "beyond the next shift"),
    ("performing", {"performing": "u4"}, "same person as the issuing authority"),
    ("performing", {"performing": "nobody"}, "nobody the identity system knows"),
    ("performing", {"performing": "u3"}, "nobody does that for his own work"),
    ("crew[0].person", {"crew": (("u4", "fitter"),)}, "is the issuing authority"),
    ("crew[1].person", {"crew": (("u2", "fitter"), ("u2", "fitter"))}, "stands on the sheet twice"),
    ("issuing", {"issuing": "u2"}, "must write or confirm it in person"),
    ("type", {"type": "juggling"}, "no type of permit"),
    ("gas", {"type": "hot_work"}, "needs a gas test"),
    ("gas.tested_by", {"gas": ("u1", 1)}, "somebody else tests"),
    ("gas.valid_to", {"gas": ("u2", -1)}, "not after the test"),
    ("crew", {"type": "confined_space", "gas": ("u2", 1)}, "no attendant"),
    ("crew", {"type": "confined_space", "gas": ("u2", 1), "crew": (("u1", "confined_space_attendant"),)}, "goes inside"),
    ("isolation.proven_by", {"isolation": "u1"}, "somebody else proves"),
    ("locks", {"cylinders": ()}, "name the locks"),
    ("locks[0]", {"cylinders": ("nobody",)}, "no lock of this plant"),
    ("assets", {"assets": ("RTX-NOWHERE",)}, "leads to no lock"),
    ("area", {"area": "XYZ"}, "not in the plant model"),
)  # fmt: skip


async def test_every_wrong_sheet_is_refused_by_its_field(spine: Spine) -> None:
    for field, changes, why in CASES:
        with pytest.raises(InvalidInput, match=why) as refused:
            await issue(spine, await sheet(spine, **_read(spine, changes)))
        assert refused.value.field == field, changes
    assert await spine.fetch("SELECT 1 FROM work_paper") == []
    await spine.scim.disable(spine.scim_ids["u1"])
    with pytest.raises(InvalidInput, match="not an active person"):
        await issue(spine, await sheet(spine))


async def test_one_number_is_one_permit_for_ever_and_two_people_are_two(spine: Spine) -> None:
    await issue(spine, await sheet(spine))
    with pytest.raises(InvalidInput, match="every sheet has its own number") as refused:
        await issue(spine, await sheet(spine, number=" 000 123"))
    assert refused.value.field == "number"
    with pytest.raises(InvalidInput, match="needs two"):
        await issue(spine, await sheet(spine, number="9"), second="u4")


async def test_an_old_sheet_is_found_under_a_whole_outage_of_newer_ones(spine: Spine) -> None:
    """An outage over a shift change makes hundreds of sheets; the oldest must be entered and closed like any other."""
    at, paper = spine.now, spine.services.paper
    people = (("user:u4", spine.persons["u4"]), ("user:u3", spine.persons["u3"]))
    form = await sheet(spine)
    async with spine.services.database.transaction() as tx:
        made = [
            await paper.issue(
                tx, msgspec.structs.replace(form, number=f"{number:06}"), reason="the permit system is silent",
                written_by=people[0], confirmed_by=people[1], at=at + timedelta(milliseconds=number),
            )
            for number in range(MOST_LISTED + 1)
        ]  # fmt: skip
        assert (await paper.get(tx, made[0])).number == "000000"
        assert {each.permit_id for each in await paper.list(tx)} == set(made)
        assert len(await paper.list(tx, all_of_them=True)) == MOST_LISTED
        with pytest.raises(NotFound):
            await paper.get(tx, PermitId(new_id()))


def _read(spine: Spine, changes: dict[str, Any]) -> dict[str, Any]:
    """Turn the short words of the table into people, tests and certificates."""
    from uuid import UUID

    from key2xs.work.payload import AssetRef

    def one(ref: str) -> Any:
        return spine.persons.get(ref, UUID(int=7))

    made = dict(changes)
    for name in {"performing", "issuing"} & set(made):
        made[name] = one(made[name])
    if "crew" in made:
        made["crew"] = tuple(PaperMember(one(ref), role) for ref, role in made["crew"])
    if "gas" in made:
        ref, hours = made["gas"]
        made["gas"] = PaperGas(spine.now, spine.now + hours * HOUR, "safe", one(ref))
    if "isolation" in made:
        made["isolation"] = PaperIsolation("IC-1", ("L-1",), one(made["isolation"]), spine.now)
    if "cylinders" in made:
        made["cylinders"] = tuple(one(ref) for ref in made["cylinders"])
    if "assets" in made:
        made["assets"] = tuple(AssetRef("sap_floc", each) for each in made["assets"])
    return made


async def _unqualified(spine: Spine, ref: str) -> Any:
    from key2xs_twin.clients.scim import ScimPerson

    until = (spine.now + timedelta(days=30)).date()
    spine.scim_ids[ref] = await spine.scim.create_user(
        ScimPerson(
            user_name=f"{ref}@example.org", external_id=ref, given_name="A", family_name="B", company="v017",
            contract_end=until,
        )
    )  # fmt: skip
    async with spine.services.database.read() as tx:
        return await spine.services.identity.find_person(tx, "iam", ref)


async def _enter(spine: Spine, made: Any, number: str) -> None:
    async with spine.services.database.transaction() as tx:
        await spine.services.paper.enter(tx, made, number, actor="user:u4", at=spine.now)
    await spine.settle()


async def _declare(spine: Spine) -> None:
    async with spine.services.database.transaction() as tx:
        await declare_down(
            tx, spine.services.desk, "eptw", reason="no permits come", declared_by="user:u4",
            confirmed_by="user:u3", lasts=12 * HOUR, at=spine.now,
        )  # fmt: skip
    await spine.settle()


__all__ = ["PaperForm"]
