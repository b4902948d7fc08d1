"""A shift in which people try to lock others in: acts, and what the safety rules promise after each of them.

The judge asks the twin's devices and permit system and the plainest tables, never the rules themselves.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from key2xs.core.errors import Key2XSError
from key2xs.identity.duties import Duty
from key2xs.identity.types import Act as IdentityAct
from key2xs.incidents.kill_types import By
from key2xs.keys.importer import import_keys
from key2xs.keys.port import Inventory, KeyKind as VendorKind, ProgrammingState, VendorKey
from key2xs.plant.importer import import_csv
from key2xs_twin.clients.permits import Member
from tests.support.spine import Spine
from tests.support.stage import PEOPLE, Stage
from tests.support.tiny import AREA, UNIT, asset_of, tiny_site, twin_id

from .bounds import opens
from .facts_oracle import false_facts

BOX, LOCK_BOX, ISOLATION = "AP-C6", "C6", "C5"
STAMPS = {f"u{n}": f"K{n:03d}" for n in range(1, 5)}
FIREMAN = "u4"
WAIT = timedelta(seconds=120)
SOC = By("user:00000000-0000-7000-8000-00000000000c")
Act: TypeAlias = tuple[str, int, int]


@dataclass
class Shift:
    """One shift on one stage: u1 works behind a lock box, u2 and u3 are on duty, u4 is the fire brigade."""

    stage: Stage
    told: list[str] = field(default_factory=list)
    permit: str = ""
    released: bool = False
    """Two people released something since the last check."""
    let_go: bool = False
    """The same, of the lock box, while that lock is on."""
    boxed: bool = False
    """At the last check a personal lock was on and the key opened the box."""
    holders: set[str] = field(default_factory=set)
    checked: datetime | None = None
    holds_seen: int = 0
    kills_done: int = 0

    @property
    def spine(self) -> Spine:
        """The product and the twin."""
        return self.stage.spine

    # --- the scene -----------------------------------------------------------------------------------------

    async def begin(self, *, egress: str = "y") -> None:
        """Set the scene."""
        await import_egress(self.spine, "C3", egress)
        await make_emergency(self.spine, STAMPS[FIREMAN])
        for ref, stamp in STAMPS.items():
            await self.spine.hand_out(stamp, ref)
        await self.duty("u2", "field_operator", 8)
        await self.duty(FIREMAN, "fire_brigade", 8)
        await self.issue(6)
        self.spine.ptw.lock_on(self.permit, BOX, "u1", at=self.spine.now)
        await self.go_on(timedelta(seconds=60))

    async def issue(self, hours: float) -> None:
        """Put u1 to work at C1 and the lock box."""
        at, ptw = self.spine.now, self.spine.ptw
        permit = ptw.create(
            type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of("C1"), asset_of(LOCK_BOX)], valid_from=at,
            valid_to=at + timedelta(hours=hours), at=at,
            people=[Member(ref="u1", role="performing_authority", company="v017")],
        )  # fmt: skip
        ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
        ptw.go_live(permit.id, by="u00411", at=at)
        ptw.sign_on(permit.id, "u1", at=at)
        self.permit = permit.id

    async def duty(self, ref: str, role: str, hours: float) -> None:
        """Put somebody on the roster."""
        unit = (await self.spine.fetch("SELECT id FROM plant_unit"))[0]["id"]
        at = self.spine.now
        async with self.spine.services.database.transaction() as tx:
            await self.spine.services.identity.put_duty(
                tx, IdentityAct("user:rota", at), self.spine.persons[ref],
                Duty(role, unit, at, at + timedelta(hours=hours)),
            )  # fmt: skip

    # --- going on ------------------------------------------------------------------------------------------

    async def go_on(self, by: timedelta, step: timedelta = timedelta(seconds=20)) -> None:
        """Let time pass, checking at every step."""
        await self.stage.send()
        await self.stage.settle()
        await self.check()
        end = self.spine.now + by
        while self.spine.now < end:
            at = min(self.spine.now + step, end)
            self.spine.world.advance_to(at)
            self.spine.clock.advance_to(at)
            self.spine.ptw.heartbeat(at=at)
            await self.stage.send()
            await self.stage.settle()
            await self.check()

    async def play(self, acts: list[Act]) -> None:
        """Play acts, a few seconds apart; what is not possible now does not happen."""
        for name, a, b in acts:
            self.told.append(f"{self.spine.now:%H:%M:%S} {name} {a} {b}")
            with contextlib.suppress(Key2XSError, KeyError):
                await getattr(self, f"act_{name}")(a, b)
            await self.go_on(timedelta(seconds=14), timedelta(seconds=7))

    # --- acts ----------------------------------------------------------------------------------------------

    async def kill(self, subject: str) -> None:
        """A person of the SOC stops something."""
        async with self.spine.services.database.transaction() as tx:
            await self.spine.services.kills.ask(tx, subject, reason="test", by=SOC, at=self.spine.now)

    async def act_kill_person(self, a: int, _b: int) -> None:
        await self.kill(f"person:{self.spine.persons[PEOPLE[a % 4]]}")

    async def act_kill_key(self, a: int, _b: int) -> None:
        rows = await self.spine.fetch("SELECT id FROM key_key WHERE stamp = $1", STAMPS[PEOPLE[a % 4]])
        await self.kill(f"key:{rows[0]['id']}")

    async def act_kill_grant(self, a: int, _b: int) -> None:
        rows = await self.spine.fetch("SELECT id FROM grant_lease WHERE state <> 'ended' ORDER BY id")
        if rows:
            await self.kill(f"grant:{rows[a % len(rows)]['id']}")

    async def act_take_back(self, a: int, _b: int) -> None:
        services = self.spine.services
        async with services.database.transaction() as tx:
            key = await services.registry.get_key(tx, STAMPS[PEOPLE[a % 4]])
            await services.key_ends.require_free(tx, key, self.spine.now)
            await services.custody.take_back(tx, key.id, actor="user:desk", at=self.spine.now)
            await services.kill.narrow_key(tx, key.id, self.spine.now)

    async def act_hand_out(self, a: int, _b: int) -> None:
        ref = PEOPLE[a % 4]
        await self.spine.hand_out(STAMPS[ref], ref)

    async def act_disable(self, a: int, _b: int) -> None:
        await self.spine.scim.disable(self.spine.scim_ids[PEOPLE[a % 4]])

    async def act_enable(self, a: int, _b: int) -> None:
        await self.spine.scim.enable(self.spine.scim_ids[PEOPLE[a % 4]])

    async def act_duty(self, a: int, b: int) -> None:
        await self.duty(PEOPLE[1 + a % 2], "field_operator", 1 + b % 4)

    async def act_off_duty(self, a: int, _b: int) -> None:
        async with self.spine.services.database.transaction() as tx:
            act = IdentityAct("user:rota", self.spine.now)
            await self.spine.services.identity.end_duties(tx, act, self.spine.persons[PEOPLE[1 + a % 2]])

    async def act_lock(self, a: int, _b: int) -> None:
        on = self.spine.ptw.lock_on if a % 2 else self.spine.ptw.lock_off
        on(self.permit, BOX, "u1", at=self.spine.now)

    async def act_suspend(self, _a: int, _b: int) -> None:
        self.spine.ptw.suspend(self.permit, code="weather", at=self.spine.now)

    async def act_close(self, a: int, _b: int) -> None:
        ptw, at = self.spine.ptw, self.spine.now
        ptw.close(self.permit, at=at) if a % 2 else ptw.cancel(self.permit, code="job_void", at=at)

    async def act_area_stop(self, _a: int, _b: int) -> None:
        self.spine.ptw.area_stop(AREA, code="gas_alarm", at=self.spine.now)

    async def act_sign_off(self, _a: int, _b: int) -> None:
        self.spine.ptw.sign_off(self.permit, "u1", at=self.spine.now)

    async def act_scope(self, a: int, _b: int) -> None:
        assets = [asset_of("C1")] if a % 2 else [asset_of("C1"), asset_of(LOCK_BOX)]
        self.spine.ptw.change_scope(self.permit, assets=assets, at=self.spine.now)

    async def act_revalidate(self, _a: int, _b: int) -> None:
        at = self.spine.now
        self.spine.ptw.revalidate(self.permit, by="u00411", valid_to=at + timedelta(hours=2), at=at)

    async def act_release(self, a: int, _b: int) -> None:
        """Two people release what is held."""
        rows = await self.spine.fetch("SELECT id FROM grant_lease WHERE state = 'held' ORDER BY id")
        if not rows:
            return
        services = self.spine.services
        async with services.database.transaction() as tx:
            lease = await services.holding.release(
                tx, rows[a % len(rows)]["id"], reason="two people", actor="user:two", at=self.spine.now
            )
            await services.kill.narrow_persons(tx, [lease.person_id], self.spine.now)
        self.released = True

    async def act_wait(self, a: int, _b: int) -> None:
        minutes = (1, 3, 20, 90)[a % 4]
        await self.go_on(timedelta(minutes=minutes), timedelta(minutes=max(1, minutes // 6)))

    # --- what must be true ---------------------------------------------------------------------------------

    async def check(self) -> None:
        """Fail when a safety promise is broken at this instant."""
        wrong = [*await self._s1(), *await self._s3(), *await self._s4(), *await self._s5()]
        async with self.spine.services.database.read() as tx:
            wrong += await false_facts(tx, self.spine.now)
        self.released, self.checked = False, self.spine.now
        assert not wrong, "\n".join([*wrong, f"at {self.spine.now}", *self.told])

    async def _s1(self) -> list[str]:
        wrong = []
        if self.spine.world.iloq.state.blocks.is_blocked(twin_id("key 4")):
            wrong.append("S1: the fire brigade's key is on the block list")
        rows = await self.spine.fetch(
            "SELECT id FROM grant_lease WHERE basis_ref LIKE 'duty:fire_brigade:%' AND end_reason = 'revoked'"
        )
        return wrong + ["S1: a fire brigade's access was revoked along with others" for _ in rows]

    async def _s3(self) -> list[str]:
        """A box that the key opens with the lock on goes on opening while the lock is on."""
        on = self._lock_is_on()
        opens_now = opens(self.spine, STAMPS["u1"], LOCK_BOX)
        self.let_go = (self.let_go or self.released) and on
        broken = self.boxed and on and not opens_now and not self.let_go and not self._at_the_end()
        self.boxed = on and (opens_now or (self.boxed and self._at_the_end()))
        held = await self.spine.fetch("SELECT held_rule FROM grant_lease WHERE state = 'held'")
        self.holds_seen += len(held)
        return ["S3: the lock box does not open with the personal lock on"] if broken else []

    def _at_the_end(self) -> bool:
        """A key that carries other locks too has one end for all: it is written anew when the window has run out.

        The vendor's grid rounds the end down by up to a quarter of an hour.
        """
        ends = self.spine.ptw.permits[self.permit].valid_to
        return ends - timedelta(minutes=16) <= self.spine.now <= ends + timedelta(minutes=2)

    def _lock_is_on(self) -> bool:
        permit = self.spine.ptw.permits[self.permit]
        return any(lock.off_at is None for locks in permit.lock_boxes.values() for lock in locks)

    async def _s4(self) -> list[str]:
        """Whoever opens the isolation on duty is not gone before somebody else is there."""
        rows = await self.spine.fetch(
            "SELECT DISTINCT lease.person_id::text AS person FROM grant_lease AS lease "
            "JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.removed_at IS NULL "
            "JOIN plant_cylinder AS cylinder ON cylinder.id = part.cylinder_id AND cylinder.marking = $1 "
            "JOIN key_custody AS custody ON custody.person_id = lease.person_id AND upper_inf(custody.known) "
            "AND upper_inf(custody.during) "
            "JOIN key_key AS key ON key.id = custody.key_id AND key.blocked_at IS NULL "
            "WHERE lease.basis_kind = 'duty_role' AND lease.state IN ('active', 'held')",
            ISOLATION,
        )
        before, self.holders = self.holders, {row["person"] for row in rows}
        if not before or self.holders or self.released:
            return []
        ended = await self.spine.fetch(
            "SELECT end_reason, upper(during) AS ends_at, ended_at FROM grant_lease WHERE state = 'ended' "
            "AND basis_kind = 'duty_role' AND person_id::text = ANY($1) AND ended_at > $2",
            sorted(before),
            self.checked,
        )
        early = [row for row in ended if row["ended_at"] < row["ends_at"]]
        return (
            ["S4: the last holder on shift is gone before the end of the shift"] if early or not ended else []
        )

    async def _s5(self) -> list[str]:
        """Nobody who was told of goes before the time is up, and nobody stays after it."""
        wrong = []
        rows = await self.spine.fetch("SELECT * FROM incident_kill")
        now = self.spine.now
        for row in rows:
            waited = row["proceeds_at"] > row["asked_at"]
            if row["state"] == "waiting" and row["proceeds_at"] <= now:
                wrong.append("S5: a stop did not proceed though its time is up")
            if (
                waited
                and row["state"] == "done"
                and row["ended_at"] < row["proceeds_at"]
                and not row["decided_by"]
            ):
                wrong.append("S5: a stop proceeded before its time")
            if waited and row["state"] == "waiting":
                gone = await self.spine.fetch(
                    "SELECT id FROM grant_lease WHERE person_id = ANY($1) AND end_reason IN ('killed', 'revoked') "
                    "AND ended_at >= $2 AND held_since IS NULL",
                    row["people"],
                    row["asked_at"],
                )
                wrong += ["S5: access ended while the shift leader was being told" for _ in gone]
        self.kills_done = sum(row["state"] == "done" for row in rows)
        return wrong


async def import_egress(spine: Spine, marking: str, egress: str) -> None:
    """Have the plant's list say of one cylinder whether the way out stays free; an empty word is *not known*."""
    rows = [dict(row) for row in tiny_site().files["cylinders"] if row["marking"] == marking]
    rows[0]["egress_free"] = egress

    async def run(tx: Any) -> None:
        done = await import_csv(
            tx, spine.services.ledger, "cylinders", rows, at=spine.now, actor="user:setup"
        )
        assert not done.errors, done.errors

    await spine.services.database.transact(run)
    await spine.settle()


