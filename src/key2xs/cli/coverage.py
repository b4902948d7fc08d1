"""How far the memories of cylinders and keys were read."""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from . import words
from .client import Api
from .exits import NO, YES

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]

_STANDINGS = {"unknown": "not known", "old": "long ago", "rows_missing": "rows missing", "read": "read"}


def coverage_apps(ask: Ask) -> tuple[App, ...]:
    """Return the command `coverage`."""
    command = App(name="coverage", help="How far the memories of cylinders and keys were read.")

    @command.default
    def show(
        *,
        zone: Annotated[str | None, Parameter(help="Only cylinders of this security zone.")] = None,
        unit: Annotated[str | None, Parameter(help="Only cylinders of this unit.")] = None,
        lock: Annotated[str | None, Parameter(help="Only this cylinder.")] = None,
        key: Annotated[str | None, Parameter(help="This key instead of cylinders.")] = None,
        keys: Annotated[bool, Parameter(help="All keys instead of cylinders.", negative="")] = False,
    ) -> int:
        """Say when each memory was last read completely, worst first; 1 when something is not known, old or missing."""
        asked = {"zone": zone, "unit": unit, "lock": lock, "key": key}
        return ask(lambda api: coverage(api, asked, keys=keys), show_coverage)

    @command.command
    def route(
        *,
        zone: Annotated[str | None, Parameter(help="Only cylinders of this security zone.")] = None,
        unit: Annotated[str | None, Parameter(help="Only cylinders of this unit.")] = None,
    ) -> int:
        """Say which cylinders to read and in which order to walk; 1 when there are any."""
        return ask(lambda api: plan_route(api, zone, unit), show_route)

    return (command,)


def coverage(api: Api, asked: dict[str, str | None], *, keys: bool) -> tuple[Any, int]:
    """Ask how far memories were read: 0 all were, 1 some were not."""
    given = {name: text for name, text in asked.items() if text is not None}
    answer = api.get("/api/v1/coverage", what="keys" if keys else "cylinders", limit="500", **given)
    wanting = sum(count for name, count in answer["counts"].items() if name != "read")
    return answer, NO if wanting else YES


def plan_route(api: Api, zone: str | None, unit: str | None) -> tuple[Any, int]:
    """Ask for the round: 0 nothing has to be read, 1 something has."""
    given = {name: text for name, text in (("zone", zone), ("unit", unit)) if text is not None}
    answer = api.get("/api/v1/coverage/route", **given)
    return answer, NO if answer["cylinders"] else YES


def show_route(answer: Any) -> None:
    """Print the round."""
    words.walk(answer["walk"], "Round to read cylinders")
    many = "1 cylinder has" if answer["cylinders"] == 1 else f"{answer['cylinders']} cylinders have"
    words.say(f"{many} to be read.")


def show_coverage(answer: Any) -> None:
    """Print them, and what that means."""
    rows = [
        (
            each["cylinder"],
            each["zone"],
            each["unit"] or "-",
            each["access_point"],
            *_said(each["coverage"]),
            _full(each),
        )
        for each in answer["cylinders"]
    ]
    if rows or not answer["keys"]:
        words.table(
            "Not read since",
            (
                "cylinder",
                "zone",
                "unit",
                "access point",
                "standing",
                "read up to",
                "nothing missing since",
                "rows missing",
                "full about",
            ),
            rows,
        )
    if answer["keys"]:
        words.table(
            "Not read since",
            (
                "key",
                "key system",
                "standing",
                "read up to",
                "nothing missing since",
                "rows missing",
                "full about",
            ),
            [(each["key"], each["system"], *_said(each["coverage"]), _full(each)) for each in answer["keys"]],
        )
    counts = ", ".join(f"{count} {_STANDINGS[name]}" for name, count in answer["counts"].items())
    words.say(f"{counts}. No opening is known beyond what was read.")


def _full(each: Any) -> str:
    return words.instant(each["forecast"]["expected_at"]) if each["forecast"]["expected_at"] else "not known"


def _said(coverage: Any) -> tuple[str, str, str, str]:
    missing = [gap["rows"] for gap in coverage["gaps"]]
    known = sum(rows for rows in missing if rows is not None)
    lost = any(gap["lost"] for gap in coverage["gaps"])
    return (
        _STANDINGS[coverage["standing"]],
        words.instant(coverage["read_up_to"]),
        words.instant(coverage["whole_since"]),
        "lost: wiped" if lost else "not known" if None in missing else str(known) if known else "",
    )
