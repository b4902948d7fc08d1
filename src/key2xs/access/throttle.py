"""Pace of attempts to sign in, per name and per address, and with one-time codes. In memory, by the process's own time."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
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
# One-time codes: a wrong code is nobody's and a right one is used up, so attempts are counted by address. All addresses
# together have a pace too: at ten a second, guessing for two hundred years finds one of ten codes of 39 bits. It never
# stands in the way of an address that has hardly tried, so nobody can lock the desk's visitors out from elsewhere.
CODE_BURST: Final = 30
CODE_FREE: Final = 3
CODES_BURST: Final = 300
_SECONDS_EACH: Final = {
    "pair": 30.0, "name": 6.0, "address": 5.0, "unknown": 10.0, "code": 2.0, "codes": 0.1,
}  # fmt: skip
_NETWORK: Final = 64  # bits: one subscriber has all IPv6 addresses behind them
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
        address = _place(address)
        waits = [
            self._wait("pair", (name, address), PAIR_BURST),
            self._wait("name", name, NAME_BURST),
            self._wait("address", address, ADDRESS_BURST),
        ]
        if max(waits) > 0:
            raise TooManyAttempts(max(waits))

    def take_code(self, address: str) -> None:
        """Spend one attempt at a one-time code.

        Raises:
            TooManyAttempts: the address has none left, or all together have none and this one had its first few.
        """
        place = _place(address)
        wait = self._wait("code", place, CODE_BURST)
        if not wait and self._buckets["code", place].left < CODE_BURST - CODE_FREE:
            wait = self._wait("codes", "", CODES_BURST)
        if wait:
            raise TooManyAttempts(wait)

    def forgive_code(self, address: str) -> None:
        """Forget an address's wrong codes after a right one there."""
        self._buckets.pop(("code", _place(address)), None)

    def may_tell(self) -> bool:
        """Tell whether one more attempt under an unknown name may go on the log."""
        return self._wait("unknown", "", UNKNOWN_BURST) == 0

    def forgive(self, name: bytes, address: str) -> None:
        """Forget a name's failures at an address after a right password there."""
        self._buckets.pop(("pair", (name, _place(address))), None)

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


def _place(address: str) -> str:
    """Return what attempts from an address count for: itself, or its network where one may have very many."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{int(found) >> (128 - _NETWORK):x}/{_NETWORK}"
