"""What helps where access cannot go onto a key, in one plain line each."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["WAYS_OUT", "WayLine", "way_lines", "ways_out_of"]

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class WayLine:
    """One way out: what to do and who does it."""

    change: str
    by: str


WAYS_OUT: Final[Mapping[str, WayLine]] = {
    "other_key": WayLine("Use key {stamp}: this access goes onto it.", "whoever has the key"),
    "whole_steps": WayLine(
        "Ask for a longer time: the key system stores steps of {minutes} minutes.", "whoever plans the work"
    ),
    "wait": WayLine(
        "Wait until other access on this key ends: then there is room for this.", "nobody has to do anything"
    ),
    "split_window": WayLine(
        "Let it go onto the key when it begins, not before: the key must make contact then.",
        "whoever has the key",
    ),
    "use_right": WayLine(
        "Have access to {locks} more approved: then a right that exists already carries it.",
        "whoever approves the work",
    ),
    "hand_out": WayLine("Hand out another key.", "the key desk"),
    "make_right": WayLine(
        "Have a right made in the key system that opens only these: {locks}, each programmed once.",
        "whoever looks after the key system",
    ),
}


def way_lines(found: Iterable[Mapping[str, Any]], *, keys: Collection[str]) -> tuple[WayLine, ...]:
    """Return the first ways out in words. `keys`: stamps of usable keys; what names another is out of date."""
    known = [way for way in found if way.get("way") in WAYS_OUT and way.get("stamp") in {None, *keys}]
    return tuple(_line(way) for way in known[:_SHOWN])


def ways_out_of(why: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the ways out that are stored with a reason; those of before they were stored have none."""
    return list(why.get("ways_out", ()))


def _line(way: Mapping[str, Any]) -> WayLine:
    line, count = WAYS_OUT[way["way"]], len(way.get("locks", ()))
    locks = f"{count} lock{'' if count == 1 else 's'}"
    return WayLine(
        line.change.format(stamp=way.get("stamp", ""), minutes=way.get("minutes", ""), locks=locks), line.by
    )
