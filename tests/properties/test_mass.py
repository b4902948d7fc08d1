"""Acts on many: whatever happens and wherever the product dies, they come to an end, spare whom S1 spares, and end nothing twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import Phase, given, settings, strategies as st

from key2xs.core.crash import declared
from key2xs.core.errors import Conflict
from key2xs.grants.reach import Scope
from key2xs.incidents.kill_types import By
from key2xs.incidents.mass.reading import progress_of
from key2xs_twin.clients.permits import Member
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import Stage, open_stage, run
from tests.support.tiny import AREA, UNIT, asset_of

from .bounds import opens
from .safety_shift import STAMPS, WAIT, Act, Shift

MINUTE = timedelta(minutes=1)
SHORT = 25  # examples of the default profile
ASKER = By("user:00000000-0000-7000-8000-00000000000a", UUID("00000000-0000-7000-8000-00000000000a"))
SECOND = "user:00000000-0000-7000-8000-00000000000b"
NAMES = (
    "mass", "mass", "pause", "resume", "take_mass_back", "lift", "kill_person", "hand_out", "disable", "duty",
    "off_duty", "lock", "suspend", "sign_off", "scope", "revalidate", "wait", "wait",
)  # fmt: skip
POINTS = sorted(name for name in declared("incidents.mass."))
VISITS = (1, 2) if settings().max_examples > SHORT else (1,)
SPARED = "(basis_ref LIKE 'duty:fire_brigade:%' OR basis_kind = 'emergency')"


async def scopes(spine: Spine) -> list[Scope]:
    """Return one scope of each kind that the tiny site has."""
    company = (await spine.fetch("SELECT id FROM identity_company ORDER BY id"))[0]["id"]
    zones = await spine.fetch("SELECT id FROM plant_zone ORDER BY code")
    return [Scope("company", str(company)), Scope("everyone"), *(Scope("zone", str(z["id"])) for z in zones)]


async def begin(spine: Spine, scope: Scope) -> UUID:
    """Look, and begin on two people's word."""
    looks, runs = spine.services.looks, spine.services.mass_runs
    async with spine.services.database.transaction() as tx:
        seen = await looks.look(tx, scope, spine.now)
        return await runs.start(
            tx, scope, digests=[seen.digest], reason="breach", by=ASKER, confirmed_by=SECOND, at=spine.now
        )  # fmt: skip


@dataclass
class MassShift(Shift):
    """A shift in which access of many is ended, too."""

    begun: dict[UUID, Scope] = field(default_factory=dict)
    before: dict[UUID, set[UUID]] = field(default_factory=dict)

    async def act_mass(self, a: int, _b: int) -> None:
        every = await scopes(self.spine)
        scope = every[a % len(every)]
        open_then = await open_in(self.spine, scope)
        self.begun[mass := await begin(self.spine, scope)] = scope
        self.before[mass] = open_then

    async def act_pause(self, _a: int, _b: int) -> None:
        await self._set("paused")

    async def act_resume(self, _a: int, _b: int) -> None:
        await self._set("running")

    async def act_take_mass_back(self, _a: int, _b: int) -> None:
        for row in await self.spine.fetch(
            "SELECT id FROM incident_kill WHERE what = 'mass' AND state = 'waiting'"
        ):
            async with self.spine.services.database.transaction() as tx:
                await self.spine.services.kills.withdraw(tx, row["id"], by=ASKER, at=self.spine.now)

    async def act_lift(self, _a: int, _b: int) -> None:
        for mass in self.begun:
            async with self.spine.services.database.transaction() as tx:
                await self.spine.services.mass_runs.lift(
                    tx, mass, reason="over", by=ASKER.actor, confirmed_by=SECOND, at=self.spine.now
                )

    async def _set(self, state: str) -> None:
        for mass in self.begun:
            async with self.spine.services.database.transaction() as tx:
                await self.spine.services.mass_runs.set_state(
                    tx, mass, state, reason="test", actor="user:x", at=self.spine.now  # type: ignore[arg-type]
                )  # fmt: skip

    async def _s4(self) -> list[str]:
        return [] if self.begun else await super()._s4()  # two people stood for it

    async def judge(self) -> None:
        """Fail when an act is not over, left somebody what it should not, or touched whom S1 spares."""
        rows = {row["id"]: row for row in await self.spine.fetch(
            "SELECT mass.id, mass.state, stop.lifted_at FROM incident_mass AS mass "
            "JOIN grant_stop AS stop ON stop.id = mass.stop_id")}  # fmt: skip
        assert rows.keys() == self.begun.keys()
        for mass, scope in self.begun.items():
            assert rows[mass]["state"] == "finished", (scope, self.told)
            left = {row["ref_id"] for row in await self.spine.fetch(
                "SELECT ref_id FROM incident_mass_item WHERE mass_id = $1 AND state = 'left'", mass)}  # fmt: skip
            still = await open_in(self.spine, scope)
            kept = still & self.before[mass]
            if rows[mass]["lifted_at"] is None:
                kept = still
            assert kept <= left, (scope, self.told)
        assert not await self.spine.fetch(
            f"SELECT id FROM grant_lease WHERE {SPARED} AND end_reason = 'revoked'"
        )
        twice = await self.spine.fetch(
            "SELECT subjects FROM log_body WHERE kind = 'grants:lease:end' GROUP BY subjects HAVING count(*) > 1"
        )
        assert not twice, "a grant ended twice"


