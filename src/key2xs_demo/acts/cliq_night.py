"""The second key system: a key there learns at an updater, stops by itself after a while, and is blocked on foot."""

from typing import Any

from key2xs_demo import trials
from key2xs_demo.cast import ENDS
from key2xs_demo.night import Night

from .times import MINUTE, at

DESK = "Key desk"  # where programming keys lie, beside an updater


def plan(night: Night) -> None:
    """A valve of the tank farm in the evening; a key lost out there before midnight."""
    night.plan(at(18, 55), "a permit for a valve of the tank farm; its CLIQ key knows nothing yet", _issue)
    night.plan(at(19, 0), "the CLIQ key was at an updater: it opens the valve", _update)
    night.plan(at(22, 12), "the permit is suspended; the key stays out in the tank farm", _suspend)
    night.plan(at(23, 10), "a second key for two valves", _second)
    night.plan(at(23, 36), "the second key is lost out there", _lose)
    night.plan(at(23, 45), "somebody walks the round with the programming key", _walk)


async def _issue(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.tanker)
    await night.issue("tank", [cast.tank_valve], [cast.tanker], valid_to=ENDS)
    await night.time.advance(2 * MINUTE)
    night.book.expect("tank-grant-active", ["active"], await night.states(cast.tanker))
    night.book.expect("cliq-program-waits", "accepted", (await night.key(cast.tanker))["progress"])
    night.book.expect("no-updater-no-opening", False, await night.open(cast.tanker, cast.tank_valve))


async def _update(night: Night) -> None:
    cast = night.cast
    await night.at_updater(cast.tanker, updater_of(night))
    night.book.expect("cliq-key-delivered", "delivered", (await night.key(cast.tanker))["progress"])
    night.book.expect("opens-after-the-updater", True, await night.open(cast.tanker, cast.tank_valve))
    opener = await night.opener(cast.tanker, cast.tank_valve)
    night.book.expect("who-can-open-the-valve-says-why", "permit_step", (opener or {}).get("basis"))


async def _suspend(night: Night) -> None:
    """Nothing reaches the key. Its interval has run since the last updater, and runs out."""
    cast = night.cast
    asked_at = night.now
    with night.revoking():
        night.ptw.suspend(night.permits["tank"].id, code="weather", at=asked_at)
        await night.send()
    night.book.expect("tank-suspension-ends-the-grant", ["ended"], await night.states(cast.tanker))
    await night.time.advance(MINUTE)
    trial = await trials.begin(night, "revalidation", cast.tanker, cast.tank_valve, asked_at=asked_at)
    night.book.expect("revalidation-gives-a-bound", "bound", trial.row["kind"])
    night.book.check(
        "revalidation-ends-before-the-permit-would-have",
        f"before {ENDS.isoformat()}",
        trial.row["at"],
        held=trial.row["at"] is not None and trials.instant(trial.row["at"]) < ENDS,
    )


async def _second(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.stray)
    await night.issue("stray", list(cast.stray_valves), [cast.stray], valid_to=ENDS)
    await night.time.advance(2 * MINUTE)
    await night.at_updater(cast.stray, updater_of(night))
    opened = [await night.open(cast.stray, valve) for valve in cast.stray_valves]
    night.book.expect("second-key-opens-both-valves", [True, True], opened)


async def _lose(night: Night) -> None:
    """It is blocked, and still opens: the list lives in each cylinder."""
    cast = night.cast
    night.ptw.sign_off(night.permits["stray"].id, cast.stray.ref, at=night.now)
    await night.send()
    night.figures["lost_at"] = night.now
    await night.twin.act("lose", key=cast.stray.stamp)
    with night.revoking():
        said = {"reason": "fell into the tank pit, reported by its holder"}
        await night.people["leader"].post(f"/api/v1/keys/{cast.stray.stamp}/lost", said)
        await night.time.settle()
    await night.time.advance(2 * MINUTE)
    night.book.expect(
        "lost-key-is-blocked-with-access",
        "blocked_with_access",
        (await night.key(cast.stray))["progress"],
    )
    markings = sorted(valve.marking for valve in cast.stray_valves)
    night.book.expect(
        "both-valves-are-to-be-visited",
        [(marking, "waiting") for marking in markings],
        [(each["cylinder"], each["state"]) for each in await _visits(night)],
    )
    kinds = [
        ((await night.opener(cast.stray, valve)) or {}).get("exposure", {}) for valve in cast.stray_valves
    ]
    night.book.expect("until-then-a-bound", ["bound", "bound"], [each.get("kind") for each in kinds])


async def _walk(night: Night) -> None:
    cast = night.cast
    first, second = cast.stray_valves
    carrier = next((each["programming_key"] for each in await _visits(night)), "")
    await night.twin.act("load_programming_key", programming_key=carrier, updater=DESK)
    await night.time.advance(5 * MINUTE)
    await night.twin.act("insert_programming_key", programming_key=carrier, lock=first.marking)
    opened = [await night.open(cast.stray, valve) for valve in (first, second)]
    night.book.expect("visited-valve-refuses-the-other-opens", [False, True], opened)
    night.book.expect(
        "half-a-round-is-not-blocked", "blocked_with_access", (await night.key(cast.stray))["progress"]
    )
    await night.twin.act("insert_programming_key", programming_key=carrier, lock=second.marking)
    await night.time.advance(3 * MINUTE)
    await night.twin.act("return_programming_key", programming_key=carrier, updater=DESK)
    await night.time.advance(4 * MINUTE)
    night.book.expect("round-is-done", ["done", "done"], [each["state"] for each in await _visits(night)])
    night.book.expect("key-is-blocked-everywhere", "delivered", (await night.key(cast.stray))["progress"])
    lost_at = night.figures.pop("lost_at")
    trial = await trials.begin(night, "visited", cast.stray, second, asked_at=lost_at)
    night.book.expect("visited-proven-end", "proven_end", trial.row["kind"])
    night.book.expect("visited-key-opens-nothing", False, await night.open(cast.stray, second))


async def _visits(night: Night) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        await night.machine.get(f"/api/v1/keys/{night.cast.stray.stamp}/block-visits")
    )["items"]
    return sorted(found, key=lambda each: str(each["cylinder"]))


def updater_of(night: Night) -> str:
    """Return the updater on the wall nearest to the tank farm's valves."""
    unit = night.cast.tank_valve.unit
    return next(
        each.place for each in night.cast.site.updaters if each.kind == "wall" and f"-{unit}-" in each.place
    )
