"""One wish with everything needed to decide it, at one instant. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from key2xs.core.ids import CylinderId
from key2xs.identity.types import PersonFacts
from key2xs.plant.types import CylinderFacts
from key2xs.policy.bundle import Bundle
from key2xs.policy.reasons import ReasonCode
from key2xs.policy.types import Reason

from .decide import judge
from .types import GrantState, Keys, Verdict, Wish

BUNDLE_SUBJECT = "bundle:policy"
# A window is walked from one change to the next to find where policy would say no; more changes than this within
# one lease do not occur, and stopping early only makes the lease shorter.
WINDOW_STEPS = 32


@dataclass(frozen=True, slots=True)
class Look:
    """A wish, the facts about its holder, cylinders and keys, and the policy in force at `at`."""

    wish: Wish
    person: PersonFacts
    cylinders: Mapping[CylinderId, CylinderFacts]
    keys: Keys
    bundle: Bundle
    at: datetime

    def verdict(self) -> Verdict:
        """Decide now, or at the start of a lease that lies ahead."""
        return self._judge(max(self.at, self.wish.starts_at))

    @property
    def why_nothing_new(self) -> str:
        """Say which key that the wish needs is reported lost or broken; empty where none is."""
        return self.keys.why_nothing_new(self.wish.cylinders)

    def as_new(self) -> "Look":
        """Return the look of something that does not run yet: a key that is reported lost or broken carries nothing new."""
        return replace(self, keys=self.keys.for_new())

    def state(self, starts_at: datetime) -> GrantState:
        """Return the state of a lease that starts then."""
        return "scheduled" if starts_at > self.at else "active"

    def first_refusal(self, verdict: Verdict) -> datetime:
        """Return the first instant at which the same facts would refuse what is allowed now.

        A contract or qualification that ends inside the window has to be on the key from the start: once offline,
        a key cannot be told.
        """
        end, until = self.wish.ends_at, verdict.until
        for _ in range(WINDOW_STEPS):
            if until is None or until >= end:
                return end
            later = self._judge(until)
            if not verdict.allowed <= later.allowed:
                return until
            until = later.until
        return until or end

    def renewed_until(self, verdict: Verdict) -> datetime:
        """Return when a lease that takes another's place now would end."""
        longest = max(self.wish.starts_at, self.at) + self.wish.longest
        return min(self.first_refusal(verdict), self.wish.ends_at, longest)

    def heads(self, locked: Mapping[str, int]) -> dict[str, int]:
        """Return the facts the decision rests on, each with the version it was locked at."""
        wanted = {BUNDLE_SUBJECT, *self.wish.heads, *self.person.heads}
        wanted.update(
            head for c in self.wish.cylinders if c in self.cylinders for head in self.cylinders[c].heads
        )
        wanted.update(f"key:{key}" for key in self.keys.ids)
        return {subject: locked[subject] for subject in sorted(wanted)}

    def _judge(self, at: datetime) -> Verdict:
        return judge(self.wish, self.person, self.cylinders, self.keys, self.bundle, at)


def refused(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict with everything refused for a reason that policy cannot see."""
    reasons = (Reason(ReasonCode.UNKNOWN, why),)
    return Verdict(frozenset(), verdict.allowed | verdict.denied, reasons, None, verdict.bundle)


def told_of_key(verdict: Verdict, why: str) -> Verdict:
    """Return a refusal over a key with what is wrong with the key, where that is not a block."""
    if verdict.allowed or not why:
        return verdict
    reasons = (
        replace(reason, text=why) if reason.code is ReasonCode.KEY_BLOCKED else reason
        for reason in verdict.reasons
    )
    return replace(verdict, reasons=tuple(reasons))


def noted(verdict: Verdict, note: str) -> Verdict:
    """Return a refusal with what the facts behind it say put first."""
    if verdict.allowed or not note:
        return verdict
    return replace(verdict, reasons=(Reason(ReasonCode.PERMIT_NOT_LIVE, note), *verdict.reasons))


def cut(wish: Wish, ends_at: datetime) -> Wish:
    """Return the wish with an earlier end."""
    return replace(wish, ends_at=ends_at)
