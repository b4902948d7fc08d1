"""Ending access for many: look, start, follow, pause, and the keys that are still out."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter

from . import words
from .adoption import show_proposal, sign_in
from .client import Api
from .exits import NO, YES

Ask: TypeAlias = Callable[[Callable[[Api], tuple[Any, int]], Callable[[Any], None]], int]
Kind: TypeAlias = Literal["company", "package", "zone", "everyone"]
Whose: TypeAlias = Annotated[Kind, Parameter(help="Whose access.")]
Reason: TypeAlias = Annotated[str, Parameter(help="Why; it goes on the log.")]
Ref: TypeAlias = Annotated[
    str, Parameter(help="Code or id of the company or zone, code of the package; empty for everyone.")
]
Login: TypeAlias = Annotated[
    str | None, Parameter(help="Sign in as this user; the password is asked for, or read from a pipe.")
]
Mass: TypeAlias = Annotated[str, Parameter(help="Its id, as key2xs mass show lists it.")]
_BASE = "/api/v1/mass-actions"


def mass_apps(ask: Ask) -> tuple[App, ...]:
    """Return the group `mass`."""
    group = App(name="mass", help="Ending access of a company, a work package, a security zone, or everyone.")

    @group.command
    def look(kind: Whose, ref: Ref = "", /) -> int:
        """Say who and what would be affected: 0 somebody, 1 nobody. Changes nothing."""
        return ask(lambda api: _look(api, kind, ref), show_look)

    @group.command
    def start(
        kind: Whose,
        ref: Ref = "",
        /,
        *,
        digest: Annotated[str, Parameter(help="The digest that `look` printed.")],
        reason: Reason,
        login: Login = None,
    ) -> int:
        """Propose it; a second person's `key2xs confirm` begins it."""
        body = {"kind": kind, "ref": ref, "digest": digest, "reason": reason}
        return ask(lambda api: _signed_post(api, _BASE, body, login), show_proposal)

    @group.command
    def show(mass: Annotated[str, Parameter(help="Its id; without it, all.")] = "", /) -> int:
        """Say how far it is: 0 nothing can be opened any more that should not, 1 something can, or it goes on."""
        return ask(lambda api: _show(api, mass), show_acts)

    @group.command
    def pause(mass: Mass, /, *, reason: Reason, login: Login = None) -> int:
        """Pause it. What has ended stays ended."""
        return ask(
            lambda api: _signed_post(api, f"{_BASE}/{mass}/pause", {"reason": reason}, login), show_state
        )

    @group.command
    def resume(mass: Mass, /, *, reason: Reason, login: Login = None) -> int:
        """Let it go on."""
        return ask(
            lambda api: _signed_post(api, f"{_BASE}/{mass}/resume", {"reason": reason}, login), show_state
        )

    @group.command
    def lift(mass: Mass, /, *, reason: Reason, login: Login = None) -> int:
        """Propose to allow new access again; a second person confirms. Nothing that ended comes back."""
        return ask(
            lambda api: _signed_post(api, f"{_BASE}/{mass}/lift", {"reason": reason}, login), show_proposal
        )

    @group.command
    def unreturned(
        mass: Mass, /, *, csv: Annotated[Path | None, Parameter(help="Write the list into this file.")] = None
    ) -> int:
        """List keys of the people affected that are still out: 0 none, 1 some."""
        return ask(lambda api: _unreturned(api, mass, csv), show_unreturned)

    return (group,)


def show_look(answer: Any) -> None:
    """Print who and what would be affected."""
    speed = answer["speed"]
    words.say(f"{answer['name']}, looked at {words.instant(answer['at'])}; nothing has happened")
    counts = (
        ("people lose access", len(answer["people"])),
        ("grants end", len(answer["grants"])),
        ("cylinders", answer["cylinders"]),
        ("keys", len(answer["keys"])),
        ("grants left alone (S1)", len(answer["spared"])),
        ("may be inside (S2)", len(answer["inside"])),
        ("stay held (S3)", len(answer["held"]) + len(answer["held_already"])),
        ("last holders on shift (S4)", len(answer["last_holders"])),
        ("told of first (S5)", len(answer["at_work"])),
        ("keys that keep rights from before", len(answer["standing_stays"])),
        ("keys not written by Key2XS", len(answer["not_written"])),
    )
    words.table("Who and what is affected", ("what", "how many"), counts)
    for each in answer["systems"]:
        least = (
            f"at least {each['seconds']} s at the rate set"
            if each["seconds"]
            else "no rate is set, so no time is claimed"
        )
        words.say(f"{each['system']}: {each['keys']} keys, about {each['calls']} calls, {least}")
    if speed["checked"] < speed["keys"]:
        words.say(f"{speed['checked']} of {speed['keys']} keys worked out; no latest time is claimed")
    elif speed["no_bound"]:
        words.say(f"{speed['no_bound']} of {speed['keys']} keys would go on opening with nothing to end it")
    elif speed["latest"]:
        words.say(f"surely over by {words.instant(speed['latest'])} if it began now")
    words.say(f"Digest, for key2xs mass start: {answer['digest']}")


