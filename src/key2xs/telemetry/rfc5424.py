"""Syslog messages after RFC 5424, and the octet counting of RFC 5425. Pure: no clock, no socket.

Formatting never fails for what is *in* a message: a strange host name or an oversized value must not stop the
entries behind it. What does not fit is replaced or cut, and a cut message says so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

NIL = "-"
LOG_AUDIT = 13  # RFC 5424, 6.2.1: facility "log audit".
SHORTEST_LIMIT = 480  # RFC 5424, 6.1: every receiver takes messages of this length.
DEFAULT_LIMIT = 8192  # RFC 5425, 4.3.1: receivers should take messages of this length.
TRUNCATED = "cut"  # Parameter name that marks a shortened message.

# RFC 5424, 6: lengths of the header fields and of names in structured data.
_MAX_HOST, _MAX_APP, _MAX_PROCID, _MAX_MSGID, _MAX_NAME = 255, 48, 128, 32, 32
_HIGHEST_FACILITY = 23
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_NOT_NAME = re.compile(r'[^\x21-\x7e]|[="\]]')
_ESCAPED = re.compile(r'["\\\]]')
# Control characters, line and paragraph separators, and lone surrogates: a receiver that writes lines must not be
# made to write two, and the bytes must be UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Severity(IntEnum):
    """RFC 5424, 6.2.1."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7


@dataclass(frozen=True, slots=True)
class Element:
    """One structured-data element; a parameter name may occur several times."""

    id: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """One message. `at` is aware; empty texts become `-`."""

    severity: Severity
    at: datetime
    host: str
    app: str
    msgid: str
    data: tuple[Element, ...] = ()
    text: str = ""
    procid: str = ""
    facility: int = LOG_AUDIT


def format_rfc5424(message: SyslogMessage, *, limit: int = DEFAULT_LIMIT) -> bytes:
    """Return the message as UTF-8 without a byte-order mark (rsyslog would keep one in the text).

    Args:
        message: what to say.
        limit: longest result in bytes. First the text is cut, then the values, at last structured data is dropped.

    Raises:
        ValueError: a programming error: a naive time, a facility above 23 or a limit below 480.
    """
    if message.at.tzinfo is None or not 0 <= message.facility <= _HIGHEST_FACILITY or limit < SHORTEST_LIMIT:
        raise ValueError("needs an aware time, a facility from 0 to 23 and a limit of 480 or more")
    header = _header(message)
    whole = _join(header, _data(message.data), message.text)
    return whole if len(whole) <= limit else _shorten(message, header, limit)


def frame(message: bytes) -> bytes:
    """Return the message with its length in front, as it goes over TLS (RFC 5425, 4.3)."""
    return b"%d %b" % (len(message), message)


def _header(message: SyslogMessage) -> str:
    priority = message.facility * 8 + message.severity
    at = message.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    fields = (
        _printable(message.host, _MAX_HOST),
        _printable(message.app, _MAX_APP),
        _printable(message.procid, _MAX_PROCID),
        _printable(message.msgid, _MAX_MSGID),
    )
    return f"<{priority}>1 {at}Z {' '.join(fields)}"


def _data(elements: Sequence[Element], *, longest_value: int | None = None) -> str:
    # RFC 5424, 6.3.2: an element id may occur only once; the first one wins.
    unique = {_name(element.id): element for element in reversed(elements)}
    ordered = [(name, unique[name]) for name in dict.fromkeys(_name(element.id) for element in elements)]
    return "".join(f"[{name}{_params(element, longest_value)}]" for name, element in ordered) or NIL


def _params(element: Element, longest: int | None) -> str:
    cut = longest is not None and any(len(value) > longest for _, value in element.params)
    params = [(name, value[:longest]) for name, value in element.params]
    if cut:
        params.append((TRUNCATED, "1"))
    return "".join(f' {_name(name)}="{_escape(value)}"' for name, value in params)


def _shorten(message: SyslogMessage, header: str, limit: int) -> bytes:
    marked = (*message.data, Element("cut@32473", ((TRUNCATED, "1"),)))
    bare = _join(header, _data(marked), "")
    if len(bare) < limit:
        text = _UNSAFE.sub(" ", message.text).encode()
        kept = text[: limit - len(bare) - 1].decode(errors="ignore")
        return _join(header, _data(marked), kept)
    for longest in (1024, 256, 64, 16):
        found = _join(header, _data(message.data, longest_value=longest), "")
        if len(found) <= limit:
            return found
    found = _join(header, _data(marked[-1:]), "")
    # Even the longest header (about 510 bytes) may exceed the smallest limit: then structured data goes too.
    return found if len(found) <= limit else _join(header, NIL, "")[:limit]


def _join(header: str, data: str, text: str) -> bytes:
    safe = _UNSAFE.sub(" ", text)
    return f"{header} {data} {safe}".encode() if safe else f"{header} {data}".encode()


def _printable(text: str, longest: int) -> str:
    return _NOT_PRINTABLE.sub("_", text)[:longest] or NIL


def _name(text: str) -> str:
    return _NOT_NAME.sub("_", text)[:_MAX_NAME] or "_"


def _escape(value: str) -> str:
    return _ESCAPED.sub(r"\\\g<0>", _UNSAFE.sub(" ", value))
