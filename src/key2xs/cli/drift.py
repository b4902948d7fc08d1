"""Edits made in a maker's own tool, and what is done about them."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from . import words
from .adoption import sign_in, zone_id
from .client import Api, part
from .exits import NO, YES

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]
Reason: TypeAlias = Annotated[str, Parameter(help="Why; it goes on the log.")]
Login: TypeAlias = Annotated[
    str | None, Parameter(help="Sign in as this user; the password is asked for, or read from a pipe.")
]
System: TypeAlias = Annotated[str | None, Parameter(help="Only keys of this key system.")]


def drift_apps(ask: Ask) -> tuple[App, ...]:
    """Return the group `drift`."""
    group = App(name="drift", help="Edits that somebody made in a maker's own tool.")

    @group.default
    def show(
        *,
        zone: Annotated[str | None, Parameter(help="Only what touches this security zone.")] = None,
        key: Annotated[str | None, Parameter(help="Only this key.")] = None,
        open: Annotated[bool, Parameter(help="Only what is not settled.", negative="")] = False,  # noqa: A002
    ) -> int:
        """List edits made elsewhere, the newest first; 1 when one is not settled."""
        return ask(lambda api: findings(api, zone, key, only_open=open), show_findings)

    @group.command
    def settle(
        finding: Annotated[str, Parameter(help="Its id, as key2xs drift lists it.")],
        act: Annotated[
            Literal["acknowledge", "revert", "accept"],
            Parameter(help="acknowledge: it was seen; revert: undo it; accept: leave it as it is."),
        ],
        *,
        reason: Reason,
        login: Login = None,
    ) -> int:
        """Say that it was seen, have it undone, or leave it as it is."""
        return ask(lambda api: settled(api, finding, act, reason, login), show_findings)

    @group.command
    def look(*, reason: Reason, system: System = None, login: Login = None) -> int:
        """Read every key once more, of one key system or of all."""
        return ask(lambda api: looked(api, system, reason, login), show_looked)

    @group.command
    def policies() -> int:
        """Say what each security zone does with edits."""
        return ask(all_policies, show_policies)

    @group.command
    def policy(
        zone: Annotated[str, Parameter(help="Code of the security zone.")],
        policy: Annotated[
            Literal["report", "revert", "hold"],
            Parameter(
                help="report: leave it and tell; hold: write nothing until a person decides; revert: undo it."
            ),
        ],
        *,
        reason: Reason,
        login: Login = None,
    ) -> int:
        """Say what a zone does with edits; loosening an enforced zone waits for a second person."""
        return ask(lambda api: set_policy(api, zone, policy, reason, login), show_policy)

    return (group,)


def findings(api: Api, zone: str | None, key: str | None, *, only_open: bool) -> tuple[Any, int]:
    """Ask for findings: 0 all are settled, 1 some are not."""
    given: dict[str, Any] = {"zone": zone, "key": key}
    asked = {name: text for name, text in given.items() if text is not None}
    if only_open:
        asked |= {"unsettled": "true"}
    answer = api.get("/api/v1/findings", limit="500", **asked)
    waiting = answer["counts"]["open"] + answer["counts"]["acknowledged"]
    return answer, NO if waiting else YES


def settled(api: Api, finding: str, act: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Do an act about a finding."""
    sign_in(api, login)
    return {"items": [api.post(f"/api/v1/findings/{part(finding)}/{act}", {"reason": reason})]}, YES


def looked(api: Api, system: str | None, reason: str, login: str | None) -> tuple[Any, int]:
    """Have every key read again."""
    sign_in(api, login)
    body = {"reason": reason} | ({"system": system} if system is not None else {})
    return api.post("/api/v1/findings/look", body), YES


def all_policies(api: Api) -> tuple[Any, int]:
    """Ask what each zone does."""
    return api.get("/api/v1/drift-policies"), YES


def set_policy(api: Api, zone: str, policy: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Change what a zone does."""
    sign_in(api, login)
    body = {"policy": policy, "reason": reason}
    return api.post(f"/api/v1/zones/{zone_id(api, zone)}/drift-policy", body), YES


def show_findings(answer: Any) -> None:
    """Print them, those that give access without a grant marked."""
    words.table(
        "Edits made elsewhere",
        ("found", "what", "edit", "before", "after", "zones", "state", "id"),
        [
            (
                words.instant(each["first_seen"]),
                each["subject"],
                each["what"] + (" (NO GRANT COVERS IT)" if each["ad_hoc"] else ""),
                each["before"],
                each["after"],
                ", ".join(each["zones"]) or "-",
                words.FINDINGS.get(each["state"], each["state"]),
                each["id"],
            )
            for each in answer["items"]
        ],
    )
    if "counts" in answer:
        counts = answer["counts"]
        words.say(
            f"{counts['open']} open, {counts['acknowledged']} seen; {counts['ad_hoc']} of these give access without a grant. "
            "The makers' systems do not tell who made an edit."
        )


def show_looked(answer: Any) -> None:
    """Say what is read."""
    words.say(f"Reading every key again: {answer['reads']}.")


def show_policies(answer: Any) -> None:
    """Print what each zone does with edits."""
    words.table(
        "What a zone does with edits made elsewhere",
        ("zone", "mode", "policy", "meaning"),
        [
            (
                each["zone"],
                each["mode"],
                each["policy"],
                words.POLICIES[each["policy"]] + (" (by default)" if each["is_default"] else ""),
            )
            for each in answer["items"]
        ],
    )


def show_policy(answer: Any) -> None:
    """Say what became of it."""
    if "proposed_at" in answer:
        words.say(f"Waits for a second person: proposal {answer['id']}")
        return
    words.say(f"Zone {answer['zone']}: edits made elsewhere are {words.POLICIES[answer['policy']]}")
