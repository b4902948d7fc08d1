"""Trying a revoked key at a lock just before and just after the bound that was published for it.

The product publishes the bound without knowing the truth; the twin knows the truth and never tells the product.
A key that opens after its bound breaks the promise, however small the chance.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .cast import Holder, Place
from .night import Night, at_site
from .product import JsonObject

JUST = timedelta(seconds=1)


@dataclass
class Trial:
    """One key at one lock from the moment it was to stop."""

    name: str
    holder: Holder
    place: Place
    asked_at: datetime
    row: JsonObject


async def begin(night: Night, name: str, holder: Holder, place: Place, *, asked_at: datetime) -> Trial:
    """Note what the product publishes of a key at a lock now, and plan the tries.

    Call it when the product has come to rest after the revocation.
    """
    opener = await night.opener(holder, place)
    progress = await _progress(night, holder)
    exposure = (opener or {}).get("exposure") or {"kind": "proven_end", "at": progress["as_of"]}
    kind, truth = await night.twin.latest_opening(holder.stamp, place.marking, night.now)
    row: JsonObject = {
        "key": holder.stamp,
        "cylinder": place.marking,
        "asked_at": asked_at.isoformat(),
        "accepted_at": progress["accepted_at"],
        "kind": exposure["kind"],
        "at": exposure["at"],
        "oracle_at": truth.isoformat() if truth is not None else None,
        "oracle_kind": kind,
    }
    night.exposures.append(row)
    trial = Trial(name, holder, place, asked_at, row)
    if exposure["kind"] == "proven_end":
        night.book.expect(f"{name}-truth-agrees-that-it-ended", "never", kind)
    if exposure["kind"] == "bound":
        bound = datetime.fromisoformat(exposure["at"])
        _plan_tries(night, trial, truth, bound)
    return trial


def _plan_tries(night: Night, trial: Trial, truth: datetime | None, bound: datetime) -> None:
    """Try just before the truth (it still opens), just before the bound, and just after it (it must not open)."""
    what = f"{trial.holder.stamp} at {trial.place.marking}"
    night.book.check(
        f"{trial.name}-bound-is-not-before-the-truth",
        f"bound at or after {at_site(truth, '%H:%M:%S') if truth else 'nothing'}",
        at_site(bound, "%H:%M:%S"),
        held=truth is None or truth <= bound,
    )

    async def still_opens(night: Night) -> None:
        opened = await night.open(trial.holder, trial.place)
        night.book.expect(f"{trial.name}-still-opens-before-the-true-end", True, opened)

    async def before(night: Night) -> None:
        opened = await night.open(trial.holder, trial.place)
        trial.row["opened_before_bound"] = opened

    async def after(night: Night) -> None:
        opened = await night.open(trial.holder, trial.place)
        night.book.expect(f"{trial.name}-does-not-open-after-the-bound", False, opened)

    if truth is not None and truth - JUST > night.now:
        night.plan(truth - JUST, f"{what}: still opens, as published", still_opens)
    night.plan(max(bound - JUST, night.now), f"{what}: just before the bound", before)
    night.plan(bound + JUST, f"{what}: just after the bound", after)


def instant(text: str) -> datetime:
    """Read an instant of an answer."""
    return datetime.fromisoformat(text)


async def _progress(night: Night, holder: Holder) -> JsonObject:
    """Return when the key's newest wish was accepted at the vendor, and when it was last read."""
    pending = (await night.machine.get("/api/v1/targets/pending"))["items"]
    found = next((each for each in pending if each["key"] == holder.stamp), None)
    key = await night.key(holder)
    return {"accepted_at": (found or key).get("accepted_at"), "as_of": key.get("as_of")}
