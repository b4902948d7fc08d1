"""What the safety rules hold, the stops that wait, and who may be inside or did not report."""

from collections.abc import Callable
from typing import Any, TypeAlias

from cyclopts import App

from . import words
from .client import Api
from .exits import NO, YES

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]


def safety_apps(ask: Ask) -> tuple[App, ...]:
    """Return the group `safety`."""
    group = App(
        name="safety", help="What the safety rules hold and ask. Answers are given on the page Safety."
    )

    @group.command
    def holds() -> int:
        """List what a safety rule holds, and why: 0 something, 1 nothing."""
        return ask(lambda api: _items(api, "holds"), show_holds)

    @group.command
    def stops() -> int:
        """List the stops that wait for the shift leader: 0 some, 1 none."""
        return ask(lambda api: _items(api, "stops"), show_stops)

    @group.command
    def inside() -> int:
        """List who may be behind a lock that may bar a way out: 0 somebody, 1 nobody we know of."""
        return ask(lambda api: _items(api, "inside"), show_inside)

    @group.command
    def check_ins() -> int:
        """List people who work alone and missed check-ins: 0 somebody is missed, 1 nobody."""
        return ask(_check_ins, show_check_ins)

    return (group,)


def show_holds(answer: Any) -> None:
    """Print what is held."""
    words.table(
        "Held by a safety rule",
        ("rule", "why", "person", "grant", "since", "on the key until"),
        [
            (
                each["rule"],
                each["why"],
                each["person"],
                each["grant"],
                *map(words.instant, (each["since"], each["until"])),
            )
            for each in answer["items"]
        ],
    )


def show_stops(answer: Any) -> None:
    """Print the stops that wait."""
    words.table(
        "Stops that wait",
        ("stop", "of", "people", "state", "asked", "proceeds at the latest"),
        [
            (
                each["id"],
                each["what"],
                "\n".join(each["people"]),
                each["state"],
                words.instant(each["asked_at"]),
                words.instant(each["proceeds_at"]),
            )
            for each in answer["items"]
        ],
    )


def show_inside(answer: Any) -> None:
    """Print who may be inside."""
    words.table(
        "May be inside",
        ("person", "access point", "because", "way out", "access ends", "answer"),
        [
            (
                each["person"],
                each["access_point"],
                each["because"].replace("_", " "),
                "not free" if each["egress_free"] == "no" else "not known",
                words.instant(each["ends_at"]),
                each["answer"] or "nobody has looked",
            )
            for each in answer["items"]
        ],
    )


def show_check_ins(answer: Any) -> None:
    """Print who works alone, and who did not report."""
    words.table(
        "People who work alone",
        ("person", "where", "reports every", "due", "missed"),
        [
            (
                each["person"],
                each["place"] or "-",
                f"{each['every_minutes']} min",
                words.instant(each["due_at"]),
                "MISSED" if each["missed_at"] else "-",
            )
            for each in answer["watches"]
        ],
    )
    for each in answer["missed"]:
        words.say(f"Permit {each['number']}: a check-in due {words.instant(each['due_at'])} was missed.")


def _items(api: Api, what: str) -> tuple[Any, int]:
    answer = api.get(f"/api/v1/safety/{what}")
    return answer, YES if answer["items"] else NO


def _check_ins(api: Api) -> tuple[Any, int]:
    answer = api.get("/api/v1/safety/check-ins")
    missed = answer["missed"] or any(each["missed_at"] for each in answer["watches"])
    return answer, YES if missed else NO
