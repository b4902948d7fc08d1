"""The line through the whole product: identity, permit, policy, key, opening, suspension, bound."""

from datetime import datetime, timedelta

from key2xs_demo import trials
from key2xs_demo.cast import ENDS
from key2xs_demo.night import ISSUER, Night
from key2xs_demo.setting_up import provision

from .times import MINUTE, at


def plan(night: Night) -> None:
    """From the gate at 18:05 to the suspension at 19:40."""
    night.plan(at(18, 5), "a contractor arrives: the IAM provisions an identity", _onboard)
    night.plan(at(18, 10), "a permit goes live and the contractor signs on", _permit)
    night.plan(at(18, 14), "the key is handed out and programmed", _key)
    night.plan(at(18, 20), "the contractor opens the pump's panel", _open)
    night.plan(at(19, 40), "the permit is suspended", _suspend)
    night.plan(at(20, 10), "the permit is revalidated", _revalidate)


async def _onboard(night: Night) -> None:
    holder = night.cast.pump
    await provision(night, [holder.person])
    found = await night.machine.get(f"/api/v1/persons/{night.persons[holder.ref]}")
    night.book.expect(
        "contractor-onboarded",
        {"active": "yes", "contract": "yes", "grants": []},
        {"active": found["active"], "contract": found["contract"], "grants": found["grants"]},
    )


async def _permit(night: Night) -> None:
    cast = night.cast
    await night.issue("pump", [cast.pump_panel, cast.pump_valve], [cast.pump], valid_to=ENDS)
    night.book.expect("permit-live", "live", await night.permit_state("pump"))
    night.book.expect("grant-active", ["active"], await night.states(cast.pump))
    night.book.expect("no-key-no-opening", False, await night.open(cast.pump, cast.pump_panel))


async def _key(night: Night) -> None:
    cast = night.cast
    await night.hand_out(cast.pump)
    await night.time.advance(2 * MINUTE)
    night.book.expect("key-delivered", "delivered", (await night.key(cast.pump))["progress"])


async def _open(night: Night) -> None:
    cast = night.cast
    night.book.expect("opens-inside-the-permit", True, await night.open(cast.pump, cast.pump_panel))
    await night.time.advance(timedelta(seconds=50))
    night.book.expect("opens-the-valve-of-the-permit", True, await night.open(cast.pump, cast.pump_valve))
    await night.time.advance(timedelta(seconds=50))
    night.book.expect("refused-elsewhere", False, await night.open(cast.pump, cast.unreachable_panel))
    await night.time.advance(2 * MINUTE)
    night.book.expect("openings-classed", ["refused", "expected", "expected"], await _classes(night))
    opener = await night.opener(cast.pump, cast.pump_panel)
    night.book.expect("who-can-open-says-why", "permit_step", (opener or {}).get("basis"))


async def _suspend(night: Night) -> None:
    cast = night.cast
    asked_at = night.now
    with night.revoking():
        night.ptw.suspend(night.permits["pump"].id, code="weather", at=asked_at)
        await night.send()
    night.book.expect("suspension-ends-the-grant", ["ended"], await night.states(cast.pump))
    key = await night.key(cast.pump)
    accepted = key.get("accepted_at")
    night.book.check(
        "suspension-accepted-at-the-vendor",
        "within 5 seconds",
        accepted,
        held=accepted is not None and datetime.fromisoformat(accepted) - asked_at <= timedelta(seconds=5),
    )
    await night.time.advance(MINUTE)
    trial = await trials.begin(night, "suspended", cast.pump, cast.pump_panel, asked_at=asked_at)
    night.book.expect("suspended-proven-end", "proven_end", trial.row["kind"])
    night.book.expect("suspended-key-opens-nothing", False, await night.open(cast.pump, cast.pump_panel))


async def _revalidate(night: Night) -> None:
    cast = night.cast
    night.book.expect("suspended-stays-ended", ["ended"], await night.states(cast.pump))
    night.ptw.revalidate(night.permits["pump"].id, by=ISSUER, valid_to=ENDS, at=night.now)
    await night.send()
    night.book.expect("revalidation-is-a-new-grant", ["active", "ended"], await night.states(cast.pump))
    await night.time.advance(MINUTE)
    night.book.expect("opens-after-revalidation", True, await night.open(cast.pump, cast.pump_panel))


async def _classes(night: Night) -> list[str]:
    found = await night.machine.get("/api/v1/openings", key=night.cast.pump.stamp)
    # The attempt before the key was programmed came first and is not counted here.
    return [each["class"] for each in found["items"]][:3]
