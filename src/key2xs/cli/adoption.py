"""Taking over an existing site: report, standing access, runs, visits, roll-out; and second persons."""

from pathlib import Path
from typing import Any

from . import words
from .accounts import ask_secret
from .client import Api, part
from .exits import NO, UNKNOWN, USAGE, YES, Stopped

_MOST_NAMES = 20  # of one finding on the screen


def sign_in(api: Api, login: str | None) -> None:
    """Go on as a person, where one is named; a token is nobody. The password is asked for, or read from a pipe."""
    if login is None:
        return
    api.sign_in(login, ask_secret("Password: "))


def connections(api: Api) -> tuple[Any, int]:
    """Ask for the connections."""
    return api.get("/api/v1/key-systems"), YES


def show_connections(answer: Any) -> None:
    """Print what is connected and what it may do."""
    words.table(
        "Key systems",
        ("system", "make", "listed", "keys", "adopted", "writes", "bulk writes"),
        [
            (
                each["name"],
                each["vendor"],
                words.instant(each["inventory_at"]),
                each["keys"],
                each["adopted"],
                "on" if each["writes"] else "off (read-only)",
                "stopped" if each["stopped_at"] else "running",
            )
            for each in answer["items"]
        ],
    )
    for each in answer["items"]:
        if each["why"]:
            words.say(f"{each['name']}: {each['why']}")


def check(api: Api, name: str) -> tuple[Any, int]:
    """Ask what a connection lacks: 0 nothing stops it, 1 something does, 3 not everything could be looked at."""
    answer = api.get(f"/api/v1/key-systems/{part(name)}/check")
    weights = {each["weight"] for each in answer["findings"]}
    return answer, NO if "stops" in weights else YES if answer["ready"] else UNKNOWN


def show_check(answer: Any) -> None:
    """Print what is missing, the worst first, and who does what about it."""
    lacks = any(each["weight"] == "stops" for each in answer["findings"])
    verdict = (
        "ready" if answer["ready"] else "something is missing" if lacks else "not everything could be checked"
    )
    words.say(f"{answer['system']}: {verdict}; locks as listed {words.instant(answer['listed_at'])}")
    for each in answer["findings"]:
        words.say("")
        words.say(f"{words.WEIGHTS.get(each['weight'], each['weight'])}: {each['says']}")
        for name in each["names"][:_MOST_NAMES]:
            words.say(f"    {name}")
        if each["count"] > _MOST_NAMES:
            words.say(f"    and {each['count'] - _MOST_NAMES} more (--json has up to 200)")
        if each["does"]:
            words.say(f"  Do: {each['does']}." + (f" ({each['who']})" if each["who"] else ""))


