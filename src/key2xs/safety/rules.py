"""The safety rules S1 to S6. They come before every other rule of the product.

Each rule is one or two functions. What is not known counts as the dangerous case: a way out that nobody described is
not free, a lock that nobody reported is on, an attendant who cannot be placed is not there.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from key2xs.core.tri import Tri

from .types import GO, Crew, Ending, Inside, Lockout, Verdict, Word

EMERGENCY_DUTIES: Final = frozenset({"fire_brigade", "emergency_response", "emergency"})
"""Duties whose keys are there for the worst moment."""

WARN_AHEAD: Final = timedelta(minutes=15)
"""How long before an end people behind a lock are asked after: long enough to walk there."""

STILL_INSIDE_FOR: Final = timedelta(hours=12)
"""An opening older than a shift says nothing of who is inside now."""

ATTENDANT: Final = "confined_space_attendant"

NOT_ENTRANTS: Final = frozenset(
    {
        ATTENDANT, "fire_watch", "standby", "issuing_authority", "area_authority", "isolating_authority",
        "isolating_authority_electrical", "isolating_authority_mechanical", "isolation_verifier", "site_controller",
    }
)  # fmt: skip
"""Roles on a confined space permit that do not go in; every other role does."""


# S1. Fire-brigade and emergency keys never enter a block list or a mass action.


def may_be_blocked(*, emergency_key: bool) -> Verdict:
    """Say whether a key may be put on a block list."""
    if emergency_key:
        return Verdict("never", "S1", "this is an emergency key; those never enter a block list")
    return GO


def spared_from_mass_actions(*, basis: str, duty: str) -> Verdict:
    """Say whether access is left out of every act on many: a two-person emergency, or an emergency duty."""
    if basis == "emergency" or duty in EMERGENCY_DUTIES:
        return Verdict("never", "S1", "access for emergencies is never part of a mass action")
    return GO


# S2. Where a lock may bar a way out: say who may be inside, warn before the end, ask. It never prolongs anything.


def asks_about_way_out(egress_free: Tri) -> bool:
    """Tell whether a lock may bar a way out. Not known is not free."""
    return egress_free != "yes"


def may_be_inside(someone: Inside, at: datetime) -> bool:
    """Tell whether somebody may be behind the lock now."""
    if someone.signed_on:
        return True
    if someone.opened_at is None or at - someone.opened_at > STILL_INSIDE_FOR:
        return False
    return someone.seen_outside_at is None or someone.seen_outside_at <= someone.opened_at


def warns_before_lock(
    egress_free: Tri, inside: Iterable[Inside], *, ends_at: datetime, at: datetime
) -> Verdict:
    """Say whether the shift leader is warned that somebody may lose the way out at `ends_at`."""
    if not asks_about_way_out(egress_free) or ends_at - at > WARN_AHEAD:
        return GO
    if not any(may_be_inside(someone, at) for someone in inside):
        return GO
    known = "may bar a way out" if egress_free == "no" else "is not known to leave the way out free"
    return Verdict("warn", "S2", f"somebody may be inside, and this lock {known}", ends_at)


# S3. A lock box ends only after the personal locks are off; the isolating authority of a suspended permit keeps.


def locks_on(lockout: Lockout) -> Tri:
    """Say whether a personal lock hangs on a lock box of a lockout.

    Not known where somebody at work has put none on any box, though there is a lockout: the lock may be there and
    missing only in what we were told. Once nobody is signed on, what was never reported is not waited for.
    """
    if any(box.on for box in lockout.boxes):
        return "yes"
    if not lockout.boxes and not lockout.isolated:
        return "no"
    with_lock = {worker for box in lockout.boxes for worker in box.ever}
    return "unknown" if lockout.workers - with_lock else "no"


def stays_for_personal_locks(*, lock_box: bool, isolation: bool, locks: Tri, ending: Ending) -> Verdict:
    """Say whether access to one cylinder stays although it ends. `lock_box`, `isolation`: what the cylinder locks."""
    if lock_box and locks == "yes":
        return Verdict("hold", "S3", "a personal lock is still on the lock box")
    if lock_box and locks == "unknown":
        return Verdict("hold", "S3", "it is not known whether all personal locks are off the lock box")
    if (lock_box or isolation) and ending.isolating_suspended and ending.act in {"clock", "facts"}:
        return Verdict(
            "hold", "S3", "the permit is suspended, and its isolating authority keeps the isolation's keys"
        )
    return GO


# S4. The last holder on shift for a unit's isolation or emergency cylinders is not removed by one person or a machine.


def stays_with_last_holder(*, on_duty: bool, others: Collection[object], ending: Ending) -> Verdict:
    """Say whether a duty holder's access to isolation or emergency cylinders of a unit stays.

    `others` are the other people on shift who can do the same. The end of the window is planned and is never held.
    """
    if not on_duty or others or ending.at >= ending.ends_at:
        return GO
    if ending.act == "person":
        return Verdict(
            "second_person",
            "S4",
            "this is the last holder on shift; a second person has to agree",
            ending.ends_at,
        )
    if ending.act == "identity":
        return Verdict(
            "hold", "S4", "this is the last holder on shift; a second person has to confirm", ending.ends_at
        )
    return GO


# S5. A kill on somebody at work is told to the shift leader first, and then proceeds for sure.


def told_before_kill(word: Word, *, signed_on: bool, on_duty: bool, wait: timedelta, at: datetime) -> Verdict:
    """Say whether a person's kill goes now. It waits at most `wait`, and only whoever asked can take it back."""
    if word.withdrawn_at is not None:
        return Verdict("never", "S5", "whoever asked for it took it back")
    if not signed_on and not on_duty:
        return GO
    due = word.asked_at + wait
    if word.proceed_at is not None or at >= due:
        return GO
    doing = "signed on to a permit" if signed_on else "on duty"
    return Verdict("tell_first", "S5", f"somebody {doing} is affected; the shift leader is told first", due)


# S6. A missed check-in alarms and never revokes; losing the attendant suspends the work.


def check_in_missed(*, due_at: datetime, seen_at: datetime | None, at: datetime) -> Verdict:
    """Say whether a check-in is missed. Whatever it says, nobody loses access over it."""
    if at < due_at or seen_at is not None:
        return GO
    return Verdict("warn", "S6", "a check-in is missed: find out how they are", due_at)


def attendant_lost(permit_type: str, crew: Iterable[Crew]) -> Verdict:
    """Say whether the work stops because somebody is in a confined space and nobody attends.

    An attendant counts who is signed on and known to be an active identity.
    """
    people = list(crew)
    if permit_type != "confined_space":
        return GO
    entrants = any(each.signed_on and each.role not in NOT_ENTRANTS for each in people)
    attended = any(each.signed_on and each.role == ATTENDANT and each.active == "yes" for each in people)
    if entrants and not attended:
        return Verdict("suspend", "S6", "people are signed on to a confined space and nobody attends")
    return GO
