"""Acts with CLIQ things as data, named as people name things."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from key2xs_twin.deed import Deed

if TYPE_CHECKING:
    from key2xs_twin.devices.things import Opening
    from key2xs_twin.directory import Directory
    from key2xs_twin.world import World


class PresentAtUpdater(Deed, frozen=True, tag="present_at_updater", kw_only=True):
    """Hold a key to an updater (named by its place)."""

    key: str
    updater: str
    pulled_early: bool = False
    ack_lost: bool = False


class LoadProgrammingKey(Deed, frozen=True, tag="load_programming_key", kw_only=True):
    """A programming key takes its tasks along."""

    programming_key: str
    updater: str


class InsertProgrammingKey(Deed, frozen=True, tag="insert_programming_key", kw_only=True):
    """A programming key does its tasks in a cylinder."""

    programming_key: str
    lock: str
    pulled_early: bool = False


class ReturnProgrammingKey(Deed, frozen=True, tag="return_programming_key", kw_only=True):
    """A programming key tells what it did."""

    programming_key: str
    updater: str


class PresentForeignKey(Deed, frozen=True, tag="present_foreign_key", kw_only=True):
    """A CLIQ key of another locking system is tried at a cylinder."""

    lock: str
    serial: str = "900000001"


class CliqAdministrator(Deed, frozen=True, tag="cliq_out_of_band", kw_only=True):
    """Another CLIQ administrator works behind the product's back; `what` says how, the rest as it needs."""

    what: Literal["change_plan", "send", "hand_to", "change_group", "report_lost", "retire"]
    key: str = ""
    group: str = ""
    holder: str = ""  # empty: nobody
    cylinders: list[str] | None = None  # markings or ids: of the access list, or of the group
    ends_at: datetime | None = None
    revalidation_minutes: int | None = None


CliqDeed: TypeAlias = (
    PresentAtUpdater
    | LoadProgrammingKey
    | InsertProgrammingKey
    | ReturnProgrammingKey
    | PresentForeignKey
    | CliqAdministrator
)


def carry_out(world: World, find: Directory, act: CliqDeed) -> tuple[bool | None, Opening | None]:
    """Do one act now: whether it worked, and the opening if it was one."""
    match act:
        case PresentAtUpdater():
            updated = world.present_at_updater(
                find.key(act.key),
                find.updater(act.updater),
                pulled_early=act.pulled_early,
                ack_lost=act.ack_lost,
            )
            return updated, None
        case LoadProgrammingKey():
            carrier = find.programming_key(act.programming_key)
            return world.load_programming_key(carrier, find.updater(act.updater)) > 0, None
        case InsertProgrammingKey():
            carrier = find.programming_key(act.programming_key)
            done = world.insert_programming_key(carrier, find.lock(act.lock), pulled_early=act.pulled_early)
            return done, None
        case ReturnProgrammingKey():
            carrier = find.programming_key(act.programming_key)
            return world.return_programming_key(carrier, find.updater(act.updater)), None
        case PresentForeignKey():
            opening = world.present_foreign_key(find.lock(act.lock), act.serial)
            return opening.ok, opening
        case CliqAdministrator():
            _administer(world, find, act)
            return None, None


def _administer(world: World, find: Directory, act: CliqAdministrator) -> None:
    admin = world.cliq_out_of_band
    cylinders = None if act.cylinders is None else [find.lock(name) for name in act.cylinders]
    if act.what == "change_group":
        admin.change_group(find.group(act.group), cylinders or [])
        return
    key_id = find.key(act.key)
    if act.what == "change_plan":
        admin.change_plan(
            key_id, cylinders, ends_at=act.ends_at, revalidation_minutes=act.revalidation_minutes
        )
    elif act.what == "hand_to":
        admin.hand_to(key_id, act.holder or None)
    else:
        {"send": admin.send, "report_lost": admin.report_lost, "retire": admin.retire}[act.what](key_id)
