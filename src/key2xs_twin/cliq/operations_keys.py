"""Changing keys: plan, send, report, holder."""

from __future__ import annotations

from typing import Any

from key2xs_twin.cliq import keys as key_life, lists, render
from key2xs_twin.cliq.errors import CliqError, invalid, wrong_state
from key2xs_twin.cliq.operations_reading import find_cylinder
from key2xs_twin.cliq.routes import Call, created, route, tagged
from key2xs_twin.cliq.shapes import HolderBody, ListBody, PlanBody, ReportBody, decode, read_plan
from key2xs_twin.cliq.things import EventKind


@route("PUT", "keys/*/plan", body=True)
def put_plan(call: Call) -> Any:
    """Replace the plan, if nobody else changed it since it was read."""
    server = call.server
    record = key_life.find_key(server.state, call.id("key"))
    wanted = (call.request.if_match or "").strip('"')
    if not wanted:
        raise invalid("If-Match", "A plan is replaced with the revision that was read.")
    plan = read_plan(decode(call.request.body, PlanBody), server.settings)
    if wanted != str(record.revision):
        raise CliqError(412, "changed", f"The plan is at revision {record.revision}.")
    key_life.change_plan(server.state, record, plan, server.sees)
    return tagged(render.whole_key(server, record), record.revision)


@route("PUT", "cylinders/*/list", body=True)
def put_list(call: Call) -> Any:
    """Replace the entries planned for a cylinder, if nobody else changed them since they were read."""
    server = call.server
    record = find_cylinder(server, call.id("cylinder"))
    wanted = (call.request.if_match or "").strip('"')
    if not wanted:
        raise invalid("If-Match", "Entries are replaced with the revision that was read.")
    body = decode(call.request.body, ListBody)
    if len(set(body.keys)) != len(body.keys) or len(set(body.key_groups)) != len(body.key_groups):
        raise invalid("keys", "An entry is repeated.")
    if wanted != str(record.list_revision):
        raise CliqError(412, "changed", f"The entries are at revision {record.list_revision}.")
    lists.change(server, record, lists.CylinderList(frozenset(body.keys), frozenset(body.key_groups)))
    return tagged(render.cylinder_list(record), record.list_revision)


@route("POST", "keys/*/send")
def send_plan(call: Call) -> Any:
    """Make the plan wait at every updater."""
    record = key_life.find_key(call.server.state, call.id("key"))
    key_life.send(record, call.server.time.now)
    return created(202, {"update": render.update(record)})


@route("POST", "keys/*/report", body=True)
def report_key(call: Call) -> Any:
    """A key is lost, broken or found."""
    server = call.server
    record = key_life.find_key(server.state, call.id("key"))
    body = decode(call.request.body, ReportBody)
    was = record.reported
    key_life.report(server.state, record, body.what, server.time.now)
    if body.what == "lost" and record.reported is not was:
        server.note(EventKind.REPORTED_LOST, record.key_id)
    return tagged(render.whole_key(server, record), record.revision)


@route("POST", "keys/*/holder", body=True)
def put_holder(call: Call) -> Any:
    """Book a key to a person, or back in; the key itself does not change by that."""
    server = call.server
    record = key_life.find_key(server.state, call.id("key"))
    body = decode(call.request.body, HolderBody)
    if body.holder == "":
        raise invalid("holder", "A holder has a name; null is nobody.")
    if record.retired:
        raise wrong_state("The key is retired.")
    if body.holder is not None and record.reported is not None:
        raise wrong_state(f"The key is reported {record.reported}.")
    if body.holder != record.holder:
        record.holder, record.handed_out = body.holder, body.holder is not None
        server.note(EventKind.HANDED_OUT if record.handed_out else EventKind.HANDED_IN, record.key_id)
    return tagged(render.whole_key(server, record), record.revision)
