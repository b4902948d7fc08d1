"""Operations on persons, locks, rights, zones and the log."""

from __future__ import annotations

from typing import Any

import msgspec

from key2xs_twin.iloq import logs, render
from key2xs_twin.iloq.errors import ApiError, invalid
from key2xs_twin.iloq.inventory import PersonSpec
from key2xs_twin.iloq.routes import Call, Right, route
from key2xs_twin.iloq.shapes import InsertPersonBody, LogFilterBody, LogWindowBody, decode, read_utc
from key2xs_twin.iloq.state import LockRecord, LogRecord


def _person(call: Call, spec: PersonSpec) -> Any:
    return render.person(spec, call.server.state.person_fields.get(spec.person_id, {}))


@route("GET", "Persons", Right.PERSONS_LIST)
def list_persons(call: Call) -> Any:
    """All persons."""
    return [_person(call, spec) for spec in call.server.state.persons.values()]


@route("GET", "Persons/*", Right.PERSONS_LIST)
def get_person(call: Call) -> Any:
    """One person."""
    spec = call.server.state.persons.get(call.ids[0])
    if spec is None:
        raise invalid(call.ids[0], "person id")
    return _person(call, spec)


@route("GET", "Persons/GetByExternalPersonIds", Right.PERSONS_LIST)
def persons_by_external_id(call: Call) -> Any:
    """Look up by stable external id; an unknown one is a validation error, not an empty list."""
    wanted = call.query("externalPersonIds")
    by_external = {spec.external_person_id: spec for spec in call.server.state.persons.values()}
    for external_id in wanted:
        if external_id not in by_external:
            raise invalid(external_id, "externalPersonIds")
    return [_person(call, by_external[external_id]) for external_id in wanted]


@route("POST", "Persons", Right.PERSONS_EDIT)
def insert_person(call: Call) -> Any:
    """A new person; the caller chooses the id, external ids are unique."""
    state = call.server.state
    body: InsertPersonBody = decode(call.request.body, InsertPersonBody)
    person = body.person
    if person.person_id in state.persons:
        raise invalid(person.person_id, "Person_ID")
    taken = {spec.external_person_id for spec in state.persons.values()} - {None, ""}
    if person.external_person_id in taken:
        raise invalid(person.external_person_id, "ExternalPersonId")
    if not person.last_name:
        raise invalid(person.last_name, "LastName")
    state.persons[person.person_id] = PersonSpec(
        person_id=person.person_id,
        external_person_id=person.external_person_id,
        first_name=person.first_name,
        last_name=person.last_name,
        company_name=person.company_name,
        email=person.email,
        phone=person.phone1,
    )
    state.person_fields[person.person_id] = msgspec.to_builtins(person)
    return {"PersonIds": [str(person.person_id)]}


def _lock(call: Call) -> LockRecord:
    record = call.server.state.locks.get(call.ids[0])
    if record is None:
        raise invalid(call.ids[0], "lock id")
    return record


@route("GET", "Locks", Right.LOCKS_LIST)
def list_locks(call: Call) -> Any:
    """All locks."""
    return [render.lock(record) for record in call.server.state.locks.values()]


@route("GET", "Locks/*", Right.LOCKS_LIST)
def get_lock(call: Call) -> Any:
    """One lock."""
    return render.lock(_lock(call))


@route("GET", "Locks/*/SecurityAccesses", Right.LOCKS_LIST)
def lock_rights(call: Call) -> Any:
    """Rights of a lock, by plan or as last programmed."""
    record = _lock(call)
    rights = record.programmed_right_ids if call.mode() == 2 else record.right_ids
    return render.lock_rights(call.server.state, rights)


@route("GET", "Locks/*/Options", Right.LOCKS_LIST)
def lock_options(call: Call) -> Any:
    """Options of a lock."""
    return render.lock_options(_lock(call))


@route("GET", "Locks/*/TimeLimitTitles", Right.LOCKS_LIST)
def lock_time_limits(call: Call) -> Any:
    """Which time limits the lock honours; ``mode`` is required here too."""
    call.mode()
    return render.lock_time_limits(
        call.server.state, _lock(call), with_flag=call.server.settings.lock_flags_in_answer
    )


@route("GET", "SecurityAccesses", Right.RIGHTS_LIST)
def list_rights(call: Call) -> Any:
    """The catalogue of rights; only type 3 may be changed over the API."""
    return [render.security_access(spec) for spec in call.server.state.rights.values()]


@route("GET", "Zones", Right.ZONES_LIST)
def list_zones(call: Call) -> Any:
    """Vendor zones."""
    return [
        {"Zone_ID": str(zone_id), "Name": name, "Description": "", "TimeZone_ID": None, "Type": 1}
        for zone_id, name in call.server.state.zones.items()
    ]


@route("POST", "LockLogs/GetLockLogDataByTimestamp", Right.LOG_READ)
def log_by_timestamp(call: Call) -> Any:
    """Rows by arrival: start inclusive, end exclusive."""
    return _log_window(call, by_arrival=True)


@route("POST", "LockLogs/GetLockLogDataByGoingDates", Right.LOG_READ)
def log_by_going_dates(call: Call) -> Any:
    """Rows by event time: start inclusive, end exclusive."""
    return _log_window(call, by_arrival=False)


def _log_window(call: Call, *, by_arrival: bool) -> Any:
    server = call.server
    body: LogWindowBody = decode(call.request.body, LogWindowBody)
    start = read_utc(body.start_date_utc, "StartDateUtc")
    end = read_utc(body.end_date_utc, "EndDateUtc")
    if start is not None and end is not None and start > end:
        raise invalid(body.start_date_utc, "StartDateUtc")
    visible = logs.visible_until(server.time.now, server.settings.log_visible_after)
    select = logs.by_arrival if by_arrival else logs.by_event
    rows = select(server.state, start, end, visible_until=visible)
    group = server.account.lock_group_id
    return {
        "StartDateUtc": body.start_date_utc,
        "EndDateUtc": body.end_date_utc,
        "LockLogs": [render.log_by_time(server.state, record, group) for record in rows],
    }


@route("POST", "LockLogs", Right.LOG_READ)
def log_by_device(call: Call) -> Any:
    """Rows of given locks and/or keys, newest first, at most 2000; compare with ``TotalCount``."""
    server = call.server
    body: LogFilterBody = decode(call.request.body, LogFilterBody)
    if not body.flock_ids and not body.fnkey_ids:
        raise ApiError(400, "ValidationFailed", "Either FLockIds or FNKeyIds must be given.")
    rows = logs.by_event(
        server.state,
        read_utc(body.going_start_date_utc, "GoingStartDateUtc"),
        read_utc(body.going_end_date_utc, "GoingEndDateUtc"),
        visible_until=logs.visible_until(server.time.now, server.settings.log_visible_after),
        key_ids=body.fnkey_ids or (),
    )
    found = [record for record in rows if _matches(record, body)]
    newest = found[::-1][: server.settings.log_rows_max]
    return {
        "LockLogs": [render.log_by_device(server.state, record) for record in newest],
        "TotalCount": len(found),
    }


def _matches(record: LogRecord, body: LogFilterBody) -> bool:
    row = record.row
    if body.flock_ids and row.lock_id not in body.flock_ids:
        return False
    if body.fnkey_ids and row.key_id not in body.fnkey_ids:
        return False
    return not body.type_mask or bool(row.type_mask & body.type_mask)
