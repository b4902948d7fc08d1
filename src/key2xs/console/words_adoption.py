"""Words of the pages about taking a site over."""

from collections.abc import Mapping
from typing import Final

from .words import Status

WRITES: Final[Mapping[bool, Status]] = {
    True: Status("writes", "good", "disc", "Key2XS writes keys of this system, in zones that are enforced."),
    False: Status(
        "read-only", "info", "ring", "Key2XS reads and compares; it writes nothing to this system."
    ),
}

CHECKS: Final[Mapping[str, Status]] = {
    "yes": Status("done", "good", "check"),
    "no": Status("open", "warn", "ring"),
    "unknown": Status("not measured", "quiet", "half"),
}

RUNS: Final[Mapping[str, Status]] = {
    "running": Status("under way", "info", "arrow"),
    "paused": Status("paused", "warn", "square"),
    "done": Status("done", "good", "check"),
}

LOCK_VISITS: Final[Mapping[str, Status]] = {
    "right_missing": Status(
        "right missing",
        "bad",
        "triangle",
        "An administrator adds an API access right to it, then it is programmed once.",
    ),
    "to_program": Status(
        "to be programmed", "warn", "clock", "The right is planned; the lock does not have it yet."
    ),
    "done": Status("done", "good", "check"),
    "done_by_plan": Status(
        "done by plan", "info", "half", "The key system does not say whether the lock has it."
    ),
    "lists_keys": Status(
        "may list normal keys",
        "warn",
        "half",
        "What normal keys open is listed in the cylinders, and nobody reads in which. Retire or replace those keys; "
        "whoever takes one out of a cylinder visits it.",
    ),
    "none_needed": Status("no visit needed", "quiet", "check"),
}
