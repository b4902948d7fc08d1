"""The vendor does what it was told, and its answer is lost: read again before acting."""

from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at
from .window import HANDOVER

WRITE = "PUT Keys/*/SecurityAccesses"


def plan(night: Night) -> None:
    """At half past ten."""
    night.plan(at(22, 30), "the vendor loses an answer after doing what it said", _lose_answer)


async def _lose_answer(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.quick)
    await night.twin.fault(WRITE, "lose_response_after_commit", times=1)
    await night.issue("quick", [cast.quick_panel], [cast.quick], valid_to=ENDS + HANDOVER)
    await night.time.advance(2 * MINUTE)
    fired = await night.twin.clear_faults()
    night.book.expect("vendor-answer-lost", [1], list(fired.values()))
    night.book.expect("lost-answer-survived", "delivered", (await night.key(cast.quick))["progress"])
    night.book.expect("opens-after-a-lost-answer", True, await night.open(cast.quick, cast.quick_panel))
