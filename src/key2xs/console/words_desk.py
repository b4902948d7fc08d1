"""The words of the key desk: how sure it is who had a key, what does not fit, how far an escalation is."""

from collections.abc import Mapping
from typing import Final

from key2xs.keys.types import StoredEvent

from .words import Status

CERTAINTIES: Final[Mapping[str, Status]] = {
    "sure": Status("sure", "good", "disc"),
    "crew": Status(
        "crew key", "info", "half", "Its leader answers for it; any of the crew may have used it."
    ),
    "lost": Status("reported lost", "bad", "triangle", "Whoever was handed it does not have it."),
    "between": Status(
        "between two holders", "warn", "half", "It was changing hands, or two people may have it."
    ),
    "in_cabinet": Status("in the cabinet", "quiet", "square"),
    "unknown": Status("not known", "quiet", "ring"),
}

FINDINGS: Final[Mapping[str, str]] = {
    "taken_while_out": "A cabinet gave it to {person}, and {holder} has not brought it back.",
    "handed_out_while_out": "The desk handed it to {person}; a cabinet says that {holder} never brought it back.",
    "returned_by_other": "{person} brought it back; it was handed to {holder}.",
    "taken_by_unknown": "A cabinet gave it to somebody whom no register knows.",
    "item_removed_outside_schedule": "{person} took it outside the times it may be taken.",
    "door_forced": "The cabinet's door was forced. Count the keys in it.",
    "cabinet_offline": "The cabinet is cut off: what happens there is told later.",
    "clock_ahead": "The cabinet's clock runs ahead. Set it: the order of what it tells depends on it.",
    "unknown_key": "The cabinet named a key that no key system knows.",
    "ambiguous_key": "The cabinet named a stamp that two key systems use. Say in the settings whose keys lie in it.",
    "reported_key_seen": "It is reported lost or broken, and a cabinet has just seen it.",
    "blocked_key_taken": "It is blocked, and {person} took it from a cabinet.",
    "left_with_key": "{holder} went out of the gate with it.",
    "holder_gone": "The access of {holder} ended, and the key is still out.",
}

STEPS: Final[Mapping[str, Status]] = {
    "due": Status("due", "warn", "clock"),
    "reminder": Status("reminder", "warn", "clock"),
    "key_desk": Status("key desk asks for it", "warn", "triangle"),
    "shift_leader": Status("shift leader told", "bad", "triangle"),
    "security": Status("security told", "bad", "triangle"),
}

REPORTS: Final[Mapping[str, Status]] = {
    "lost": Status("lost", "bad", "triangle"),
    "broken": Status("broken", "warn", "cross"),
}


def how_sure(event: StoredEvent) -> str:
    """Say how sure it is that whoever was handed the key had it when it opened."""
    said = {
        "sure": "sure",
        "crew": f"crew key: one of {event.crew_size}",
        "lost": "key was reported lost",
        "between": "between two holders",
        "in_cabinet": "in the cabinet",
    }
    return said.get(event.certainty, "not known who had it")
