"""What somebody edited, and what may be written to a key whose edit is left or held. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final

from key2xs.keys.program import EMPTY_PROGRAM, Program, Unlimited
from key2xs.keys.wire import program_json, program_of

from .types import OF_THE_PLAN, POLICIES, Change, Finding, Kind, Ours, Policy, Seen

_FIELDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("start", "starts_at"),
    ("end", "ends_at"),
    ("interval", "offline_expires_after"),
    ("renewal", "renews_until"),
    ("schedule", "schedule"),
)


def compare(before: Seen, after: Seen, ours: Ours) -> tuple[Change, ...]:
    """Return what somebody else changed between two readings. What Key2XS did itself is no change."""
    return (
        *_plan(before, after, ours),
        *_device(before, after, ours),
        *_flags(before, after, ours),
    )


def _plan(before: Seen, after: Seen, ours: Ours) -> Iterable[Change]:
    old, new = before.planned or EMPTY_PROGRAM, after.planned or EMPTY_PROGRAM
    if old == new:
        yield from _unread(before, after, ours)
        return
    if is_among(new, ours.written) or is_renewal(old, new):
        return
    if new.opens_nothing and (ours.block or (after.blocked and not before.blocked)):
        return  # a maker empties a key that is blocked; the block is the edit, if it is one
    old = _nearest(old, new, ours.written)
    said = (program_json(old), program_json(new))
    if old.rights != new.rights:
        yield Change("rights", *said)
        if old.opens_nothing or new.opens_nothing:
            return  # the limits came or went with the rights
    for kind, name in _FIELDS:
        if getattr(old, name) != getattr(new, name):
            yield Change(kind, *said)


def _nearest(old: Program, new: Program, written: Iterable[Program]) -> Program:
    """Return what an edit was made on: what was read before, or what we wrote since where that differs in less."""

    def differs(each: Program) -> int:
        return sum(getattr(each, name) != getattr(new, name) for name in ("rights", *dict(_FIELDS).values()))

    return min((old, *written), key=differs)


def _unread(before: Seen, after: Seen, ours: Ours) -> Iterable[Change]:
    """Find an edit of what is in the maker's plan and in no program: weekly profiles, the list of a key that opens nothing."""
    same = (before.holder, before.blocked) == (after.holder, after.blocked)
    is_ours = ours.written or ours.block or ours.unblock
    if before.version != after.version and before.version and after.version and same and not is_ours:
        yield Change("limits", before.version, after.version)


def _device(before: Seen, after: Seen, ours: Ours) -> Iterable[Change]:
    new = after.on_device
    if new is None or new == before.on_device:
        return
    known = [*ours.on_keys, *ours.written]
    known += [each for each in (before.planned, before.on_device, after.planned) if each is not None]
    if new.opens_nothing or is_among(new, known) or any(is_renewal(each, new) for each in known):
        return
    old = before.on_device
    yield Change("device", program_json(old) if old is not None else None, program_json(new))


def _flags(before: Seen, after: Seen, ours: Ours) -> Iterable[Change]:
    if before.holder != after.holder and not ours.holder:
        yield Change("holder", before.holder, after.holder)
    if after.blocked and not before.blocked and not ours.block:
        yield Change("blocked", False, True)
    if before.blocked and not after.blocked and not ours.unblock:
        yield Change("unblocked", True, False)
    if before.outside_visible and not after.outside_visible:
        yield Change("outside", True, False)


def is_among(program: Program, known: Iterable[Program]) -> bool:
    """Tell whether a program is one of these; all that open nothing are one."""
    return any(each == program or (each.opens_nothing and program.opens_nothing) for each in known)


def is_renewal(old: Program, new: Program) -> bool:
    """Tell whether a maker's scheduler alone made the difference: it moves the end forward by itself."""
    if old.renews_until is None or old.ends_at is None or new.ends_at is None or new.ends_at < old.ends_at:
        return False
    if not isinstance(old.renews_until, Unlimited) and new.ends_at > old.renews_until:
        return False
    return replace(old, ends_at=new.ends_at) == new


