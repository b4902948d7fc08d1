"""Several keys of one holder: what finds no room on any of them is shared out, so that each grant is on one of them.

As long as everything fits, each key carries all that its holder may open, and it does not matter which one he takes. Where
a grant fits on none of them beside the others, the grants are given to the keys one by one. Which key gets which follows
from what the keys hold already, so nothing moves without need, and from the names of the keys where that does not decide.

Pure. Every key of the holder comes to the same answer, whichever of them is planned.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from .carry import CannotWhy, Covers, GrantToCarry, plan_key
from .compile.compiler import Compiled, KeyNow, WantedGrant, compile_keys

NO_ROOM: Final = frozenset({CannotWhy.NO_SLOT, CannotWhy.TOO_MANY_RIGHTS})


def finds_no_room(compiled: Compiled) -> bool:
    """Tell whether anything stays out of a key only because of what else is on it."""
    return any(each.cannot.why in NO_ROOM for each in compiled.cannot.values())


def share_out(
    keys: Sequence[KeyNow], asked: Sequence[GrantToCarry], covers: Covers, *, at: datetime
) -> Compiled | None:
    """Give each grant to one of its holder's keys; None where none has to be: each fits on a key beside all others."""
    left_out = [
        {grant for grant, cannot in plan_key(asked, covers, key.limits, at=at).cannot.items() if cannot.why in NO_ROOM}
        for key in keys
    ]  # fmt: skip
    if len(keys) < 2 or not set.intersection(*left_out):
        return None
    names = frozenset(key.key for key in keys)
    return compile_keys(keys, [WantedGrant(each, names) for each in asked], covers, at=at)
