"""Telling other systems what is on the log. First sink: syslog (RFC 5424) over mutual TLS (RFC 5425)."""

from key2xs.telemetry.events import to_syslog
from key2xs.telemetry.reader import SyslogReader
from key2xs.telemetry.rfc5424 import Element, Severity, SyslogMessage, format_rfc5424, frame
from key2xs.telemetry.syslog_tls import SyslogTarget, SyslogTlsSender

__all__ = [
    "Element",
    "Severity",
    "SyslogMessage",
    "SyslogReader",
    "SyslogTarget",
    "SyslogTlsSender",
    "format_rfc5424",
    "frame",
    "to_syslog",
]
