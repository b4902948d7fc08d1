"""What an evening adds for the pages about doubt: a tank farm of CLIQ keys, an edit made elsewhere, memories, acts on many.

The browser tests and `scripts/screenshots.py` look at it, after `play_evening`.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from key2xs.grants.reach import Scope
from key2xs.incidents.kill_types import By
from key2xs.keys.coverage.warnings import MemoryLoop
from key2xs.keys.drift.findings import zone_policies
from key2xs.ledger import Entry, Lane
from key2xs_twin.cliq import (
    CliqKeyKind,
    CliqKeySpec,
    CliqSite,
    CylinderSpec,
    KeyPlan,
    ProgrammingKeySpec,
    UpdaterSpec,
)
from tests.support.tiny import TinySite, twin_id
from tests.support.tiny_cliq import CLIQ_SECRET

from .corner import AREA, UNIT, asset_of, corner
from .showcase import MINUTE, Showcase

GATEHOUSE: Final = twin_id("updater gatehouse")
CARRIER: Final = twin_id("programming key 1")
FARM: Final = "Z5"
# marking, access point, name, kind, latitude, longitude
TANKS: Final = (
    ("7101", "TK-101-DIP", "Tank 101, dip hatch", "tank_dip", "51.8850", "4.2870"),
    ("7102", "TK-101-V", "Tank 101, bottom valve", "valve_lock", "51.8853", "4.2875"),
    ("7103", "TK-102-DIP", "Tank 102, dip hatch", "tank_dip", "51.8866", "4.2901"),
    ("7104", "TK-PUMPS", "Pump house of the tank farm", "door", "51.8871", "4.2880"),
)
DYNAMIC, NORMAL = ("2041", "2042"), ("2051",)
_RUN: Final = """INSERT INTO key_memory_run (system_id, memory, external_id, number, start_at, end_at)
SELECT system_id, 'lock', external_id, 1, $2, $3 FROM key_lock WHERE marking = $1"""
# Rows of ten days before the reading, evenly.
_ROWS: Final = """INSERT INTO key_event (id, system_id, vendor_event_id, occurred_at, time_quality, read_at, arrived_at,
    lock_external_id, cylinder_id, key_external_id, person_certain, outcome, class, why, raw_type, recorded_at, entry)
SELECT gen_random_uuid(), lock.system_id, $1 || '-' || n, $2::timestamptz - n * interval '1 day' / $3::int, 'clock', $2, $2,
    lock.external_id, cylinder.id, 'old', false, 'opened', 'legacy', '', 0, $2, $4::bigint
