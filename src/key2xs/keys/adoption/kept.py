"""What a key keeps from before Key2XS, and how that goes together with a grant on the same key. Pure.

A key has one start and one end for everything on it. So a grant and standing rights on one key share the earlier end
and the shorter time without contact: neither gets more than it had. When the grant is over the standing rights get
their own limits back, never later ones. Between the grant's end and the key's next contact the standing rights pause.
That is a few seconds for a key that is updated over the air. A key that somebody must carry to an updater would lose,
in a zone that Key2XS has promised to leave alone, what its holder may need there: such a key carries no grant beside
standing rights that would be cut short.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from key2xs.keys.port import VendorRight
from key2xs.keys.program import EMPTY_PROGRAM, UNLIMITED, OfflineExpiry, Program

CARRIES_STANDING = "carries_standing"
"""Why a grant stays out of a key: it would cut short what the key keeps from before."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a key keeps now, and what of it has just ended, by right: why.

    `instead`: rights that the key gets for locks of an ended right that lie outside the enforced zones.
    """

    program: Program
    ended: Mapping[str, str]
    instead: frozenset[str] = frozenset()

    @property
    def changed(self) -> bool:
        """Say whether less is kept than before."""
        return bool(self.ended)


def keep(
    program: Program, catalogue: Iterable[VendorRight], enforced: Collection[str], *, at: datetime
) -> Kept:
    """Return what is still kept of `program` when these locks lie in enforced zones.

    A right that opens an enforced lock ends as a whole: the vendor's right cannot be split. Its other locks are given
    back by writable rights that lie wholly among them, as far as there are any. Nothing opens that did not before.
    """
    if program.opens_nothing:
        return Kept(program, {})
    if program.renews_until is None and program.ends_at is not None and program.ends_at <= at:
        return Kept(EMPTY_PROGRAM, dict.fromkeys(program.rights, "lapsed"))
    inside = frozenset(enforced)
    rights = {right.right: right for right in catalogue}
    ended = {right for right in program.rights if right in rights and rights[right].locks & inside}
    if not ended:
        return Kept(program, {})
    stay = program.rights - ended
    reached = _locks(stay, rights)
    left = _locks(ended, rights) - inside - reached
    instead = _instead(left, rights.values())
    remaining = stay | instead
    kept = replace(program, rights=remaining) if remaining else EMPTY_PROGRAM
    return Kept(kept, dict.fromkeys(ended, "enforced"), instead)


def together(kept: Program, granted: Program, *, over_the_air: bool) -> Program | None:
    """Return the one program for standing rights and a running grant; None when the key must not carry both."""
    if kept.opens_nothing:
        return granted
    if kept.schedule is not None or kept.renews_until is not None:
        # A schedule would close the grant at night; a vendor's own renewal cannot be set up again afterwards.
        return None
    both = replace(
        kept,
        rights=kept.rights | granted.rights,
        starts_at=_later(kept.starts_at, granted.starts_at),
        ends_at=_earlier(kept.ends_at, granted.ends_at),
        offline_expires_after=_shorter(kept, granted),
    )
    cut_short = replace(both, rights=kept.rights) != kept
    return None if cut_short and not over_the_air else both


def _instead(left: frozenset[str], rights: Iterable[VendorRight]) -> frozenset[str]:
    candidates = sorted(
        (right for right in rights if right.writable and right.locks and right.locks <= left),
        key=lambda right: (-len(right.locks), right.right),
    )
    chosen, missing = set[str](), set(left)
    for right in candidates:
        if right.locks & missing:
            chosen.add(right.right)
            missing -= right.locks
    return frozenset(chosen)


def _locks(names: Iterable[str], rights: Mapping[str, VendorRight]) -> frozenset[str]:
    return frozenset[str]().union(*(rights[name].locks for name in names if name in rights))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _shorter(kept: Program, granted: Program) -> OfflineExpiry:
    expiries = [kept.offline_expires_after, granted.offline_expires_after]
    known = [each for each in expiries if isinstance(each, timedelta)]
    if known:
        return min(known)
    return UNLIMITED if UNLIMITED in expiries else None
