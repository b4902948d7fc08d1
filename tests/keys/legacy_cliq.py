"""The same past on CLIQ: keys of three kinds that carry rights from before Key2XS, one of them in the cylinders' own lists."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar
from uuid import UUID

from key2xs_twin.cliq import CliqKeyKind, CliqKeySpec, KeyPlan, UpdaterKind, UpdaterSpec
from tests.support.tiny import MARKINGS, TinySite, twin_id
from tests.support.tiny_cliq import CARRIERS, GATEHOUSE, tiny_cliq_site

from .legacy import Legacy

PHONE = twin_id("phone of K002")
WRITES = ("PUT keys/*/plan", "POST keys/*/send", "POST keys/*/report", "POST jobs", "PUT cylinders/*/list")


def key_id(stamp: str) -> UUID:
    """The vendor's id of a key."""
    return twin_id(f"key {int(stamp[1:])}")


def legacy_cliq_site() -> TinySite:
    """K001 (dynamic) opens C1 and C3, K002 (Connect) C1 and C2 for ever, K003 nothing; C5 lists K004, a normal key."""
    site = tiny_cliq_site(0)
    assert site.cliq is not None
    shift = KeyPlan(revalidation_minutes=480)
    plans = {
        "K001": (CliqKeyKind.DYNAMIC, replace(shift, cylinder_ids=frozenset({twin_id("C1"), twin_id("C3")}))),
        "K002": (CliqKeyKind.CONNECT, KeyPlan(group_ids=frozenset({twin_id("group")}))),
        "K003": (CliqKeyKind.DYNAMIC, shift),
        "K004": (CliqKeyKind.NORMAL, KeyPlan()),
    }
    keys = tuple(
        CliqKeySpec(
            key_id=key_id(stamp), serial=f"1042{n:05d}", marking=stamp, kind=kind, plan=plan,
            phone_id=PHONE if kind is CliqKeyKind.CONNECT else None,
        )
        for n, (stamp, (kind, plan)) in enumerate(plans.items(), 1)
    )  # fmt: skip
    cylinders = tuple(
        replace(each, normal_key_ids=frozenset({key_id("K004")})) if each.marking == "C5" else each
        for each in site.cliq.cylinders
    )
    phone = UpdaterSpec(updater_id=PHONE, kind=UpdaterKind.PHONE, place="phone of K002")
    cliq = replace(site.cliq, keys=keys, cylinders=cylinders, updaters=(*site.cliq.updaters, phone))
    return TinySite(site.iloq, site.files, cliq)


class CliqLegacy(Legacy):
    """The site, and what people do to take it over."""

    make: ClassVar[Callable[[], TinySite]] = staticmethod(legacy_cliq_site)

    def present(self, stamp: str) -> None:
        """Somebody holds a key to the updater at the gatehouse."""
        self.spine.world.present_at_updater(key_id(stamp), GATEHOUSE)

    def visit(self, marking: str) -> None:
        """Somebody fetches what waits for the programming keys and goes to a cylinder with them."""
        world = self.spine.world
        for carrier in CARRIERS:
            world.load_programming_key(carrier, GATEHOUSE)
            world.insert_programming_key(carrier, twin_id(marking))
            world.return_programming_key(carrier, GATEHOUSE)

    def planned(self, stamp: str) -> set[str]:
        """Return what the vendor's plan of a key opens, by marking."""
        state = self.spine.world.cliq.state
        reach = state.reach(state.keys[key_id(stamp)].plan)
        return {marking for marking in MARKINGS if twin_id(marking) in reach}

    def vendor(self) -> str:
        """Return everything the vendor holds about keys, byte for byte."""
        return repr(sorted((str(k), repr(r)) for k, r in self.spine.world.cliq.state.keys.items()))

    def writes(self) -> int:
        """Return how many calls changed or sent something at the vendor."""
        return sum(self.spine.world.cliq.calls[name] for name in WRITES)
