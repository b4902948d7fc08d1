"""What happened: openings, alarms, the live stream, and the whole log as a file."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final, get_args
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Stream

from key2xs.access import Permission
from key2xs.api.exporting import export_lines, newest_checkpoint_of
from key2xs.api.feed import Feed
from key2xs.api.paging import USUAL_PAGE, Limit
from key2xs.api.web import Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput
from key2xs.core.ids import CylinderId
from key2xs.grants.standing import undecided
from key2xs.keys.coverage.reads import coverage_of
from key2xs.keys.desk.findings import open_findings
from key2xs.keys.desk.lists import overdue
from key2xs.keys.drift.findings import OPEN, list_findings
from key2xs.keys.drift.words import KINDS, subject as edited
from key2xs.keys.reads import edited_elsewhere, exposed_keys, unfinished_keys
from key2xs.keys.types import EventClass, StoredEvent
from key2xs.ledger import ReadEntry
from key2xs.plant import get_cylinder
from key2xs.work import held_messages, source_status

CLASSES: Final = frozenset(get_args(EventClass))
ALARMING: Final = ("unexplained", "after_end", "undated")  # the worst first


class OpeningOut(msgspec.Struct, frozen=True):
    """A row of a lock's log, classed. `holder` was handed the key; nobody says who opened."""

    id: UUID
    occurred_at: datetime | None
    arrived_at: datetime
    time_quality: str
    cylinder: UUID | None
    lock: str
    key: UUID | None
    holder: UUID | None
    outcome: str
    class_: str = msgspec.field(name="class")
    why: str
    grant: UUID | None
    certainty: str = "unknown"
    """Whether the holder had the key: sure, crew (one of `crew_size`), lost, between, in_cabinet or unknown."""
    crew_size: int | None = None
    tag: str | None = None
    """What the key system's own log says of the key's tags, for example which permit."""


class OpeningList(msgspec.Struct, frozen=True):
    """Openings, the newest first. What is not in the list did not happen between `whole_since` and `read_up_to` only.

    Both are null where that is not known, and where neither a key nor a cylinder was asked for.
    """

    items: list[OpeningOut]
    whole_since: datetime | None = None
    read_up_to: datetime | None = None


class Alarm(msgspec.Struct, frozen=True):
    """Something a person should look at. `subject` names it as the log does."""

    kind: str
    text: str
    subject: str
    since: datetime | None


class AlarmList(msgspec.Struct, frozen=True):
    """Everything that wants a person, the worst first."""

    items: list[Alarm]


@get(
    "/api/v1/openings", permission=Permission.KEYS_EVENT_READ, tags=["keys"], summary="Openings and refusals"
)
async def openings(
    web: WebPart,
    key: Annotated[str | None, QueryParameter(max_length=200)] = None,
    cylinder: Annotated[str | None, QueryParameter(max_length=200)] = None,
    class_: Annotated[list[str] | None, QueryParameter(name="class")] = None,
    limit: Limit = USUAL_PAGE,
) -> OpeningList:
    """The newest rows of locks' logs, of everything or of one key or cylinder, in some classes or all."""
    if set(class_ or ()) - CLASSES:
        raise InvalidInput("class", f"must be some of {', '.join(sorted(CLASSES))}")
    async with web.services.database.read() as tx:
        asked = await web.services.registry.get_key(tx, key) if key else None
        cylinder_id: CylinderId | None = (await get_cylinder(tx, cylinder)).id if cylinder else None
        found = await web.services.events.recent(
            tx,
            key_id=asked.id if asked else None,
            cylinder_id=cylinder_id,
            classes=class_ or None,
            limit=limit,
        )
        read = await coverage_of(tx, asked, cylinder_id, web.now)
    return OpeningList([_opening(each) for each in found], read.whole_since, read.read_up_to)


@get("/api/v1/alarms", permission=Permission.KEYS_EVENT_READ, tags=["system"], summary="What wants a person")
async def alarms(web: WebPart) -> AlarmList:
    """Openings nobody can explain, keys without bound, stuck or changed elsewhere, silent sources, failing decisions."""
    async with web.services.database.read() as tx:
        return AlarmList(await alarms_of(tx, web))


@get(
    "/api/v1/events",
    permission=Permission.KEYS_EVENT_READ,
    tags=["system"],
    summary="The log as it grows (server-sent events)",
    media_type="text/event-stream",
)
async def events(web: WebPart, request: Request[Any, Any, Any]) -> Stream:
    """Unnamed messages, one an entry: kind, time and subjects. `Last-Event-ID` goes on where one left off."""
    last = request.headers.get("last-event-id", "")
    position = int(last) + 1 if last.isdecimal() and len(last) < 16 else None
    return Stream(messages(web.feed, position), media_type="text/event-stream")