async def make_emergency(spine: Spine, stamp: str) -> None:
    """Have the key list say that a key is for emergencies."""
    rows = await spine.fetch(
        "SELECT key.external_id, key.kind, system.name FROM key_key AS key "
        "JOIN key_system AS system ON system.id = key.system_id WHERE key.stamp = $1",
        stamp,
    )
    row: dict[str, str | None] = {
        "key_system": rows[0]["name"],
        "stamp": stamp,
        "external_id": rows[0]["external_id"],
        "kind": rows[0]["kind"],
        "purpose": "emergency",
    }

    async def run(tx: Any) -> None:
        done = await import_keys(tx, spine.services.ledger, [row], at=spine.now, actor="user:setup")
        assert not done.errors, done.errors

    await spine.services.database.transact(run)


async def hand_out_of_another_maker(shift: Shift, ref: str) -> None:
    """Hand out a key of a maker that knows nothing of our locks."""
    services, at = shift.spine.services, shift.spine.now
    found = VendorKey("x1", "X1", VendorKind.DYNAMIC, ProgrammingState.PROGRAMMED)
    async with services.database.transaction() as tx:
        other = await services.registry.ensure_system(tx, "other", "cliq", at)
        await services.registry.take_inventory(
            tx, other.id, Inventory((found,), (), (), as_of=at, visibility_complete=True), at
        )
        await services.custody.hand_out(
            tx,
            (await services.registry.get_key(tx, "X1")).id,
            shift.spine.persons[ref],
            actor="user:desk",
            at=at,
        )
        key = await services.registry.get_key(tx, "X1")
        entry = await services.custody.tell(tx, "keys:adoption:take", key, actor="user:desk", at=at)
        await tx.execute("UPDATE key_key SET adopted_at = $2, entry = $3 WHERE id = $1", key.id, at, entry)