def still_there(kind: Kind, before: Any, after: Any, now: Seen) -> bool:
    """Tell whether what a finding found is still what the maker holds."""
    if kind in OF_THE_PLAN:
        held, found = now.planned or EMPTY_PROGRAM, program_of(after)
        name = "rights" if kind == "rights" else dict(_FIELDS)[kind]
        return bool(getattr(held, name) == getattr(found, name))
    if kind == "device":
        return now.on_device is not None and now.on_device == program_of(after)
    if kind == "limits":
        return bool(
            now.version != before
        )  # a write of ours changes the version, too, and leaves what it does not read
    if kind == "holder":
        return bool(now.holder == after)
    if kind in {"blocked", "unblocked"}:
        return bool(now.blocked == after)
    if kind == "outside":
        return bool(now.outside_visible == after)
    return True  # listings tell of the others


def given(old: Program, new: Program, wanted: Program) -> frozenset[str]:
    """Return the rights by which an edit gave more than is wanted: new ones, or all where the limits became wider."""
    if not new.wider_than(old):
        return frozenset()
    limits_widened = replace(new, rights=new.rights & old.rights).wider_than(old)
    added = new.rights if limits_widened else new.rights - old.rights
    too_long = frozenset(
        right for right in added & wanted.rights if replace(new, rights=frozenset({right})).wider_than(wanted)
    )
    return (added - wanted.rights) | too_long


def policy_of(zones: Collection[tuple[str, Policy | None]]) -> tuple[Policy, bool]:
    """Return what is done with an edit that touches zones of these modes and policies; and whether it is left.

    A hold anywhere holds the key; an enforced zone that reverts wins over one that reports. A zone that is not enforced
    is only followed, so its default reports.
    """
    if any(policy == "hold" for _, policy in zones):
        return "hold", False
    enforced = [policy or "revert" for mode, policy in zones if mode == "enforce"]
    if "revert" in enforced:
        return "revert", False
    return "report", bool(enforced)


def default_policy(mode: str) -> Policy:
    """Return what a zone does with edits as long as nobody says otherwise."""
    return "revert" if mode == "enforce" else "report"


def loosens(before: Policy, after: Policy) -> bool:
    """Tell whether a change of policy leaves edits where they were undone, or unseen where somebody had to decide."""
    return POLICIES.index(after) < POLICIES.index(before)


def leaves_alone(findings: Iterable[Finding], wanted: Program) -> str | None:
    """Return whether the edits of a key's plan that are still there are *held* or *left* at present; None when the key is written as usual.

    An edit that is left, by policy or because somebody accepted it, is left as long as the same is wanted on the key.
    """
    left = False
    for each in findings:
        if each.is_open and each.policy == "hold" and each.decision is None:
            return "held"
        if each.decision == "revert" or (each.is_open and each.policy == "revert"):
            return None
        is_left = each.leaves if each.is_open else each.state == "accepted"
        left = left or (is_left and each.wanted == wanted)
    return "left" if left else None


def narrowed(planned: Program, wanted: Program, base: Program, taken: Collection[str]) -> Program | None:
    """Return what to write although an edit is left or held, because access ended meanwhile; None when none did.

    `base` is what the key held before the edit, or what was written since; `taken` are rights that Key2XS took away.
    What is returned opens nothing that is not wanted and nothing that the key does not hold already.
    """
    if base.within(wanted) and not planned.rights & (frozenset(taken) - wanted.rights):
        return None
    rights = planned.rights & wanted.rights
    ours = replace(wanted, rights=rights)
    if ours.within(planned):
        return ours if rights else EMPTY_PROGRAM
    theirs = replace(planned, rights=rights)
    is_plain = planned.schedule is None and planned.renews_until is None
    return theirs if is_plain and theirs.within(wanted) else EMPTY_PROGRAM
