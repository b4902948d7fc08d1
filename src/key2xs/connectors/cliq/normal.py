"""Normal keys: what they open is listed in the cylinders, only their limits are in the key. Pure.

A cylinder's list reaches it when a programming key is brought there, and holds what was planned when it was loaded. So a
list that somebody loaded before the plan changed can still arrive later, and put back what another visit took off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from key2xs.keys.carriers import VisitState
from key2xs.keys.port import KeyReading, ProgrammingState
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, Program

from . import payloads as wire
from .mapping import CYLINDER

__all__ = ["Lists", "lists_of", "whole_reading", "without_key"]

_NO_LIMITS = Program(offline_expires_after=UNLIMITED)
_NEVER = Program(
    ends_at=datetime(2000, 1, 1, tzinfo=UTC)
)  # of a key that is listed all the same: not the empty program
_REPROGRAM = "reprogram"


@dataclass(frozen=True, slots=True)
class Lists:
    """What the cylinders say about one normal key.

    Attributes:
        planned, programmed: cylinders that list it.
        unsettled: cylinders where something on its way may change what was programmed last.
        to_visit: cylinders that are not as planned, or may not stay so.
        on_round: programming keys that bring the plan to cylinders that are not as planned. unplaced: those without one.
        off: cylinders that do not list it by plan and by proof, and since when.
    """

    planned: frozenset[str]
    programmed: frozenset[str]
    unsettled: frozenset[str]
    to_visit: frozenset[str]
    unplaced: frozenset[str]
    on_round: dict[str, frozenset[str]]
    off: dict[str, datetime]


def lists_of(listings: Sequence[wire.Listing]) -> Lists:
    """Read what the cylinders say."""
    planned = frozenset(each.cylinder for each in listings if each.planned)
    programmed = frozenset(each.cylinder for each in listings if each.programmed)
    unsettled = frozenset(each.cylinder for each in listings if any(_may_surprise(each)))
    wrong = planned ^ programmed
    on_round = {
        each.cylinder: by for each in listings if each.cylinder in wrong and (by := _bring_the_plan(each))
    }
    off = {
        each.cylinder: since
        for each in listings
        if not each.planned and not each.programmed and each.cylinder not in unsettled
        if (since := each.programmed_at or each.changed_at) is not None
    }
    return Lists(planned, programmed, unsettled, wrong | unsettled, wrong - on_round.keys(), on_round, off)


def _may_surprise(listing: wire.Listing) -> Iterable[bool]:
    """Tell of each visit whether it may bring something else than planned now.

    A cylinder that will be overwritten was disturbed in the middle of a visit: nobody knows what it holds.
    """
    for task in listing.tasks:
        is_loaded = task.state != VisitState.WAITING
        yield task.kind == _REPROGRAM or (is_loaded and task.revision != listing.revision)


def _bring_the_plan(listing: wire.Listing) -> frozenset[str]:
    return frozenset(
        task.programming_key
        for task in listing.tasks
        if task.state == VisitState.WAITING or task.revision == listing.revision
    )


def whole_reading(limits: KeyReading, lists: Lists, confirmed_at: datetime | None) -> KeyReading:
    """Put what the cylinders say into a reading of the key's own limits.

    A key that is *never* valid opens nothing, whatever lists it; the empty program is one that nothing lists either. Lists and limits travel apart, so the program in force is
    never more than what one program that was planned lists, with the limits of another.
    """
    is_shut = limits.planned is not None and limits.planned == limits.on_device == EMPTY_PROGRAM
    ended = dict(lists.off)
    if is_shut and limits.programming_state is ProgrammingState.PROGRAMMED and confirmed_at is not None:
        ended |= dict.fromkeys(lists.planned | lists.programmed | lists.unsettled, confirmed_at)
    by_plan = lists.planned
    if not by_plan and limits.planned != EMPTY_PROGRAM:
        # Nothing is listed by plan, while a cylinder still lets the key in: its limits have to be taken away, too.
        by_plan = lists.programmed | lists.unsettled
    return replace(
        limits,
        planned=_listed(limits.planned, by_plan),
        on_device=_listed(limits.on_device, lists.programmed),
        programming_state=_state(limits.programming_state, lists),
        version=f"{limits.version}:{','.join(sorted(lists.planned))}",
        to_visit=lists.to_visit,
        unplaced=lists.unplaced if not limits.blocked else frozenset(),
        on_round=lists.on_round if not limits.blocked else {},
        ended_at=ended,
    )


def _listed(limits: Program | None, cylinders: frozenset[str]) -> Program | None:
    if limits is None:
        limits = _NO_LIMITS
        if not cylinders:
            return None
    if limits == EMPTY_PROGRAM:
        limits = _NEVER if cylinders else EMPTY_PROGRAM
    return replace(limits, rights=frozenset(CYLINDER + each for each in cylinders))


def _state(limits: ProgrammingState, lists: Lists) -> ProgrammingState:
    """Tell how far lists and limits are together: only when both are there it is *programmed*."""
    if limits is not ProgrammingState.PROGRAMMED or not lists.to_visit:
        return limits
    return ProgrammingState.ON_TOKEN


def without_key(entries: wire.CylinderList, key: str, groups: Iterable[wire.KeyGroup]) -> wire.CylinderList:
    """Take a key off a cylinder's list; a group that holds it is replaced by its other members."""
    keys, kept = {*entries.keys}, {*entries.key_groups}
    for group in groups:
        if group.id in kept and key in group.members:
            kept.discard(group.id)
            keys |= {*group.members}
    return wire.CylinderList(entries.cylinder, entries.revision, sorted(keys - {key}), sorted(kept))
