"""Running without a system, emergency keys under seal, exercises."""

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from . import words
from .client import Api, part
from .exits import NO, YES

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]
Reason: TypeAlias = Annotated[str, Parameter(help="Why; it goes on the log.")]


def outage(api: Api, down: list[str]) -> tuple[Any, int]:
    """Ask what still works and until when: 0 nothing is down, 1 something is."""
    answer = api.get("/api/v1/outage", down=down)
    return answer, NO if any(each["state"] == "down" for each in answer["dependencies"]) else YES


def show_outage(answer: Any) -> None:
    """Print how everything stands, roles and keys, the first to run out first."""
    words.table(
        f"Systems at {words.instant(answer['at'])}",
        ("system", "stands", "last there", "why"),
        [
            (each["name"], each["state"], words.instant(each["since"]), each["why"])
            for each in answer["dependencies"]
        ],
    )
    words.table(
        "Roles on duty",
        ("will still work until", "role", "unit", "people", "locks", "of them sure"),
        [
            (
                words.instant(each["until"]),
                each["role"],
                each["unit"],
                str(each["people"]),
                str(each["locks"]),
                str(each["sure"]),
            )
            for each in answer["roles"]
        ],
    )
    words.table(
        "Keys that are out",
        ("will still work until", "key", "system", "locks", "not sure"),
        [
            (
                words.instant(each["until"]),
                each["stamp"],
                each["system"],
                str(each["locks"]),
                str(each["unsure"]),
            )
            for each in answer["keys"]
        ],
    )
    for each in answer["warnings"]:
        words.say(
            f"Warning: {each['text']}" + (f", {words.instant(each['due_at'])}" if each["due_at"] else "")
        )


def show_sealed(answer: Any) -> None:
    """Print keys under seal and what has to be reviewed."""
    words.table(
        "Keys under seal",
        ("key", "state", "seal", "place", "look again by"),
        [
            (each["stamp"], each["state"], each["seal"], each["place"], words.instant(each["check_due_at"]))
            for each in answer["items"]
        ],
    )
    for each in answer["uses"]:
        overdue = f" OVERDUE: {each['overdue']}" if each["overdue"] else ""
        words.say(f"{each['stamp']}: seal {each['seal']} broken {words.instant(each['broken_at'])}{overdue}")


def show_drills(answer: Any) -> None:
    """Print exercises."""
    words.table(
        "Exercises",
        ("held", "exercise", "people", "went well", "what was learnt", "next due"),
        [
            (
                words.instant(each["held_at"]),
                each["scenario"],
                str(each["people"]),
                "yes" if each["passed"] else "no",
                each["outcome"],
                words.instant(each["next_due_at"]),
            )
            for each in answer["items"]
        ],
    )


def _show_done(answer: Any) -> None:
    words.say(f"{answer['stamp']}: seal {answer['seal']}" if "stamp" in answer else "Recorded.")


def continuity_apps(ask: Ask) -> tuple[App, App, App]:
    """Return the commands; `ask` puts a question to the service and prints the answer."""
    gone = App(name="outage", help="Running without a system.")
    sealed = App(name="sealed", help="Emergency keys under seal.")
    drill = App(name="drill", help="Exercises.")

    @gone.command
    def show(
        *,
        down: Annotated[
            list[str] | None,
            Parameter(help="What if this went down now (keys:iloq, network, ...); may stand several times."),
        ] = None,
    ) -> int:
        """Say what still works and until when, the first to run out first."""
        return ask(lambda api: outage(api, down or []), show_outage)

    @sealed.command(name="list")
    def list_sealed() -> int:
        """List keys under seal, and what has to be reviewed."""
        return ask(lambda api: (api.get("/api/v1/sealed-keys"), YES), show_sealed)

    @sealed.command
    def seal(key: str, *, seal: str, place: str = "") -> int:
        """Put a key under seal, or under a new one when it came back."""
        return ask(lambda api: _post(api, key, "seal", seal=seal, place=place), _show_done)

    @sealed.command
    def check(key: str, *, seal: str) -> int:
        """Note that its seal is whole, by the number that stands on it."""
        return ask(lambda api: _post(api, key, "check", seal=seal), _show_done)

    @sealed.command(name="break")
    def break_(key: str, *, taken_by: str, second: str, reason: Reason) -> int:
        """Note that its seal was broken: who took the key, who stood beside, why."""
        return ask(
            lambda api: _post(api, key, "break", taken_by=taken_by, second=second, reason=reason), _show_done
        )

    @sealed.command
    def recall(key: str, *, reason: Reason) -> int:
        """Call it back."""
        return ask(lambda api: _post(api, key, "recall", reason=reason), _show_done)

    @drill.command(name="list")
    def list_drills() -> int:
        """List exercises, the newest first."""
        return ask(lambda api: (api.get("/api/v1/drills"), YES), show_drills)

    @drill.command
    def record(
        scenario: str,
        *,
        people: int,
        outcome: Annotated[str, Parameter(help="What was learnt; it goes on the log.")],
        failed: Annotated[bool, Parameter(help="It did not go well.", negative="")] = False,
    ) -> int:
        """Record an exercise: people, permits, keys, siem, network, this, sealed_key or other."""
        body = {"scenario": scenario, "people": people, "passed": not failed, "outcome": outcome}
        return ask(lambda api: (api.post("/api/v1/drills", body), YES), _show_done)

    return gone, sealed, drill


def _post(api: Api, key: str, act: str, **body: str) -> tuple[Any, int]:
    return api.post(f"/api/v1/sealed-keys/{part(key)}/{act}", body), YES
