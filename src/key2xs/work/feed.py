"""Whether permit systems are still there. Silence ends nothing and allows nothing new."""

from datetime import datetime, timedelta
from typing import Final

from key2xs.core.database import Connection
from key2xs.core.tri import Tri
from key2xs.ledger import Entry, Lane

from .desk import SQL, Desk
from .paper_form import PAPER
from .payload import HeartbeatData
from .types import SourceStatus

HEARTBEAT: Final = timedelta(seconds=60)  # facts 3.5: a heartbeat every 60 s
# Two heartbeats missed, and half of a third for a busy network. Any message counts as a sign of life.
SILENT_AFTER: Final = HEARTBEAT * 2.5


async def hear(
    tx: Connection,
    desk: Desk,
    source: str,
    *,
    at: datetime,
    heartbeat_at: datetime | None = None,
    data: HeartbeatData | None = None,
) -> None:
    """Note a sign of life; a source that was silent, or is new, gets an entry."""
    live, highest = (data.live, data.highest_sequence) if data else (None, None)
    await tx.execute(SQL["hear"], source, at, heartbeat_at, live, highest)
    state = await tx.fetchval(SQL["source_state"], source)
    if state != "fresh":
        await _say(tx, desk, source, "fresh", "resume" if state else "connect", at=at, since=at)


async def tell_silence(tx: Connection, desk: Desk, now: datetime) -> datetime | None:
    """Tell which sources fell silent; return when the next one would."""
    ahead = []
    for row in await tx.fetch(SQL["feeds"], now):
        silent_at = row["heard_at"] + SILENT_AFTER
        if silent_at > now:
            ahead.append(silent_at)
        elif row["state"] != "silent":
            await _say(tx, desk, row["source"], "silent", "silence", at=now, since=silent_at)
    return min(ahead, default=None)


async def feed_ok(tx: Connection, source: str, at: datetime) -> tuple[Tri, datetime | None]:
    """Tell whether a source can be relied on at `at`, and when it was last heard.

    "unknown" before it was ever heard; "no" once it is silent or declared down. Neither takes anything away; both give
    nothing. Paper has no feed that could fall silent: what two people stand for holds until it ends.
    """
    if source == PAPER:
        return "yes", at
    row = await tx.fetchrow(SQL["feed"], source, at)
    heard_at: datetime | None = row["heard_at"] if row else None
    return ("no" if row and row["declared_down"] else _ok(heard_at, at)), heard_at


async def source_status(tx: Connection, at: datetime) -> list[SourceStatus]:
    """Return how every source stands. Counts of live permits that differ mean that events were lost."""
    return [
        SourceStatus(
            name=row["source"],
            feed_ok="no" if row["declared_down"] else _ok(row["heard_at"], at),
            heard_at=row["heard_at"],
            heartbeat_at=row["heartbeat_at"],
            live_there=row["live_there"],
            live_here=await tx.fetchval(SQL["live_here"], row["source"], at),
        )
        for row in await tx.fetch(SQL["feeds"], at)
    ]


def _ok(heard_at: datetime | None, at: datetime) -> Tri:
    if heard_at is None:
        return "unknown"
    return "yes" if at < heard_at + SILENT_AFTER else "no"


async def _say(
    tx: Connection, desk: Desk, source: str, state: str, action: str, *, at: datetime, since: datetime
) -> None:
    entry = Entry(
        kind=f"work:source:{action}",
        occurred_at=since,
        recorded_at=at,
        actor="system:work",
        subjects=(f"work_source:{source}",),
        # Makes two processes that say it at once wait for each other.
        heads=(f"work_source:{source}",),
        body={"state": state},
        lane=Lane.CONTROL if state == "silent" else Lane.BULK,
    )
    if state == await tx.fetchval(SQL["source_state"], source):
        return
    number = await desk.ledger.record(tx, entry)
    await tx.execute(SQL["put_source"], source, state, since, number)