def show_acts(answer: Any) -> None:
    """Print acts, or one with how far it is."""
    if "items" in answer:
        words.table(
            "Ending access for many",
            ("id", "what", "state", "begun", "new access"),
            [
                (
                    each["id"],
                    each["name"],
                    words.MASS.get(each["state"], each["state"]),
                    words.instant(each["started_at"]),
                    "stopped" if each["stopped"] else "possible",
                )
                for each in answer["items"]
            ],
        )
        return
    found, mass = answer["progress"], answer["mass"]
    show_state(mass)
    grants = ", ".join(
        f"{number} {words.GRANTS.get(name, name)}" for name, number in found["grants"].items() if number
    )
    words.say(f"grants: {grants or 'none'}")
    words.table(
        "Keys",
        ("key", "system", "how far", "could still open", "until", "read"),
        [
            (
                key["key"],
                key["system"],
                words.PROGRESS.get(key["progress"], key["progress"]),
                key["locks"],
                _until(key),
                words.age(key["read_at"], answer["at"]),
            )
            for key in found["keys"]
        ],
        caption=words.FOOTNOTE,
    )
    if found["per_minute"]:
        all_by = (
            f"; at that rate all by {words.instant(found['expected_at'])}" if found["expected_at"] else ""
        )
        words.say(f"{found['per_minute']} keys a minute were accepted{all_by}")


def show_state(mass: Any) -> None:
    """Print how an act stands."""
    new = "nothing new is given there" if mass["stopped"] else "new access is possible"
    state = words.MASS.get(mass["state"], mass["state"])
    words.say(f"{mass['name']}: {state} since {words.instant(mass['state_at'])}; {new}")


def show_unreturned(answer: Any) -> None:
    """Print keys that are still out."""
    if "file" in answer:
        words.say(f"written to {answer['file']}")
        return
    words.table(
        "Keys still out",
        ("key", "person", "company", "since", "overdue", "seen last", "how far", "open until"),
        [
            (
                each["key"],
                each["person"],
                each["company"],
                words.instant(each["since"]),
                "yes" if each["overdue"] else "no",
                f"{each['seen_place']} {words.instant(each['seen_at'])}" if each["seen_at"] else "-",
                words.PROGRESS.get(each["progress"], each["progress"]),
                _open_until(each["open_until"]),
            )
            for each in answer["items"]
        ],
    )


def _until(key: Any) -> str:
    if key["as_before"]:
        return "as before"
    return (words.instant(key["until"]) if key["until"] else "no bound") if key["locks"] else "-"


def _open_until(said: str) -> str:
    return words.instant(said) if "T" in said else said or "nothing any more"


def _look(api: Api, kind: str, ref: str) -> tuple[Any, int]:
    answer = api.post(f"{_BASE}/look", {"kind": kind, "ref": ref})
    return answer, YES if answer["grants"] or answer["standing_ends"] else NO


def _signed_post(api: Api, path: str, body: dict[str, Any], login: str | None) -> tuple[Any, int]:
    sign_in(api, login)
    return api.post(path, body), YES


def _show(api: Api, mass: str) -> tuple[Any, int]:
    if not mass:
        return api.get(_BASE), YES
    answer = api.get(f"{_BASE}/{mass}")
    found = answer["progress"]
    open_still = bool(found["as_before"] or found["no_bound"] or found["until"])
    return answer, NO if open_still or answer["mass"]["state"] != "finished" else YES


def _unreturned(api: Api, mass: str, file: Path | None) -> tuple[Any, int]:
    answer = api.get(f"{_BASE}/{mass}/unreturned")
    code = NO if answer["items"] else YES
    if file is None:
        return answer, code
    with api.download(f"{_BASE}/{mass}/unreturned.csv") as pieces:
        file.write_bytes(b"".join(pieces))
    return {"file": str(file)}, code
