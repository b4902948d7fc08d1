"""The webhook of key cabinets, without a framework: headers and bytes in, a status and perhaps a problem document out.

    202 taken in, with what became of each event        204 all of them were known
    400 wrong    401 not signed by this source, or not now    404 no such source    413 too long    415 not JSON
    429 too many at once

An event about an unknown key or person is taken in all the same, with a finding: what a cabinet saw is not lost because
a register is late. Alarms have a pace of their own: a flood of other events never holds them up, and a stuck contact that
forces its door a thousand times never holds up who took which key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from key2xs.core.clock import Clock
from key2xs.core.database import Database
from key2xs.core.errors import InvalidInput
from key2xs.core.outside import CabinetSource
from key2xs.core.pace import Pace
from key2xs.keys.desk.parts import KeyDesk
from key2xs.work.signature import BadSignature, verify

from .events import ALARMS, MOST, CabinetEvent, read_message
from .taking import Taken, take_events

BODY_LIMIT: Final = 262_144  # whatever a source is set to; 500 events of some 300 bytes, and room
_MEDIA_TYPES: Final = frozenset({"application/json", "application/cloudevents+json"})
_TITLES: Final = {
    400: "The event is not acceptable",
    401: "The message is not signed",
    404: "No such cabinet source",
    413: "The body is too long",
    415: "The body is not JSON",
    429: "Too many events at once",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer: a status, a JSON document, and its media type."""

    status: int
    document: Any = None
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    taken: tuple[Taken, ...] = field(default=())

    @property
    def body(self) -> bytes:
        """The answer's bytes."""
        return b"" if self.document is None else msgspec.json.encode(self.document)


class CabinetWebhook:
    """Receives events of all configured cabinet sources. One for the process: it remembers their pace."""

    def __init__(self, database: Database, desk: KeyDesk, clock: Clock) -> None:
        """Receive for the sources that `desk` knows."""
        self._database, self._desk, self._clock = database, desk, clock
        self._sources = {source.name: source for source in desk.cabinets}
        self._paces: dict[tuple[str, bool], Pace] = {}

    async def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take in one POST. `headers` may be in any case; `body` is the bytes as they came."""
        headers = {header.casefold(): value for header, value in headers.items()}
        source = self._sources.get(name)
        if source is None:
            return _problem(404, "check the last part of the address")
        if len(body) > source.body_limit:
            return _problem(413, f"at most {source.body_limit} bytes")
        if headers.get("content-type", "").partition(";")[0].strip().casefold() not in _MEDIA_TYPES:
            return _problem(415, f"send one of {', '.join(sorted(_MEDIA_TYPES))}")
        now = self._clock.now()
        try:
            verify(headers, body, secrets=source.secrets, now=now)
            events = read_message(body, name)
        except BadSignature as error:
            return _problem(401, str(error))
        except InvalidInput as error:
            return _problem(400, str(error), errors=[{"field": error.field, "problem": error.problem}])
        if wait := self._wait(source, events):
            return _problem(429, "send it again later", headers={"Retry-After": str(int(wait) + 1)})
        taken = await self._database.transact(
            lambda tx: take_events(tx, self._desk, source, events, self._clock.now())
        )
        if all(each.outcome == "known" for each in taken):
            return Answer(204, taken=tuple(taken))
        return Answer(202, {"events": [msgspec.to_builtins(each) for each in taken]}, taken=tuple(taken))

    def _wait(self, source: CabinetSource, events: list[CabinetEvent]) -> float:
        """Return how many seconds these events must wait, 0 when they are taken in."""
        now, alarm = self._clock.monotonic(), any(each.kind in ALARMS for each in events)
        pace = self._paces.get((source.name, alarm))
        if pace is None:
            # A minute's worth at once, and never less than the longest message: that one could not arrive at all.
            burst = max(MOST, source.events_a_minute)
            pace = Pace.full(burst=burst, a_second=source.events_a_minute / 60, at=now)
            self._paces[source.name, alarm] = pace
        return pace.take(len(events), now)


def _problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    document = {
        "type": f"urn:key2xs:problem:cabinet-{status}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
        **more,
    }
    return Answer(status, document, "application/problem+json", headers or {})