@get(
    "/api/v1/log/export",
    permission=Permission.LEDGER_LOG_EXPORT,
    tags=["log"],
    summary="The whole log, to be verified elsewhere",
    media_type="application/x-ndjson",
)
async def export(web: WebPart) -> Stream:
    """Every entry up to the newest checkpoint, with what may be disclosed. Personal values stay closed."""
    checkpoint = await newest_checkpoint_of(web)  # raises before the first byte is sent
    name = f"{web.services.settings.site_code.lower()}-log.ndjson"
    return Stream(
        export_lines(web, checkpoint),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def messages(feed: Feed, position: int | None) -> AsyncIterator[bytes]:
    """Write the feed as server-sent events."""
    yield b": hello\n\n"
    async for entries in feed.follow(position):
        yield b"".join(_message(entry) for entry in entries) or b": still here\n\n"


async def alarms_of(tx: Connection, web: Web) -> list[Alarm]:
    """Collect what wants a person, the worst first."""
    found: list[Alarm] = []
    for class_ in ALARMING:
        for each in await web.services.events.recent(tx, classes=[class_], limit=50):
            subject = f"cylinder:{each.cylinder_id}" if each.cylinder_id else f"lock:{each.lock_external_id}"
            found.append(Alarm(f"opening_{class_}", each.why, subject, each.occurred_at or each.arrived_at))
    found += [
        Alarm(
            "no_bound", f"nothing ends key {each.stamp} at {each.cylinders} locks", f"key:{each.key_id}", None
        )
        for each in await exposed_keys(tx, web.now)
        if each.until is None
    ]
    found += [
        Alarm(
            "stuck",
            f"key {each.stamp}: {each.target.problem}",
            f"key:{each.target.key_id}",
            each.target.asked_at,
        )
        for each in await unfinished_keys(tx)
        if each.target.problem
    ]
    found += [
        Alarm(
            "edited_elsewhere",
            f"key {each.stamp} was changed in the vendor's own tool",
            f"key:{each.key_id}",
            each.found_at,
        )
        for each in await edited_elsewhere(tx)
    ]
    found += [
        Alarm(
            "ad_hoc_issuance",
            f"{edited(each)}: {KINDS[each.kind]} elsewhere; it gives access in an enforced zone that no grant covers",
            f"finding:{each.id}",
            each.first_seen,
        )
        for each in await list_findings(tx, states=OPEN, ad_hoc=True)
    ]
    found += [
        Alarm("key_overdue", f"key {each.key.stamp} is overdue", f"key:{each.key.id}", each.due_at)
        for each in await overdue(tx, web.now)
        if each.step in {"shift_leader", "security"}
    ]
    found += [
        Alarm(
            f"custody_{each.kind}", f"key {each.stamp}: two people may have it", f"key:{each.key_id}", each.at
        )
        for each in await open_findings(tx)
        if each.is_dispute
    ]
    found += [
        Alarm("silent_source", f"{each.name} has not been heard", f"work_source:{each.name}", each.heard_at)
        for each in await source_status(tx, web.now)
        if each.feed_ok != "yes"
    ]
    found += [
        Alarm("undecided", f"cannot be decided: {each.problem}", each.subject, each.next_at)
        for each in await undecided(tx)
    ]
    found += [
        Alarm("message_held", f"{each.type} was {each.outcome}", f"permit:{each.permit_id}", each.received_at)
        for each in await held_messages(tx, limit=20)
        if each.permit_id is not None
    ]
    return found


def _message(entry: ReadEntry) -> bytes:
    told = {
        "position": entry.position,
        "kind": entry.kind,
        "recorded_at": entry.recorded_at,
        "subjects": entry.subjects,
    }
    return b"id: %d\ndata: %s\n\n" % (entry.position, msgspec.json.encode(told))


def _opening(found: StoredEvent) -> OpeningOut:
    return OpeningOut(
        id=found.id,
        occurred_at=found.occurred_at,
        arrived_at=found.arrived_at,
        time_quality=found.time_quality,
        cylinder=found.cylinder_id,
        lock=found.lock_external_id,
        key=found.key_id,
        holder=found.person_id,
        outcome=found.outcome,
        class_=found.event_class,
        why=found.why,
        grant=found.grant_id,
        certainty=found.certainty,
        tag=found.tag,
        crew_size=found.crew_size,
    )


HANDLERS = (openings, alarms, events, export)