async def open_in(spine: Spine, scope: Scope) -> set[UUID]:
    """Return the open grants in a scope that nothing spares, by the plainest tables."""
    crew = "person_id IN (SELECT person_id FROM grant_lease WHERE basis_ref LIKE 'duty:fire_brigade:%' AND state <> 'ended')"
    where = {
        "company": "true",  # the tiny site has one
        "everyone": f"NOT {crew}",
        "zone": "lease.id IN (SELECT grant_id FROM grant_cylinder AS part JOIN plant_cylinders AS place "
        "ON place.id = part.cylinder_id JOIN plant_places AS at ON at.cylinder_id = place.id "
        "WHERE part.removed_at IS NULL AND at.zone_id::text = $1)",
    }[scope.kind]
    sql = (
        f"SELECT id FROM grant_lease AS lease WHERE state IN ('active', 'scheduled') AND NOT {SPARED} AND {where} "
        "AND $1::text IS NOT NULL"
    )
    return {row["id"] for row in await spine.fetch(sql, scope.ref)}


async def _play(databases: DatabaseServer, acts: Sequence[Act]) -> int:
    async with open_stage(databases, START) as stage:
        shift = MassShift(stage)
        await shift.begin()
        await shift.play(list(acts))
        if shift.begun:
            for mass in shift.begun:
                async with stage.spine.services.database.transaction() as tx:
                    if (await stage.spine.services.mass_runs.get(tx, mass)).state == "paused":
                        await stage.spine.services.mass_runs.set_state(
                            tx, mass, "running", reason="test", actor="user:x", at=stage.spine.now
                        )
            await shift.go_on(2 * WAIT + MINUTE, timedelta(seconds=60))
            await shift.judge()
        return len(shift.begun)


numbers = st.integers(0, 7)


