"""A permit suspended from outside, by a signed message of the permit system to the demo that runs."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from key2xs.core.clock import SystemClock
from key2xs_twin.clients.permits import NATIVE_STATES, Permit
from key2xs_twin.clients.webhook import WebhookSender

from .folder import RunFolder, newest_folder

_TAKEN = 202


def note_live(folder: RunFolder, events: list[dict[str, Any]], permits: list[Permit], now: datetime) -> None:
    """Keep for `suspend_permit` what the live permits last said, and which instant it is at the site."""
    ids = {permit.id for permit in permits}
    newest = {event["subject"]: event for event in events if event["subject"] in ids}
    folder.note(
        live={permit.number: newest[permit.id] for permit in permits},
        wall=SystemClock().now().isoformat(),
        now=now.isoformat(),
    )


async def suspend_permit(number: str) -> int:
    """Send the message; the exit code tells whether it was taken."""
    folder = newest_folder()
    notes = folder.read_notes() if folder is not None else {}
    live: dict[str, Any] = notes.get("live", {})
    if folder is None or number.zfill(4) not in live:
        print(f"No demo runs in which permit {number} is live. Live: {', '.join(live) or 'none'}.")
        return 1
    number = number.zfill(4)
    event = suspension_of(live[number], _site_time(notes))
    sender = WebhookSender(f"{notes['url']}/webhooks/ptw/eptw", [notes["secret"]])
    try:
        sent = await sender.post(event, at=datetime.fromisoformat(event["time"]))
    finally:
        await sender.aclose()
    if sent.status != _TAKEN:
        print(f"The product answered {sent.status}: {sent.answer}")
        return 1
    (folder.root / f"suspended-{number}").touch()
    print(f"Permit {number} is suspended. Its page in the console says until when its keys could still open.")
    return 0


def suspension_of(event: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Return the message after `event` that says the permit is suspended: full state, next sequence, new id."""
    data = event["data"]
    permit = {**data["permit"], "state": "suspended", "native_state": NATIVE_STATES["suspended"]}
    return {
        **event,
        "id": str(uuid4()),
        "type": "com.key2xs.ptw.permit.suspended.v1",
        "time": at.isoformat(),
        "sequence": event["sequence"] + 1,
        "data": {**data, "permit": permit, "reason": {"code": "conflict"}},
    }


def suspended_since(folder: RunFolder) -> list[str]:
    """Return the numbers of permits that were suspended from outside, each once."""
    found = []
    for marker in folder.root.glob("suspended-*"):
        found.append(marker.name.removeprefix("suspended-"))
        marker.unlink()
    return found


def _site_time(notes: dict[str, Any]) -> datetime:
    """Return the instant it is at the site: it follows the wall clock from where the night ended."""
    passed = SystemClock().now() - datetime.fromisoformat(notes["wall"])
    # Rounded down: a message from the future would be refused.
    return datetime.fromisoformat(notes["now"]) + timedelta(seconds=int(passed.total_seconds()))
