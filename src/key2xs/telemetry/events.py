"""From a log entry to a syslog message, without personal data.

Told: what sort of entry, where it stands on the log, the opaque ids it is about, and machine codes (outcome, class,
reasons). Never told: names, free text that a person typed, and anything sealed. Only values that *look* like a code
pass, so that a domain which one day puts a sentence into such a field discloses nothing.
"""

import re
from collections.abc import Iterator, Mapping

from key2xs.ledger import ReadEntry
from key2xs.ledger.canonical import Json
from key2xs.ledger.leaf import format_instant

from .rfc5424 import Element, Severity, SyslogMessage

APP = "key2xs"
# We have no private enterprise number; 32473 is the one RFC 5612 sets aside for examples.
ELEMENT = "key2xs@32473"

# Body fields that may be told, if their value is a code or a list of codes.
_FIELDS = (
    "class", "kind", "mode", "outcome", "reason_code", "reason_codes", "reasons", "state", "time_quality", "verdict",
    "was",
)  # fmt: skip
# `reason` is usually what a person typed. Only these kinds use it for a code of ours.
_CODED_REASON = frozenset({"grants:lease:end", "grants:lease:refuse"})
_CODE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")
_SUBJECT = re.compile(r"[a-z_]+:[A-Za-z0-9._-]{1,80}")

_ALERTS = frozenset({"ad_hoc", "unexplained"})
_WARNINGS = frozenset({"after_end", "denied", "deny", "failed", "foreign_edit", "refused", "undated"})


def to_syslog(entry: ReadEntry, *, host: str) -> SyslogMessage:
    """Return what a SIEM is told about an entry. The same entry always gives the same message."""
    codes = tuple(_codes(entry.kind, entry.body))
    params = (
        ("key2xs_uid", str(entry.id)),
        ("index", str(entry.position)),
        ("kind", entry.kind),
        ("recorded_at", format_instant(entry.recorded_at)),
        *(("actor", actor) for actor in [entry.actor] if _SUBJECT.fullmatch(actor)),
        *(("subject", subject) for subject in entry.subjects if _SUBJECT.fullmatch(subject)),
        *codes,
    )
    said = ", ".join(f"{name} {code}" for name, code in codes)
    return SyslogMessage(
        # What a thing was before is told, and alarms nobody a second time.
        severity=severity_of(code for name, code in codes if name != "was"),
        at=entry.occurred_at,
        host=host,
        app=APP,
        msgid=entry.kind,
        data=(Element(ELEMENT, params),),
        text=f"{entry.kind}: {said}" if said else entry.kind,
    )


def severity_of(codes: Iterator[str]) -> Severity:
    """Return alert for an unexplained opening or access given elsewhere, warning for edits and failures, else notice."""
    found = set(codes)
    if found & _ALERTS:
        return Severity.ALERT
    return Severity.WARNING if found & _WARNINGS else Severity.NOTICE


def _codes(kind: str, body: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    names = (*_FIELDS, "reason") if kind in _CODED_REASON else _FIELDS
    for name in names:
        value = body.get(name)
        for item in value if isinstance(value, list) else [value]:
            # A reason may be an object with its code beside a text for people.
            code = item.get("code") if isinstance(item, dict) else item
            if isinstance(code, str) and _CODE.fullmatch(code):
                yield name, code