FROM generate_series(0, $3::int * 10 - 1) AS n, key_lock AS lock
JOIN plant_cylinders AS cylinder ON cylinder.external_id = lock.external_id WHERE lock.marking = $1"""
ASKED, SECOND = UUID(int=0xA), UUID(int=0xB)


def corner_and_farm() -> TinySite:
    """Make the corner with a tank farm beside it: four cylinders, two keys with a list of their own and a normal one."""
    site = corner()
    files = dict(site.files)
    files["zones"] = [*files["zones"], {"code": FARM, "name": "Tank farm", "criticality": "3"}]
    files["assets"] = [
        *files["assets"],
        *(
            {"scheme": "sap_floc", "id": asset_of(m), "name": m, "parent_id": "", "unit": UNIT}
            for m, *_ in TANKS
        ),
    ]
    files["access_points"] = [
        *files["access_points"],
        *({
            "access_point_id": code, "name": name, "kind": kind, "area": AREA, "unit": UNIT,
            "asset_scheme": "sap_floc", "asset_id": asset_of(m), "lat": lat, "lon": lon,
        } for m, code, name, kind, lat, lon in TANKS),
    ]  # fmt: skip
    files["cylinders"] = [
        *files["cylinders"],
        *({
            "cylinder_id": str(twin_id(m)), "locking_system": "cliq", "vendor": "cliq", "marking": m,
            "cylinder_type": "cabinet", "access_point_id": code, "access_point_name": name, "kind": kind,
            "asset_scheme": "sap_floc", "asset_id": asset_of(m), "area": AREA, "unit": UNIT, "zone_ex": "",
            "online": "n", "egress_free": "y", "lat": lat, "lon": lon, "security_zone": FARM, "criticality": "3",
            "safety_role": "none",
        } for m, code, name, kind, lat, lon in TANKS),
    ]  # fmt: skip
    files["asset_cylinders"] = [
        *files["asset_cylinders"],
        *(
            {"asset_scheme": "sap_floc", "asset_id": asset_of(m), "cylinder_id": str(twin_id(m)), "role": "content"}
            for m, *_ in TANKS
        ),
    ]  # fmt: skip
    return replace(site, files=files, cliq=_farm())


def _farm() -> CliqSite:
    return CliqSite(
        secret=CLIQ_SECRET,
        cylinders=tuple(CylinderSpec(cylinder_id=twin_id(m), marking=m, place=code) for m, code, *_ in TANKS),
        keys=tuple(
            CliqKeySpec(
                key_id=twin_id(f"key {stamp}"),
                serial=f"10420{stamp}",
                marking=stamp,
                kind=CliqKeyKind.NORMAL if stamp in NORMAL else CliqKeyKind.DYNAMIC,
                plan=KeyPlan(revalidation_minutes=480),
            )
            for stamp in (*DYNAMIC, *NORMAL)
        ),
        updaters=(UpdaterSpec(updater_id=GATEHOUSE, place="gatehouse"),),
        programming_keys=(ProgrammingKeySpec(programming_key_id=CARRIER, serial="C-1"),),
    )


async def play_troubles(show: Showcase) -> tuple[UUID, UUID]:
    """Play it: CLIQ keys out of reach after a suspension, edits in the maker's tool, full memories, acts on many.

    Returns the acts: one whose grants have ended, one that is paused.
    """
    await _work_in_the_tank_farm(show)
    await _write_memories(show)
    await _edit_elsewhere(show)
    return await _end_access_of_many(show)


async def _work_in_the_tank_farm(show: Showcase) -> None:
    """Two CLIQ keys open there; then the permit is suspended, and nobody holds them to an updater."""
    spine = show.spine
    for stamp, ref in (("2041", "u5"), ("2042", "u6"), ("2051", "u4")):
        await spine.hand_out(stamp, ref)
    await show.settle()
    permit = await show.permit("dipping", *(m for m, *_ in TANKS), crew=("u5", "u6", "u4"), hours=6)
    for stamp in (*DYNAMIC, *NORMAL):
        spine.world.present_at_updater(show.key_id(stamp), GATEHOUSE)
    spine.world.load_programming_key(CARRIER, GATEHOUSE)
    for marking, *_ in TANKS[2:]:
        spine.world.insert_programming_key(CARRIER, twin_id(marking))
    spine.world.return_programming_key(CARRIER, GATEHOUSE)
    await show.pass_time(2 * MINUTE)
    for stamp, marking in (("2041", "7101"), ("2042", "7103")):
        show.present(stamp, marking)
    spine.ptw.suspend(permit.id, code="weather", at=spine.now)
    await show.settle()
    await show.pass_time(2 * MINUTE)


async def _write_memories(show: Showcase) -> None:
    """Two cylinders were read some weeks ago and are opened often: their memories run over before long."""
    now = show.spine.now
    read = ((22, 42), (18, 48))
    async with show.spine.services.database.transaction() as tx:
        system = await show.spine.services.connections.get(tx, "cliq")
        entry = await show.spine.services.ledger.record(
            tx,
            Entry(
                kind="keys:events:take",
                occurred_at=now,
                recorded_at=now,
                actor="system:keys",
                subjects=(f"key_system:{system.id}",),
                lane=Lane.BULK,
            ),
        )
        for (marking, *_), (ago, rows_a_day) in zip(TANKS[:2], read, strict=True):
            end = now - timedelta(days=ago)
            await tx.execute(_RUN, marking, end - timedelta(days=10), end)
            await tx.execute(_ROWS, marking, end, rows_a_day, entry)
    (loop,) = (each for each in show.spine.installation.loops if isinstance(each, MemoryLoop))
    loop._due = None  # it looks once an hour
    await loop.step(now)
    await show.settle()


async def _edit_elsewhere(show: Showcase) -> None:
    """In the maker's own tool somebody gives one key a valve, and takes a valve from another."""
    spine = show.spine
    async with spine.services.database.transaction() as tx:
        for zone in await zone_policies(tx):
            if zone.code == "Z4":
                await spine.services.drift_acts.set_policy(
                    tx, zone.zone_id, "hold", actor="user:setup", reason="valves", at=spine.now
                )
    for stamp, marking in (("1042", "5120"), ("1045", "5121")):
        key = show.key_id(stamp)
        spine.world.out_of_band.change_rights(key, [twin_id(f"right {marking}")])
        spine.world.out_of_band.order(key)
    await show.pass_time(MINUTE)
    for stamp in ("1042", "1045"):
        spine.world.cut_network(show.key_id(stamp))
    await show.pass_time(18 * MINUTE)


async def _end_access_of_many(show: Showcase) -> tuple[UUID, UUID]:
    """Access of one company has ended but for keys out of reach; ending that of another is paused."""
    await show.permit("inspection", "4713", "6003", crew=("u3", "u4", "u7"), hours=4)
    await show.pass_time(2 * MINUTE)
    acts = []
    for ref in ("v022", "v017"):
        (company,) = await show.spine.fetch("SELECT id FROM identity_company WHERE ref = $1", ref)
        scope = Scope("company", str(company["id"]))
        looks, runs, now = show.spine.services.looks, show.spine.services.mass_runs, show.spine.now
        async with show.spine.services.database.transaction() as tx:
            seen = await looks.look(tx, scope, now)
            mass = await runs.start(
                tx, scope, digests=[seen.digest], reason="contract terminated",
                by=By(f"user:{ASKED}", ASKED), confirmed_by=f"user:{SECOND}", at=now,
            )  # fmt: skip
        acts.append(mass)
        if ref == "v022":
            await show.pass_time(4 * MINUTE)
    await show.settle()
    async with show.spine.services.database.transaction() as tx:
        await show.spine.services.mass_runs.set_state(
            tx,
            acts[-1],
            "paused",
            reason="the client wants to be asked first",
            actor=f"user:{SECOND}",
            at=show.spine.now,
        )
    await show.pass_time(2 * MINUTE)
    return acts[0], acts[1]
