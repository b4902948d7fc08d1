"""Sessions, and what can be read: system, cylinders, groups, keys, updaters, programming keys, events."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any
from uuid import UUID

from key2xs_twin.cliq import render
from key2xs_twin.cliq.errors import invalid, unknown
from key2xs_twin.cliq.keys import find_key
from key2xs_twin.cliq.routes import NO_CONTENT, Call, created, route, tagged
from key2xs_twin.cliq.shapes import SessionBody, decode, write_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from key2xs_twin.cliq.server import CliqServer
    from key2xs_twin.cliq.state import CylinderRecord


@route("POST", "sessions", signed_in=False, body=True)
def open_session(call: Call) -> Any:
    """Sign in; several sessions may be open."""
    body = decode(call.request.body, SessionBody)
    session = call.server.sessions.open(body.client, body.secret, call.server.time.now)
    content = {
        "session": session.session_id,
        "opened_at": write_instant(session.opened_at),
        "expires_at": write_instant(session.expires_at),
    }
    return created(201, content)


@route("DELETE", "sessions/current")
def end_session(call: Call) -> Any:
    """Sign out."""
    call.server.sessions.end(call.request.session_id or "")
    return NO_CONTENT


@route("GET", "system")
def get_system(call: Call) -> Any:
    """The locking system and its settings."""
    return render.system(call.server)


@route("GET", "cylinders", "cursor", "limit")
def get_cylinders(call: Call) -> Any:
    """A page of the cylinders in the client's domains."""
    state, sees = call.server.state, call.server.sees
    visible = (each for each in state.cylinders if sees(each))
    return _page(call, visible, lambda each: render.cylinder(call.server, state.cylinders[each]))


@route("GET", "access-profiles", "cursor", "limit")
def get_profiles(call: Call) -> Any:
    """A page of the access profiles."""
    state = call.server.state
    return _page(call, state.profiles, lambda each: render.profile(state.profiles[each], call.server.sees))


@route("GET", "cylinder-groups", "cursor", "limit")
def get_groups(call: Call) -> Any:
    """A page of the cylinder groups."""
    state = call.server.state
    return _page(call, state.groups, lambda each: render.group(state.groups[each], call.server.sees))


@route("GET", "cylinders/*/list")
def get_list(call: Call) -> Any:
    """The normal keys and key groups planned for one cylinder."""
    record = find_cylinder(call.server, call.id("cylinder"))
    return tagged(render.cylinder_list(record), record.list_revision)


def find_cylinder(server: CliqServer, cylinder_id: UUID) -> CylinderRecord:
    """The cylinder, if the client's domains hold it."""
    record = server.state.cylinders.get(cylinder_id)
    if record is None or not server.sees(cylinder_id):
        raise unknown("cylinder", cylinder_id)
    return record


@route("GET", "key-groups")
def get_key_groups(call: Call) -> Any:
    """The key groups."""
    return {"items": [render.key_group(each) for each in call.server.state.key_groups.values()]}


@route("GET", "keys/*/lists")
def get_lists(call: Call) -> Any:
    """The cylinders that list a normal key, did so, or are to: planned, as programmed, and what is on its way there."""
    server = call.server
    record = find_key(server.state, call.id("key"))
    found = sorted(each for each in server.state.listed_in.get(record.key_id, ()) if server.sees(each))
    return {"items": [render.listing(server.state, record, each) for each in found]}


@route("GET", "keys", "cursor", "limit")
def get_keys(call: Call) -> Any:
    """A page of the keys."""
    state = call.server.state
    return _page(call, state.keys, lambda each: render.key(state, state.keys[each]))


@route("GET", "keys/*")
def get_key(call: Call) -> Any:
    """One key with plan, update and confirmation."""
    record = find_key(call.server.state, call.id("key"))
    return tagged(render.whole_key(call.server, record), record.revision)


@route("GET", "updaters")
def get_updaters(call: Call) -> Any:
    """The updaters."""
    return {"items": [render.updater(record, call.server) for record in call.server.state.updaters.values()]}


@route("GET", "programming-keys")
def get_programming_keys(call: Call) -> Any:
    """The programming keys."""
    records = call.server.state.programming_keys.values()
    return {"items": [render.programming_key(call.server, record) for record in records]}


@route("GET", "events", "after", "limit")
def get_events(call: Call) -> Any:
    """Events in order of arrival, after a cursor."""
    text = call.query("after") or "0"
    if not text.isascii() or not text.isdigit():
        raise invalid("after", "This is no cursor of ours.")
    events, after, limit = call.server.state.events, int(text), call.limit(call.server.settings.events_max)
    found = events[after : after + limit]
    cursor = str(found[-1].seq) if found else text
    return {
        "items": [render.event(record) for record in found],
        "cursor": cursor,
        "more": after + limit < len(events),
    }


def _page(call: Call, ids: Iterable[UUID], show: Callable[[UUID], Any]) -> Any:
    cursor, limit = call.query("cursor"), call.limit(call.server.settings.page_max)
    ordered = sorted(ids)
    start = 0
    if cursor is not None:
        try:
            start = bisect_right(ordered, UUID(cursor))
        except ValueError:
            raise invalid("cursor", "This is no cursor of ours.") from None
    page = ordered[start : start + limit]
    more = start + limit < len(ordered)
    return {"items": [show(each) for each in page], "next": str(page[-1]) if more else None}
