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

    return (command,)


def coverage(api: Api, asked: dict[str, str | None], *, keys: bool) -> tuple[Any, int]:
    """Ask how far memories were read: 0 all were, 1 some were not."""
    given = {name: text for name, text in asked.items() if text is not None}
    answer = api.get("/api/v1/coverage", what="keys" if keys else "cylinders", limit="500", **given)
    wanting = sum(count for name, count in answer["counts"].items() if name != "read")
    return answer, NO if wanting else YES


def show_coverage(answer: Any) -> None:
    """Print them, and what that means."""
    rows = [
        (each["cylinder"], each["zone"], each["unit"] or "-", each["access_point"], *_said(each["coverage"]))
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
            ),
            rows,
        )
    if answer["keys"]:
        words.table(
            "Not read since",
            ("key", "key system", "standing", "read up to", "nothing missing since", "rows missing"),
            [(each["key"], each["system"], *_said(each["coverage"])) for each in answer["keys"]],
        )
    counts = ", ".join(f"{count} {_STANDINGS[name]}" for name, count in answer["counts"].items())
    words.say(f"{counts}. No opening is known beyond what was read.")


def _said(coverage: Any) -> tuple[str, str, str, str]:
    missing = [gap["rows"] for gap in coverage["gaps"]]
    known = sum(rows for rows in missing if rows is not None)
    return (
        _STANDINGS[coverage["standing"]],
        words.instant(coverage["read_up_to"]),
        words.instant(coverage["whole_since"]),
        "not known" if None in missing else str(known) if known else "",
    )
