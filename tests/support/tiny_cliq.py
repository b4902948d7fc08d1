"""The tiny site with CLIQ cylinders and keys instead of iLOQ: the same markings, stamps, assets and people."""

from dataclasses import replace

from key2xs_twin.cliq import (
    CliqKeyKind,
    CliqKeySpec,
    CliqSite,
    CylinderGroupSpec,
    CylinderSpec,
    KeyPlan,
    ProgrammingKeySpec,
    UpdaterSpec,
)

from .tiny import MARKINGS, TinySite, tiny_site, twin_id

GATEHOUSE, WORKSHOP = twin_id("updater gatehouse"), twin_id("updater workshop")
CARRIERS = (twin_id("programming key 1"), twin_id("programming key 2"))
CLIQ_SECRET = "a-long-enough-secret-for-tests"


def tiny_cliq_site(keys: int = 3) -> TinySite:
    """Make the site: blank dynamic keys, the last one a normal key; no iLOQ lock at all."""
    base = tiny_site(0)
    specs = [
        CliqKeySpec(
            key_id=twin_id(f"key {n}"),
            serial=f"1042{n:05d}",
            marking=f"K{n:03d}",
            kind=CliqKeyKind.DYNAMIC if n < keys else CliqKeyKind.NORMAL,
            plan=KeyPlan(revalidation_minutes=480),
        )
        for n in range(1, keys + 1)
    ]
    site = CliqSite(
        secret=CLIQ_SECRET,
        cylinders=tuple(CylinderSpec(cylinder_id=twin_id(m), marking=m, place=f"AP-{m}") for m in MARKINGS),
        groups=(
            CylinderGroupSpec(
                group_id=twin_id("group"),
                name="C1 and C2",
                member_ids=frozenset({twin_id("C1"), twin_id("C2")}),
            ),
        ),
        keys=tuple(specs),
        updaters=(
            UpdaterSpec(updater_id=GATEHOUSE, place="gatehouse"),
            UpdaterSpec(updater_id=WORKSHOP, place="workshop"),
        ),
        programming_keys=tuple(
            ProgrammingKeySpec(programming_key_id=each, serial=f"C-{n}") for n, each in enumerate(CARRIERS, 1)
        ),
    )
    files = base.files | {
        "cylinders": [row | {"vendor": "cliq", "locking_system": "cliq"} for row in base.files["cylinders"]]
    }
    return TinySite(replace(base.iloq, locks=(), keys=()), files, site)