def switch_writes(api: Api, name: str, state: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Let a connection write, or not."""
    if state not in {"on", "off"}:
        raise Stopped("say on or off", USAGE)
    sign_in(api, login)
    body = {"writes": state == "on", "reason": reason}
    return {"items": [api.post(f"/api/v1/key-systems/{part(name)}/writes", body)]}, YES


def sign_in_again(api: Api, name: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Let every process try once more to sign in."""
    sign_in(api, login)
    return {"items": [api.post(f"/api/v1/key-systems/{part(name)}/sign-in", {"reason": reason})]}, YES


def note_lock(api: Api, name: str, lock: str, heeds: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Note what was tried at a lock."""
    sign_in(api, login)
    body = {"honours_limits": heeds, "reason": reason}
    return api.post(f"/api/v1/key-systems/{part(name)}/locks/{part(lock)}/limits", body), YES


def show_lock(answer: Any) -> None:
    """Print how a lock counts now."""
    counts = {
        "yes": "heeds end dates", "no": "does not heed end dates", "unknown": "counts as the key system says",
    }  # fmt: skip
    words.say(f"{answer['lock']}: {counts[answer['honours_limits']]}")


def report(api: Api, name: str | None, file: Path | None) -> tuple[Any, int]:
    """Ask for the inventory report; or write one of its lists into a CSV file."""
    if (name is None) != (file is None):
        raise Stopped("--list and --csv go together", USAGE)
    if name is not None and file is not None:
        with api.download(f"/api/v1/adoption/report/{part(name)}") as pieces:
            content = b"".join(pieces)
        file.write_bytes(content)
        return {"file": str(file), "lines": content.count(b"\n") - 1}, YES
    return api.get("/api/v1/adoption/report"), YES


def show_report(answer: Any) -> None:
    """Print the counts, and how far they can be relied on."""
    if "file" in answer:
        words.say(f"{answer['file']}: {answer['lines']} lines")
        return
    totals = answer["totals"]
    words.say(
        f"{totals['keys']} keys ({totals['adopted']} adopted, {totals['unread']} not read yet), "
        f"{totals['locks']} locks, {totals['rights']} rights; listed {words.instant(answer['as_of'])}"
    )
    words.table(
        "Inventory",
        ("list", "lines"),
        [(name.replace("_", " "), count) for name, count in answer["counts"].items()],
    )
    if not answer["openings_cover"]:
        since = words.instant(answer["openings_since"]) if answer["openings_since"] else "never read"
        words.say(
            f"Openings are known since: {since}. A right counts as unused after {answer['unused_days']} days."
        )


def standing(api: Api) -> tuple[Any, int]:
    """Ask for standing access."""
    return api.get("/api/v1/adoption/standing")["content"], YES


def show_standing(answer: Any) -> None:
    """Print standing access beside access given just in time."""
    rows = [(zone["zone"], zone["mode"], zone["keys"], *_pairs(zone["share"])) for zone in answer["zones"]]
    rows.append(("all", "", "", *_pairs(answer["share"])))
    words.table(
        "Keys and locks that they open", ("zone", "mode", "keys", "standing", "just in time", "ending"), rows
    )


def runs(api: Api) -> tuple[Any, int]:
    """Ask for adoptions: 0 none is under way, 1 one is."""
    answer = api.get("/api/v1/adoption/runs")["content"]
    return answer, NO if any(each["state"] != "done" for each in answer["items"]) else YES


def show_runs(answer: Any) -> None:
    """Print adoptions with how far they are and what they left."""
    words.table(
        "Adoptions",
        ("system", "zone", "state", "keys", "adopted", "left", "waiting", "done"),
        [
            (
                each["system"],
                each["zone"] or "all",
                each["state"],
                each["keys"],
                each["adopted"] + each["already"],
                each["left"],
                each["waiting"],
                f"{each['share']:.0%}",
            )
            for each in answer["items"]
        ],
    )
    for each in answer["items"][:1]:
        for key in each["left_keys"]:
            words.say(f"{key['stamp']}: {key['why']}")


def start(api: Api, system: str, zone: str | None, reason: str, login: str | None) -> tuple[Any, int]:
    """Propose to adopt the keys of a system, or those that open something in a zone."""
    sign_in(api, login)
    body: dict[str, object] = {"system": system, "reason": reason}
    if zone is not None:
        body["zone"] = zone
    return api.post("/api/v1/adoption/runs", body), YES


def visits(api: Api) -> tuple[Any, int]:
    """Ask what must be visited."""
    return api.get("/api/v1/adoption/visits")["content"], YES


def show_visits(answer: Any) -> None:
    """Print locks to visit by area, and keys to bring."""
    words.say(f"{answer['locks_done']} of {len(answer['locks'])} locks need no visit any more")
    areas: dict[tuple[str, str], int] = {}
    for lock in answer["locks"]:
        if not lock["done"]:
            place = (lock["area"] or "not mapped", lock["state"].replace("_", " "))
            areas[place] = areas.get(place, 0) + 1
    words.table(
        "Locks to visit",
        ("area", "why", "locks"),
        [(*place, count) for place, count in sorted(areas.items())],
    )
    for key in answer["keys"]:
        words.say(f"Key {key['key']} ({key['system']}): {key['why']}")


def difference(api: Api, zone: str) -> tuple[Any, int]:
    """Ask what enforcing a zone would change."""
    return api.get(f"/api/v1/zones/{zone_id(api, zone)}/difference")["content"], YES


def show_difference(answer: Any) -> None:
    """Print which keys would lose or get what."""
    words.table(
        f"First difference {answer['digest']}",
        ("key", "system", "loses here", "loses elsewhere", "gets", "needs a person"),
        [
            (
                each["stamp"],
                each["system"],
                ", ".join(each["takes"]) or "-",
                ", ".join(each["elsewhere"]) or "-",
                ", ".join(each["gives"]) or "-",
                "yes" if each["needs_person"] else "no",
            )
            for each in answer["changes"]
        ],
    )
    if answer["not_adopted"]:
        words.say(f"Not adopted, so left as they are: {', '.join(answer['not_adopted'][:20])}")


def switch_zone(api: Api, zone: str, mode: str, reason: str, login: str | None) -> tuple[Any, int]:
    """Switch a zone; advise and enforce wait for a second person."""
    sign_in(api, login)
    return api.post(f"/api/v1/zones/{zone_id(api, zone)}/mode", {"mode": mode, "reason": reason}), YES


def confirm(api: Api, proposal: str, seen: str | None, login: str | None) -> tuple[Any, int]:
    """Confirm as the second person."""
    sign_in(api, login)
    tail = f"?seen={part(seen)}" if seen else ""
    return api.post(f"/api/v1/proposals/{part(proposal)}/confirm{tail}")["proposal"], YES


def show_proposal(answer: Any) -> None:
    """Print what waits for a second person, or what became of it."""
    if "kind" not in answer:
        words.say(f"Zone {answer['code']} is in mode {answer['mode']}")
        return
    if answer["state"] != "open":
        words.say(f"{answer['kind'].replace('_', ' ')}: {answer['state']}")
        return
    words.say(f"Waits for a second person until {words.instant(answer['expires_at'])}")
    for name, count in (answer["payload"].get("counts") or {}).items():
        words.say(f"  {name.replace('_', ' ')}: {count}")
    words.say(f"PROPOSAL={answer['id']}")


def rollout(api: Api) -> tuple[Any, int]:
    """Ask how far the roll-out is."""
    return api.get("/api/v1/rollout")["content"], YES


def plan_rollout(api: Api, starts_on: str, pilot: list[str], reason: str) -> tuple[Any, int]:
    """Say when and where the roll-out begins."""
    api.post("/api/v1/rollout", {"starts_on": starts_on, "pilot": pilot, "reason": reason})
    return rollout(api)


def show_rollout(answer: Any) -> None:
    """Print the stages and the zones."""
    week = f"week {answer['week']}" if answer["week"] is not None else "no first day was set"
    words.say(f"Roll-out: {week}")
    marks = {"yes": "done", "no": "open", "unknown": "not measured"}
    words.table(
        "Stages",
        ("weeks", "stage", "what", "state", "detail"),
        [
            (f"{s['first_week']}-{s['last_week']}", s["name"], c["text"], marks[c["done"]], c["detail"])
            for s in answer["stages"]
            for c in s["checks"]
        ],
    )
    words.table(
        "Zones",
        ("zone", "mode", "locks ready", "keys adopted", "missing"),
        [
            (
                z["zone"],
                z["mode"],
                f"{z['ready']}/{z['cylinders']}",
                f"{z['adopted']}/{z['keys']}",
                "\n".join(z["missing"]) or "nothing",
            )
            for z in answer["zones"]
        ],
    )


def zone_id(api: Api, code: str) -> str:
    """Return the id of a zone's code.

    Raises:
        Stopped: there is none.
    """
    found = [each["id"] for each in api.get("/api/v1/zones")["items"] if each["code"] == code]
    if not found:
        raise Stopped(f"there is no security zone {code}", USAGE)
    return str(found[0])


def _pairs(share: Any) -> tuple[Any, ...]:
    return share["standing"], share["just_in_time"], share["other"]
