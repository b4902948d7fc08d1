"""The server's log: rows in order of arrival, each with event, reading and arrival time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from key2xs_twin.devices.things import AuditRow, Reason, TypeBit
from key2xs_twin.iloq.inventory import PersonSpec
from key2xs_twin.iloq.state import LogRecord, VendorState

WITHOUT_TIME = TypeBit.TIME_LAST_KNOWN | TypeBit.NO_TIME
ERROR_TEXTS = {
    # ASSUMPTION: device error codes are not published; the twin numbers its own reasons.
    Reason.OK: (0, ""),
    Reason.NO_PROGRAM: (10, "Key is not programmed"),
    Reason.NO_RIGHT: (11, "No access right"),
    Reason.BLOCKLISTED: (12, "Key is on the blocklist"),
    Reason.OFFLINE_EXPIRED: (13, "Key has expired offline"),
    Reason.NOT_YET_VALID: (14, "Key is not valid yet"),
    Reason.NO_LONGER_VALID: (15, "Key is no longer valid"),
    Reason.SERVER_UNREACHABLE: (16, "Online authentication failed"),
    Reason.SERVER_REFUSED: (17, "Online authentication refused"),
    Reason.UNKNOWN_KEY: (18, "Unknown key"),
    Reason.MECHANICAL: (0, ""),
    Reason.OTHER_SYSTEM: (0, ""),
}


def receive(state: VendorState, row: AuditRow, *, read_at: datetime, arrived_at: datetime) -> bool:
    """Store a row unless it is here already (the same row may come by two ways); return whether it was new.

    A lock without clock shows the time of transfer instead of the passage, and the person is whoever holds
    the key then: the vendor's manual says so, and attribution by such rows is a guess.
    """
    known = len(state.log_ids)
    state.log_ids.add(row.log_id)
    if len(state.log_ids) == known:
        return False
    doubtful = bool(row.type_mask & WITHOUT_TIME)
    going = row.recorded_at if row.recorded_at is not None else read_at
    record = LogRecord(
        row=row,
        going_date=going,
        reading_date=read_at,
        arrived_at=arrived_at,
        option_mask=1 if doubtful else 0,
        person_name=_person_name(state, row.key_id, read_at if doubtful else going),
        custom_values=_custom_values(state, row.key_id),
    )
    state.log.append(record)
    if row.key_id is not None:
        rows = state.log_of_key.get(row.key_id)
        if rows is None:
            rows = state.log_of_key[row.key_id] = []
        rows.append(record)
    return True


def _person_name(state: VendorState, key_id: UUID | None, at: datetime) -> str | None:
    record = state.keys.get(key_id) if key_id is not None else None
    if record is None:
        return None
    person_id = record.holder_at(at)
    person: PersonSpec | None = state.persons.get(person_id) if person_id is not None else None
    return f"{person.first_name} {person.last_name}" if person is not None else None


def _custom_values(state: VendorState, key_id: UUID | None) -> str:
    if key_id is None or key_id not in state.tags_of_key:
        return ""
    tags = state.tags_of_key[key_id].values()
    saved = [tag for tag in tags if tag.save_to_audit]
    return "; ".join(f"{tag.key}={tag.value}" for tag in sorted(saved, key=lambda tag: tag.key))


def by_arrival(
    state: VendorState, start: datetime | None, end: datetime | None, *, visible_until: datetime
) -> list[LogRecord]:
    """Rows that arrived in ``[start, end)`` and can be seen already."""
    log = state.log
    first = 0 if start is None else bisect_left(log, start, key=_arrived_at)
    last = len(log) if end is None else bisect_left(log, end, key=_arrived_at)
    return [record for record in log[first:last] if record.arrived_at <= visible_until]


def by_event(
    state: VendorState,
    start: datetime | None,
    end: datetime | None,
    *,
    visible_until: datetime,
    key_ids: Iterable[UUID] = (),
) -> list[LogRecord]:
    """Rows whose event lies in ``[start, end)``, oldest event first; only those of ``key_ids`` if there are any."""
    wanted = set(key_ids)
    log = [record for key in wanted for record in state.log_of_key.get(key, ())] if wanted else state.log
    rows = [
        record
        for record in log
        if (start is None or record.going_date >= start)
        and (end is None or record.going_date < end)
        and record.arrived_at <= visible_until
    ]
    return sorted(rows, key=lambda record: (record.going_date, record.row.log_id))


def _arrived_at(record: LogRecord) -> datetime:
    return record.arrived_at


def visible_until(now: datetime, lag: timedelta) -> datetime:
    """Rows that arrived later than this do not show yet."""
    return now - lag
