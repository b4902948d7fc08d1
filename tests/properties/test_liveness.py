"""The twin of every safety promise: without faults, each legal request is granted, delivered, opens and is expected.

A product that always says no would pass every other test in this folder. It fails here.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import Phase, given, settings, strategies as st

from key2xs_twin.clients.permits import Member, Permit
from tests.conftest import START
from tests.support.database import DatabaseServer
from tests.support.spine import Spine
from tests.support.stage import PEOPLE, open_stage, run
from tests.support.tiny import AREA, UNIT, asset_of

from .acts import SCOPES
from .bounds import opens
from .history import History

# Long enough for event, decision, write, order, fetch and acknowledgement with all latencies of the twin.
DELIVERED_WITHIN = timedelta(seconds=60)
PAIRS = {f"K{n:03d}": f"u{n}" for n in range(1, 5)}
# A vendor's grid of 15 minutes rounds every end down: nothing is promised in the last quarter of a window.
QUARTER = timedelta(minutes=15)


@dataclass
class Shift:
    """What the permits of a shift promise, kept by plain arithmetic."""

    history: History
    permits: list[Permit] = field(default_factory=list)
    openings: int = 0

    @property
    def spine(self) -> Spine:
        """The product and the twin."""
        return self.history.spine

    def promised(self, stamp: str, marking: str, at: datetime) -> bool:
        """Tell whether somebody who may open this now has the key."""
        return any(
            permit.state == "live"
            and permit.valid_from <= at < permit.valid_to - QUARTER
            and any(asset["id"] == asset_of(marking) for asset in permit.assets)
            and any(m.ref == PAIRS[stamp] for m in permit.working())
            for permit in self.permits
        )

    async def check(self) -> None:
        """Everything promised opens, and everything not promised by anybody does not."""
        for stamp in PAIRS:
            for marking in ("C1", "C2", "C3"):
                if self.promised(stamp, marking, self.spine.now):
                    assert opens(self.spine, stamp, marking), self._why(stamp, marking, "does not open")
                    row = (await self.spine.who_can_open(marking)).get(stamp)
                    assert row is not None, self._why(stamp, marking, "is not in the answer")
                    assert row.kind == "still_allowed", self._why(stamp, marking, row.kind)
                    assert row.exposed_until is not None, self._why(stamp, marking, "has no bound")
                elif not self._late(stamp, marking):
                    assert not opens(self.spine, stamp, marking), self._why(stamp, marking, "still opens")

    def present(self, stamp: str, marking: str) -> None:
        """Hold a key that may open to its lock."""
        if self.promised(stamp, marking, self.spine.now):
            assert self.spine.try_open(stamp, marking)
            self.openings += 1

    def _late(self, stamp: str, marking: str) -> bool:
        """In the last quarter the key may still open or not."""
        return self.promised(stamp, marking, self.spine.now - QUARTER)

    def _why(self, stamp: str, marking: str, what: object) -> str:
        return "\n".join([f"{stamp} at {marking}: {what}, at {self.spine.now}", *self.history.told])


act = st.tuples(
    st.sampled_from(
        ("issue", "issue", "sign_on", "sign_off", "suspend", "revalidate", "close", "wait", "present")
    ),
    st.integers(0, 11),
    st.integers(0, 11),
)


async def _play(databases: DatabaseServer, acts: list[tuple[str, int, int]]) -> None:
    async with open_stage(databases, START) as stage:
        await stage.spine.settle()
        shift = Shift(History(stage))
        for stamp, ref in PAIRS.items():
            await shift.spine.hand_out(stamp, ref)
        for name, a, b in [("issue", 0, 0), *acts]:
            shift.history.told.append(f"{shift.spine.now:%H:%M:%S} {name} {a} {b}")
            _do(shift, name, a, b)
            await shift.history.go_on()
            await shift.history.wait(DELIVERED_WITHIN, timedelta(seconds=20))
            if name == "wait":
                await shift.history.wait(timedelta(minutes=20 * (1 + a % 5)), timedelta(minutes=5))
            await shift.check()
        await shift.history.wait(timedelta(minutes=2), timedelta(seconds=30))
        classes = await shift.spine.classes()
        assert classes == ({"expected": shift.openings} if shift.openings else {}), classes


def _do(shift: Shift, name: str, a: int, b: int) -> None:
    ptw, at = shift.spine.ptw, shift.spine.now
    if name == "issue":
        _issue(shift, a, b)
        return
    permit = shift.permits[a % len(shift.permits)]
    ref = PEOPLE[b % 4]
    working = {member.ref for member in permit.working()}
    if name == "sign_on" and permit.state == "live" and ref not in working:
        ptw.sign_on(permit.id, ref, at=at, role="performing_authority", company="v017")
        shift.history.sign(permit.id)
    elif name == "sign_off" and ref in working:
        ptw.sign_off(permit.id, ref, at=at)
    elif name == "suspend" and permit.state == "live" and at < permit.valid_to:
        ptw.suspend(permit.id, code="weather", at=at)
    elif name == "revalidate" and permit.state == "suspended" and at < permit.valid_to:
        ptw.revalidate(permit.id, by="u00411", valid_to=at + timedelta(hours=2), at=at)
        shift.history.sign(permit.id)
    elif name == "close" and permit.state == "live" and at < permit.valid_to:
        ptw.hand_back(permit.id, at=at)
    elif name == "present":
        shift.present(f"K{1 + b % 4:03d}", f"C{1 + a % 3}")


def _issue(shift: Shift, a: int, b: int) -> None:
    ptw, at = shift.spine.ptw, shift.spine.now
    refs = [PEOPLE[b % 4]] if b < 6 else [PEOPLE[b % 4], PEOPLE[(b + 1) % 4]]
    permit = ptw.create(
        type_="cold_work", area=AREA, unit=UNIT, assets=[asset_of(m) for m in SCOPES[a % 5]], valid_from=at,
        valid_to=at + timedelta(hours=1 + a % 4), at=at,
        people=[Member(ref=ref, role="performing_authority", company="v017") for ref in refs],
    )  # fmt: skip
    shift.permits.append(permit)
    ptw.approve(permit.id, by="u00411", at=at, role="issuing_authority")
    ptw.go_live(permit.id, by="u00411", at=at)
    for ref in refs:
        ptw.sign_on(permit.id, ref, at=at)
    shift.history.sign(permit.id)


@settings(max_examples=4 * settings().max_examples // 25, phases=(Phase.explicit, Phase.generate))
@given(acts=st.lists(act, min_size=5, max_size=14))
def test_every_legal_request_is_granted_delivered_opens_and_is_expected(
    databases: DatabaseServer, acts: list[tuple[str, int, int]]
) -> None:
    run(_play(databases, acts))
