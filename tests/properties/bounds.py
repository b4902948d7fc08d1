"""P2: every answer that was ever published about a key and a cylinder, held against device truth.

The oracle answers from the twin's devices only. An edit made behind the product's back voids what was published
until the product has read the key again (assumption *no-unseen-programming*); then the answer must be true again.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from key2xs_twin.time import NEVER
from tests.support.spine import Spine
from tests.support.tiny import MARKINGS, twin_id

_PUBLISHED = """
SELECT key.stamp, cylinder.marking, opener.kind, opener.exposed_until
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
JOIN plant_cylinder AS cylinder ON cylinder.id = opener.cylinder_id
WHERE opener.gone_at = 'infinity'
"""
_READ = """
SELECT key.stamp, target.read_at, coalesce(max(program.number), 0) AS newest
FROM key_key AS key JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN key_program AS program ON program.key_id = key.id
WHERE key.adopted_at IS NOT NULL GROUP BY 1, 2
"""
FOR_EVER_YEAR = 9999


@dataclass(frozen=True)
class Bound:
    """What was said about one pair, and the newest program that was known then."""

    kind: str
    until: datetime | None
    program: int


@dataclass
class Bounds:
    """The newest answer for every pair, and the edits that voided some."""

    published: dict[tuple[str, str], Bound] = field(default_factory=dict)
    edited_at: dict[str, datetime] = field(default_factory=dict)
    seen: int = 0
    """How many finite bounds were checked: a run that never published one proves nothing."""

    async def check(self, spine: Spine) -> list[str]:
        """Take in what is published now; return every answer that device truth contradicts."""
        rows = {(r["stamp"], r["marking"]): r for r in await spine.fetch(_PUBLISHED)}
        wrong = []
        for key in await spine.fetch(_READ):
            if self._is_void(key):
                self.published = {pair: b for pair, b in self.published.items() if pair[0] != key["stamp"]}
                continue
            for marking in MARKINGS:
                pair = (key["stamp"], marking)
                wrong += self._check_pair(spine, pair, _bound(rows.get(pair), key["newest"], spine.now))
        return wrong

    def edited(self, stamp: str, at: datetime) -> None:
        """Somebody changed a key in the vendor's own tool."""
        self.edited_at[stamp] = at

    def _is_void(self, key: Any) -> bool:
        edited = self.edited_at.get(key["stamp"])
        return edited is not None and (key["read_at"] is None or key["read_at"] <= edited)

    def _check_pair(self, spine: Spine, pair: tuple[str, str], bound: Bound) -> list[str]:
        before = self.published.get(pair)
        self.published[pair] = bound
        truth = latest_opening(spine, *pair)
        wrong = []
        if bound.until is not None:
            self.seen += bound.kind == "bound"
            if truth is None or truth > bound.until:
                wrong.append(
                    f"{pair}: said {bound.kind} until {bound.until}, opens until {truth or 'for ever'}"
                )
        stands = before is not None and before.program == bound.program
        # Without a new program what was said earlier still has to hold.
        if before is not None and stands and before.until is not None:
            promised = max(before.until, spine.now)
            if truth is None or truth > promised:
                wrong.append(f"{pair}: said {before.until} earlier, opens until {truth or 'for ever'}")
        return wrong


def latest_opening(spine: Spine, stamp: str, marking: str) -> datetime | None:
    """Return when the key stops opening if nothing further reaches it; None = never; now or earlier = not at all."""
    key, lock = _ids(stamp, marking)
    truth = spine.world.oracle.latest_opening(key, lock, spine.now)
    return spine.now - timedelta(days=365) if truth == NEVER else truth


def opens(spine: Spine, stamp: str, marking: str) -> bool:
    """Tell whether the key would open the cylinder now; nobody is bothered with an attempt."""
    key, lock = _ids(stamp, marking)
    return spine.world.oracle.can_open(key, lock, spine.now)


def _ids(stamp: str, marking: str) -> tuple[UUID, UUID]:
    return twin_id(f"key {int(stamp[1:])}"), twin_id(marking)


def _bound(row: Any, newest: int, now: datetime) -> Bound:
    if row is None:
        return Bound("nothing", now, newest)
    until = row["exposed_until"]
    if not isinstance(until, datetime) or until.year >= FOR_EVER_YEAR:
        return Bound(row["kind"], None, newest)
    return Bound(row["kind"], until, newest)
