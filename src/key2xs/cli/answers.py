"""Asking: who can open this, why, until when; and revoking."""

from typing import Any

from . import words
from .client import Api, part
from .exits import NO, UNKNOWN, USAGE, YES, Stopped


def who_can_open(api: Api, cylinder: str, at: str | None) -> tuple[Any, int]:
    """Ask who can open a cylinder: 0 somebody, 1 nobody, 3 nobody known, but not everything is seen."""
    answer = api.get(f"/api/v1/cylinders/{part(cylinder)}/who-can-open", at=at)
    if answer["can_open"]:
        return answer, YES
    return answer, UNKNOWN if answer["unknown"] else NO


def show_who_can_open(answer: Any) -> None:
    """Print who can open a cylinder."""
    at = answer["at"]
    words.table(
        f"Who can open {answer['cylinder']} at {words.instant(at)} ({words.age(answer['as_of'], at)})",
        ("key", "handed to", "because", "allowed until", "could open"),
        [
            (
                each["key"],
                each["holder"],
                words.BASES.get(each["basis"], each["basis"]) if each["basis"] else "no grant any more",
                words.instant(each["until"]),
                words.exposure(each["exposure"]["kind"], each["exposure"]["at"]),
            )
            for each in answer["can_open"]
        ],
        caption=words.FOOTNOTE,
    )
    for each in answer["unknown"]:
        words.say(f"Not known: {each['system']} {each['why']} ({words.instant(each['as_of'])})")


def explain(api: Api, person: str, cylinder: str, at: str | None) -> tuple[Any, int]:
    """Ask why a person may open a cylinder: 0 may, 1 may not, 3 cannot be known."""
    asked = {"person": person, "cylinder": cylinder, **({"at": at} if at else {})}
    # In the body: a personnel number in an address would stand in every log of addresses on the way.
    answer = api.post("/api/v1/explain", asked)
    return answer, {"allow": YES, "deny": NO}.get(answer["verdict"], UNKNOWN)


def show_explain(answer: Any) -> None:
    """Print why, or what is missing and the smallest change that would do."""
    verdict = {"allow": "may open", "deny": "may not open"}.get(
        answer["verdict"], "cannot be known to be allowed"
    )
    words.say(f"{answer['person']} {verdict} {answer['cylinder']} at {words.instant(answer['at'])}")
    if answer["zone_mode"] != "enforce":
        words.say(f"The security zone is in mode {answer['zone_mode']}: keys are not written for it.")
    for basis in answer["bases"]:
        until = f" until {words.instant(basis['until'])}" if basis["allows"] and basis["until"] else ""
        words.say(f"  {basis['reference']}: {'allows' if basis['allows'] else 'not enough'}{until}")
    if answer["missing"]:
        words.table(
            "Missing",
            ("what", "smallest change"),
            [(each["text"], each["change"]) for each in answer["missing"]],
        )
    for near in answer["near"]:
        words.say(f"Nearly: {near}")
    for key in answer["delivery"]:
        state = "blocked" if key["blocked"] else words.PROGRESS.get(key["progress"], key["progress"])
        words.say(f"Key {key['key']}: {state}" + (f" ({key['problem']})" if key["problem"] else ""))


def exposure(api: Api, **asked: str | None) -> tuple[Any, int]:
    """Ask until when keys could still open: 0 there is an end, 1 there is none, 3 no reading to rely on."""
    named = one_of(asked)
    answer = (
        api.post("/api/v1/exposure", named)
        if "person" in named
        else api.get("/api/v1/exposure", limit="500", **named)
    )
    if answer["kind"] == "no_bound":
        return answer, NO
    return answer, UNKNOWN if any(key["as_of"] is None for key in answer["keys"]) else YES


def show_exposure(answer: Any) -> None:
    """Print until when, key by key, the terms with their sources, what would shorten it, and what it rests on."""
    name, value = next(iter(answer["asked"].items()))
    words.table(
        f"Exposure of {name} {value} at {words.instant(answer['at'])} ({words.age(answer['as_of'], answer['at'])})",
        ("key", "handed to", "how far", "could open", "will work until", "beyond its grants"),
        [
            (
                key["key"],
                key["holder"],
                words.PROGRESS.get(key["progress"] or "", "-"),
                words.exposure(key["kind"], key["at"]),
                words.instant(key["works_until"]),
                ", ".join(key["residual"]) or "nothing",
            )
            for key in answer["keys"]
        ],
    )
    counts = answer["counts"]
    words.say(
        f"Keys: {counts['no_bound']} without bound, {counts['bound']} with a bound, {counts['still_allowed']} "
        f"still allowed, {counts['proven_end']} proven to open nothing. "
        f"Cylinders left: {counts['residual_cylinders']}."
    )
    for key in answer["keys"]:
        _show_terms(key)
        _show_shorten(key)
    if answer["total"] > len(answer["keys"]):
        words.say(
            f"The {len(answer['keys'])} worst of {answer['total']} keys; a zone or a company narrows it."
        )
    words.walk(answer["walk"], "Walk with a programming key")
    if answer["assumptions"]:
        words.say("These bounds hold if all of this is true (docs/explanation/exposure.md):")
        for each in answer["assumptions"]:
            words.say(f"  {each['id']}: {each['text']} [{each['mark']}: {each['source']}]")


