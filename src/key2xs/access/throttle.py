"""Pace of sign-in attempts, per sign-in name and per address. In memory, by the process's own time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from key2xs.core.errors import Key2XSError

# Ten wrong passwords for a name from one address at once, then one every half minute: guessing 20 bits takes a year,
# and a shift leader with gloves on is not locked out. A name from all addresses together has more, so that nobody
# elsewhere can lock its owner out cheaply. An address may be a whole control room behind one proxy.
PAIR_BURST: Final = 10
NAME_BURST: Final = 100
ADDRESS_BURST: Final = 60
# Entries about names that do not exist: enough for a SIEM to see an attack, too few to fill the log with one.
UNKNOWN_BURST: Final = 100
_SECONDS_EACH: Final = {"pair": 30.0, "name": 6.0, "address": 5.0, "unknown": 10.0}
_MOST_KEPT: Final = 20_000  # counters; the oldest go first, so a flood of names cannot fill the memory


class TooManyAttempts(Key2XSError):
    """Too many sign-in attempts; wait a little."""

    def __init__(self, seconds: float) -> None:
        """Say how long to wait."""
        self.seconds = int(seconds) + 1
        super().__init__(f"too many sign-in attempts; try again in {self.seconds} s")


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Throttle:
    """Counts attempts that failed; one that succeeds gives the name its full allowance back."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives process seconds."""
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[str, Hashable], _Bucket] = OrderedDict()

    def take(self, name: bytes, address: str) -> None:
        """Spend one attempt of a name and of an address.

        Raises:
            TooManyAttempts: one of them has none left.
        """
        waits = [
            self._wait("pair", (name, address), PAIR_BURST),
            self._wait("name", name, NAME_BURST),
            self._wait("address", address, ADDRESS_BURST),
        ]
        if max(waits) > 0:
            raise TooManyAttempts(max(waits))

    def may_tell(self) -> bool:
        """Tell whether one more attempt under an unknown name may go on the log."""
        return self._wait("unknown", "", UNKNOWN_BURST) == 0

    def forgive(self, name: bytes, address: str) -> None:
        """Forget a name's failures at an address after a right password there."""
        self._buckets.pop(("pair", (name, address)), None)

    def _wait(self, what: str, who: Hashable, burst: int) -> float:
        now, each = self._monotonic(), _SECONDS_EACH[what]
        bucket = self._buckets.setdefault((what, who), _Bucket(float(burst), now))
        self._buckets.move_to_end((what, who))
        while len(self._buckets) > _MOST_KEPT:
            self._buckets.popitem(last=False)
        bucket.left = min(float(burst), bucket.left + (now - bucket.at) / each)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) * each
        bucket.left -= 1
        return 0.0
