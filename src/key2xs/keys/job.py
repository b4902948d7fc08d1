"""What one step of the reconciler knows about one key."""

from dataclasses import dataclass
from datetime import datetime

from .calls import Claim
from .planner import Wanted
from .port import KeyReading
from .types import StoredKey, Target


@dataclass(frozen=True, slots=True)
class Job:
    """One step's view of one key: what is wanted, and what was just read."""

    claim: Claim
    key: StoredKey
    target: Target
    wanted: Wanted
    reading: KeyReading
    now: datetime