def _show_terms(key: Any) -> None:
    """Print why, once for cylinders that have the same answer."""
    alike: dict[str, tuple[Any, list[str]]] = {}
    for pair in key["cylinders"]:
        if pair["cylinder"] in key["residual"]:
            said = repr((pair["kind"], pair["at"], pair["terms"]))
            alike.setdefault(said, (pair, []))[1].append(pair["cylinder"])
    for pair, cylinders in alike.values():
        words.say(f"{key['key']} at {', '.join(cylinders)}: {words.exposure(pair['kind'], pair['at'])}")
        for term in pair["terms"]:
            words.say(f"  {term['name']}: {words.value(term['value'])} [{term['mark']}: {term['source']}]")


def _show_shorten(key: Any) -> None:
    found = key["shorten"]
    if found is None:
        return
    if found["ask"]:
        near = ", ".join(_near(place) for place in found["ask"]["near"])
        words.say(f"  To shorten it: {found['ask']['how']}" + (f" Nearest: {near}." if near else ""))
        words.say(f"  Then: {_then(found['ask']['then'])}. Do not count on it.")
    else:
        words.say("  Nothing that waits for this key would shorten it.")
    block = ", after it was blocked" if found["needs_block"] else ""
    words.say(f"  Or visit each cylinder with a programming key{block}. Then: {_then(found['walked'])}.")


def _near(place: Any) -> str:
    far = "" if place["metres"] is None else f" ({place['metres']} m in a straight line)"
    return f"{place['place']}{far}"


def _then(then: Any) -> str:
    if then["kind"] == "proven_end":
        return "a proven end"
    many = "1 cylinder" if then["cylinders"] == 1 else f"{then['cylinders']} cylinders"
    return f"{words.exposure(then['kind'], then['until'])}, {many} left"


def reopened(api: Api, key: str | None, *, closed: bool) -> tuple[Any, int]:
    """Ask which bounds a finding opened again: 0 none stands, 1 some do."""
    given = {"key": key} if key is not None else {}
    answer = api.get("/api/v1/exposure/reopened", closed="true" if closed else "false", **given)
    return answer, NO if any(each["closed_at"] is None for each in answer["items"]) else YES


def show_reopened(answer: Any) -> None:
    """Print what was found to be wrong, and the old and the new answer."""
    words.table(
        "Opened again",
        ("finding", "key", "lock", "re-opened because", "was", "now", "found", "closed"),
        [
            (
                each["id"],
                each["key"] or "every key there",
                each["lock"] or "-",
                each["because"],
                words.exposure(each["before"], each["before_until"]) if each["before"] else "-",
                words.exposure(each["after"], each["after_until"]) if each["after"] else "-",
                words.instant(each["found_at"]),
                f"{words.instant(each['closed_at'])} by a {each['closed_by']}" if each["closed_at"] else "",
            )
            for each in answer["items"]
        ],
    )


def settle(api: Api, finding: str, reason: str) -> tuple[Any, int]:
    """Say that what opened a bound again was put right."""
    return api.post(f"/api/v1/exposure/reopened/{part(finding)}/settle", {"reason": reason}), YES


def revoke(api: Api, *, reason: str, dry_run: bool, **asked: str | None) -> tuple[Any, int]:
    """Revoke, or look at what it would touch."""
    answer = api.post("/api/v1/revoke", {"reason": reason, "dry_run": dry_run, **one_of(asked)})
    return answer, YES


def show_revoke(answer: Any) -> None:
    """Print who and what is affected, and what became of it."""
    done = {
        "dry_run": "Nothing was changed. This is who and what is affected",
        "proposed": f"Waits for a second person: proposal {answer['proposal']}. This is who and what is affected",
        "revoked": "Revoked. This is who and what is affected",
        "waiting": "The shift leader is told first; it proceeds "
        f"{words.instant(answer.get('proceeds_at'))} at the latest. This is who and what is affected",
    }
    words.table(
        f"{done[answer['state']]} ({words.instant(answer['at'])})",
        ("people", "grants", "keys", "left alone (emergency)"),
        [
            (
                "\n".join(answer["people"]) or "-",
                "\n".join(answer["grants"]) or "-",
                ", ".join(answer["keys"]) or "-",
                "\n".join(answer["spared"]) or "-",
            )
        ],
    )
    for held in answer.get("held", ()):
        words.say(f"Kept by safety rule {held['rule']}: {held['why']} (grant {held['grant']}).")
    if answer["state"] == "revoked" and answer["keys"]:
        words.say("Keys may open for a while yet; ask `key2xs exposure` until when.")


def one_of(asked: dict[str, str | None]) -> dict[str, str]:
    """Return the one thing that was named.

    Raises:
        Stopped: none, or several.
    """
    named = {name: value for name, value in asked.items() if value is not None}
    if len(named) != 1:
        raise Stopped(f"name exactly one of {', '.join('--' + name for name in asked)}", USAGE)
    return named
