"""The words of *End access for many*."""

from collections.abc import Mapping
from typing import Final

from .words import Status

KINDS: Final[Mapping[str, str]] = {
    "company": "A company",
    "package": "A work package",
    "zone": "A security zone",
    "everyone": "Everyone except the emergency crew",
}

STATES: Final[Mapping[str, Status]] = {
    "running": Status("under way", "info", "half"),
    "paused": Status("paused", "warn", "square"),
    "finished": Status("finished", "good", "check"),
}

GRANTS: Final[Mapping[str, str]] = {
    "ended": "ended",
    "narrowed": "go on elsewhere only",
    "held": "held by a safety rule",
    "waiting": "next in turn",
    "told_first": "the shift leader is told first",
    "left": "taken back, so left",
}

PROGRESS: Final[Mapping[str, Status]] = {
    "requested": Status("asked", "warn", "ring"),
    "accepted": Status("accepted", "info", "half"),
    "in_transit": Status("on its way", "info", "arrow"),
    "delivered": Status("in the key", "good", "check"),
    "lapsed": Status("run out", "good", "check"),
    "failed": Status("failed", "bad", "cross"),
    "unknown": Status("not known", "bad", "triangle"),
    "not_written": Status("not written by Key2XS", "warn", "triangle"),
}
