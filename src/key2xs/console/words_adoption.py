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
        "What normal keys open is listed in the cylinders, and of one of those keys nobody can say in which: it was not "
        "read yet, or some cylinders are hidden from our user there.",
    ),
    "list_waits": Status(
        "list to be brought", "warn", "clock", "Its list of keys changed: a programming key has to visit it."
    ),
    "none_needed": Status("no visit needed", "quiet", "check"),
}

WEIGHTS: Final[Mapping[str, Status]] = {
    "stops": Status(
        "missing", "bad", "triangle", "Nothing works, or nothing works there, until somebody acts."
    ),
    "weakens": Status(
        "weak", "warn", "half", "It works, but an end date or a bound cannot be relied on there."
    ),
    "not_checked": Status(
        "not checked", "quiet", "half", "It could not be looked at; that says nothing either way."
    ),
    "note": Status("note", "info", "ring", "True of this site; nothing has to be done."),
    "fine": Status("fine", "good", "check"),
}
