"""A pace for those who send to us: so much at once, so much a second after that. In memory, by the process's own time."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """What one sender may still send. It begins full."""

    burst: float
    a_second: float
    left: float
    at: float

    @classmethod
    def full(cls, *, burst: float, a_second: float, at: float) -> "Pace":
        """Return a pace of which nothing is used; `at` in monotonic seconds."""
        return cls(burst, a_second, burst, at)

    def take(self, amount: float, at: float) -> float:
        """Take so much and return 0, or take nothing and return how many seconds to wait. Never more than a burst."""
        self.left = min(self.burst, self.left + (at - self.at) * self.a_second)
        self.at = at
        if self.left < amount:
            return (amount - self.left) / self.a_second
        self.left -= amount
        return 0.0