@settings(max_examples=2 * settings().max_examples // 25, phases=(Phase.explicit, Phase.generate))
@given(acts=st.lists(st.tuples(st.sampled_from(NAMES), numbers, numbers), min_size=5, max_size=10))
def test_no_history_leaves_anybody_what_was_ended_or_takes_what_is_spared(
    databases: DatabaseServer, acts: list[Act]
) -> None:
    run(_play(databases, [*acts[:2], ("mass", acts[0][1], 0), *acts[2:]]))


async def test_everyone_goes_but_the_fire_brigade_and_whoever_is_at_work_is_told_of_first(
    shift: Shift,
) -> None:
    spine = shift.spine
    shift.released = True  # two people stand for it
    mass = await begin(spine, Scope("everyone"))
    await shift.stage.settle()
    async with spine.services.database.read() as tx:
        found = await progress_of(tx, await spine.services.mass_runs.get(tx, mass), spine.now)
    assert found.grants["told_first"] >= 2
    assert [at for _, at in found.told] == [spine.now + WAIT]
    assert found.words["requested"] == 2, "nothing is delivered that was not asked for yet"
    assert found.as_before == 2
    assert found.until is None, "nothing is claimed of keys that nobody was told of"
    assert opens(spine, STAMPS["u2"], "C1")
    spine.world.advance_to(spine.now + WAIT)
    spine.clock.advance_to(spine.now + WAIT)
    spine.ptw.heartbeat(at=spine.now)
    await shift.stage.send()
    await shift.stage.settle()
    shift.released = True
    await shift.go_on(2 * MINUTE)
    assert not opens(spine, STAMPS["u2"], "C1")
    assert not opens(spine, STAMPS["u1"], "C1")
    assert opens(spine, STAMPS["u1"], "C6"), "S3: the personal lock is on"
    assert opens(spine, STAMPS["u4"], "C5"), "S1: the fire brigade"
    async with spine.services.database.read() as tx:
        done = await spine.services.mass_runs.get(tx, mass)
        found = await progress_of(tx, done, spine.now)
    assert done.state == "finished"
    assert found.grants["held"] == 1
    # Somebody comes on duty: while it stands, nothing new is given.
    await shift.duty("u3", "field_operator", 4)
    await shift.go_on(MINUTE)
    assert not opens(spine, STAMPS["u3"], "C1")
    async with spine.services.database.transaction() as tx:
        await spine.services.mass_runs.lift(
            tx, mass, reason="over", by=ASKER.actor, confirmed_by=SECOND, at=spine.now
        )
    await shift.go_on(timedelta(minutes=6), MINUTE)
    assert opens(spine, STAMPS["u3"], "C1"), "the stop is lifted, and the duty is newer"
    assert not opens(spine, STAMPS["u2"], "C1"), "P7: what ended does not come back"


async def test_a_zone_takes_its_own_locks_out_of_a_grant_and_leaves_the_rest(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    places = {row["marking"]: row["zone_id"] for row in await spine.fetch(
        "SELECT marking, zone_id FROM plant_places ORDER BY marking")}  # fmt: skip
    inside = "C1"
    other = next((m for m in ("C2", "C3", "C5") if places[m] != places[inside]), None)
    assert other is not None, "the tiny site has several zones"
    await spine.live_permit(inside, other, crew=("u1",), hours=4)
    await spine.advance(MINUTE)
    assert opens(spine, "K001", inside)
    assert opens(spine, "K001", other)
    await begin(spine, Scope("zone", str(places[inside])))
    await spine.advance(WAIT + 2 * MINUTE)
    assert not opens(spine, "K001", inside)
    assert opens(spine, "K001", other)
    await spine.advance(timedelta(minutes=6), every=MINUTE)
    assert not opens(spine, "K001", inside), "it does not come back by being looked at again"


async def test_a_work_package_ends_and_other_work_of_the_same_people_goes_on(stage: Stage) -> None:
    spine = stage.spine
    await spine.hand_out("K001", "u1")
    await spine.live_permit("C3", crew=("u1",), hours=4)
    at = spine.now
    permit = spine.ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of("C1")], valid_from=at,
        valid_to=at + timedelta(hours=4), at=at, work={"system": "sap", "package": "TA-26 7"},
        people=[Member(ref="u1", role="performing_authority", company="v017")],
    )  # fmt: skip
    spine.ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    spine.ptw.go_live(permit.id, by="u00411", at=at)
    spine.ptw.sign_on(permit.id, "u1", at=at)
    await spine.send()
    await spine.advance(MINUTE)
    assert opens(spine, "K001", "C1")
    mass = await begin(spine, Scope("package", "TA-26 7"))
    await spine.advance(WAIT + 2 * MINUTE)
    assert not opens(spine, "K001", "C1")
    assert opens(spine, "K001", "C3")
    async with spine.services.database.read() as tx:
        done = await spine.services.mass_runs.get(tx, mass)
    assert (done.state, done.lifted_at is None) == ("finished", False)


@pytest.mark.parametrize("visit", VISITS)
@pytest.mark.parametrize("name", [*POINTS, "grants.end.after_update"])
async def test_it_comes_to_an_end_wherever_the_product_dies(
    databases: DatabaseServer, name: str, visit: int
) -> None:
    point = declared()[name]
    async with open_stage(databases, START) as stage:
        for stamp, ref in (("K001", "u1"), ("K002", "u2")):
            await stage.spine.hand_out(stamp, ref)
        permit = await stage.spine.live_permit("C1", crew=("u1", "u2"), hours=4)
        await stage.spine.advance(MINUTE)
        assert opens(stage.spine, "K001", "C1")
        stage.spine.ptw.sign_off(permit.id, "u2", at=stage.spine.now)
        await stage.spine.live_permit("C2", crew=("u2",), hours=4)
        company = (await scopes(stage.spine))[0]
        before = point.reached

        async def start(spine: Spine) -> None:
            try:
                await begin(spine, company)
            except Conflict:
                assert await spine.fetch("SELECT id FROM incident_mass")

        with point.armed(visit):
            await stage.surely(start)
            for _ in range(4):
                at = stage.spine.now + MINUTE
                stage.world.advance_to(at)
                stage.spine.clock.advance_to(at)
                stage.spine.ptw.heartbeat(at=at)
                await stage.send()
                await stage.settle()
        assert point.reached > before
        assert stage.crashes or visit > 1
        assert set(await stage.spine.states()) == {"ended"}
        assert [row["state"] for row in await stage.spine.fetch("SELECT state FROM incident_mass")] == [
            "finished"
        ]
        ends = await stage.spine.fetch("SELECT count(*) AS n FROM log_body WHERE kind = 'grants:lease:end'")
        leases = await stage.spine.fetch("SELECT count(*) AS n FROM grant_lease")
        assert ends[0]["n"] == leases[0]["n"], "each ended once"
        for _ in range(3):
            await stage.spine.advance(MINUTE)
        assert not opens(stage.spine, "K001", "C1")
        assert not opens(stage.spine, "K002", "C2")
