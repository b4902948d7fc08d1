"""Chaos as data: which call goes wrong, when, and how. A fault that did not fire fails the test.

Effects (the part after ``:`` is a number):

``lose_request``                the request never arrives; the client sees a time-out
``lose_response_after_commit``  the request is carried out; the client sees a time-out
``late_write:SECONDS``          the client sees a time-out; the request is carried out that much virtual time
                                later, with whatever session and state there is then
``down``                        the connection is refused; the client knows that nothing was sent
``status:CODE``                 an error answer, not carried out; ``retry_after`` adds the header
``garbage``                     carried out, but the answer is no JSON (the worst case)
``unauthorised``                the session is ended first, so that the vendor's 401 comes
``slow:SECONDS``                carried out, and answered late; later than the client waits is a time-out
``repeat``                      not carried out: the last answer to the same operation comes once more; not before there
                                is one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from key2xs_twin.rng import Randomness

if TYPE_CHECKING:
    from key2xs_twin.edge import Answer

EFFECTS = {
    "lose_request": False,
    "lose_response_after_commit": False,
    "late_write": True,
    "down": False,
    "status": True,
    "garbage": False,
    "unauthorised": False,
    "slow": True,
    "repeat": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule. Without ``nth`` or ``probability`` it hits every matching call, at most ``times`` times.

    ``operation`` is a method and a path in which ``*`` stands for one segment; a method ``*`` means any:
    ``PUT Keys/*/SecurityAccesses``, ``* Blacklists/*/*``, ``* **`` for everything. Paths of CLIQ begin with ``cliq/``:
    ``PUT cliq/keys/*/plan``, ``* cliq/**``.
    """

    operation: str
    effect: str
    nth: int | None = None  # the n-th matching call, counted from 1
    probability: float | None = None  # of each matching call, seeded
    times: int | None = None
    retry_after: float | None = None  # seconds
    from_at: datetime | None = None  # virtual time
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        name, _, argument = self.effect.partition(":")
        if name not in EFFECTS or EFFECTS[name] != bool(argument):
            raise ValueError(f"unknown fault effect {self.effect!r}")

    @property
    def name(self) -> str:
        """The effect without its number."""
        return self.effect.partition(":")[0]

    @property
    def number(self) -> float:
        """The number of the effect."""
        return float(self.effect.partition(":")[2] or 0)


@dataclass(slots=True)
class Rule:
    """A fault with its counters."""

    fault: Fault
    pattern: re.Pattern[str]
    seen: int = 0
    fired: int = 0


class FaultPlan:
    """The faults of one server; asked once for each call."""

    def __init__(self, rng: Randomness, faults: Iterable[Fault] = ()) -> None:
        self._rng = rng
        self.rules: list[Rule] = []
        self.remembered: dict[str, Answer] = {}
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> Rule:
        """Plan one more fault."""
        rule = Rule(fault, _compile(fault.operation))
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget all rules, counters and answers."""
        self.rules.clear()
        self.remembered.clear()

    def remember(self, operation: str, answer: Answer) -> None:
        """Keep an answer where some rule may give it again."""
        if any(rule.fault.name == "repeat" and rule.pattern.fullmatch(operation) for rule in self.rules):
            self.remembered[operation] = answer

    def pick(self, operation: str, now: datetime) -> Fault | None:
        """The fault that hits this call, if any: the first rule that fires wins, all rules count."""
        chosen: Rule | None = None
        for number, rule in enumerate(self.rules):
            if not rule.pattern.fullmatch(operation) or not _in_time(rule.fault, now):
                continue
            rule.seen += 1
            if rule.fault.name == "repeat" and operation not in self.remembered:
                continue
            if self._fires(number, rule) and chosen is None:
                chosen = rule
        if chosen is None:
            return None
        chosen.fired += 1
        return chosen.fault

    def _fires(self, number: int, rule: Rule) -> bool:
        fault = rule.fault
        if fault.times is not None and rule.fired >= fault.times:
            return False
        if fault.nth is not None:
            return rule.seen == fault.nth
        if fault.probability is not None:
            return self._rng.stream("fault", number, fault.operation).random() < fault.probability
        return True

    def fired(self) -> dict[str, int]:
        """How often each rule fired."""
        return {f"{rule.fault.operation} {rule.fault.effect}": rule.fired for rule in self.rules}

    def assert_all_fired(self) -> None:
        """Fail if a planned fault never happened: such a test would prove nothing.

        Raises:
            AssertionError: names the faults that did not fire.

        """
        silent = [f"{rule.fault.operation} {rule.fault.effect}" for rule in self.rules if not rule.fired]
        if silent:
            raise AssertionError(f"planned faults that never fired: {', '.join(silent)}")


def _in_time(fault: Fault, now: datetime) -> bool:
    if fault.from_at is not None and now < fault.from_at:
        return False
    return fault.until_at is None or now < fault.until_at


def _compile(operation: str) -> re.Pattern[str]:
    method, _, path = operation.partition(" ")
    words = "[A-Z]+" if method == "*" else re.escape(method)
    segments = {"*": "[^/]+", "**": ".*"}
    return re.compile(words + " " + "/".join(segments.get(part, re.escape(part)) for part in path.split("/")))
