"""The webhook, without a framework: headers and bytes in, a status and perhaps a problem document out.

    202 taken in        204 nothing to do (a duplicate, a heartbeat)
    400 wrong           401 not signed by this source, or not now       404 no such source
    413 too long        415 not JSON                                    429 too many at once

A message that is wrong, but signed, is kept with its problems and holds the permit it is about. The limits of pace never
apply to messages that take something away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from key2xs.core.clock import Clock
from key2xs.core.database import Connection, Database
from key2xs.core.outside import PermitSource
from key2xs.core.pace import Pace
from key2xs.core.settings import Settings

from .desk import Desk
from .payload import AREA_STOP, GAS_TEST_RECORDED, TYPE_PREFIX, Problem
from .service import receive_event
from .signature import STANDARD, BadSignature, Message, Scheme, verify
from .states import NARROWING, TYPE_STATES
from .types import Outcome

# A full state of 60 people, 40 isolation points and a day of gas tests is about 40 kB; the largest that the payload's
# own limits allow is far beyond what a permit can be. 256 KiB leaves room without letting one sender fill the memory.
BODY_LIMIT: Final = 262_144
MEDIA_TYPES: Final = frozenset({"application/cloudevents+json", "application/json"})
PROBLEM_TYPE: Final = "application/problem+json"

# 420 revalidations in 30 minutes is the largest shift change (facts 4.4), and a reconnecting sender may have kept some
# hundreds. Both are far below this pace.
BURST: Final = 1000
A_SECOND: Final = 100.0

_TITLES: Final = {
    400: "The event is not acceptable",
    401: "The message is not signed",
    404: "No such permit source",
    413: "The body is too long",
    415: "The body is not JSON",
    429: "Too many messages at once",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer: a status, a problem document (RFC 9457) for errors, and headers."""

    status: int
    problem: dict[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome | None = None


class Webhook:
    """Receives permit events of all configured sources."""

    def __init__(
        self,
        database: Database,
        desk: Desk,
        clock: Clock,
        settings: Settings,
        *,
        schemes: Mapping[str, Scheme] | None = None,
        burst: int = BURST,
    ) -> None:
        """Receive for the sources of `settings.permits`; `schemes` names those that sign otherwise."""
        self._database, self._desk, self._clock = database, desk, clock
        self._sources: dict[str, PermitSource] = {source.name: source for source in settings.permits}
        self._schemes = dict(schemes or {})
        self._limit = min(BODY_LIMIT, settings.http.body_limit)
        self._burst = burst
        self._paces: dict[str, Pace] = {}

    async def receive(self, source: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take in one POST. `headers` may be in any case; `body` is the bytes as they came."""
        headers = {name.casefold(): value for name, value in headers.items()}
        known = self._sources.get(source)
        if known is None:
            return _problem(404, "check the last part of the address")
        if len(body) > self._limit:
            return _problem(413, f"at most {self._limit} bytes")
        if headers.get("content-type", "").partition(";")[0].strip().casefold() not in MEDIA_TYPES:
            return _problem(415, f"send one of {', '.join(sorted(MEDIA_TYPES))}")
        now = self._clock.now()
        try:
            signed = verify(
                headers,
                body,
                secrets=known.secrets,
                now=now,
                scheme=self._schemes.get(source, STANDARD),
            )
        except BadSignature as error:
            return _problem(401, str(error))
        wait = 0.0 if _takes_away(body) else self._wait(source)
        if wait:
            return _problem(429, "send again later", headers={"Retry-After": str(int(wait) + 1)})
        outcome = await self._take_in(source, body, signed)
        if outcome.kind == "refused":
            return _problem(400, "see errors", problems=outcome.problems, outcome=outcome)
        return Answer(204 if outcome.kind in {"duplicate", "heard"} else 202, outcome=outcome)

    def handshake(self, source: str, headers: Mapping[str, str]) -> Answer:
        """Answer the OPTIONS request by which a CloudEvents sender asks whether it may send."""
        headers = {name.casefold(): value for name, value in headers.items()}
        origin = headers.get("webhook-request-origin", "")
        if source not in self._sources:
            return _problem(404, "check the last part of the address")
        if not origin or not origin.isprintable():
            return _problem(400, "WebHook-Request-Origin is missing")
        rate = str(int(A_SECOND * 60))
        allowed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate, "Allow": "POST, OPTIONS"}
        return Answer(200, headers=allowed)

    async def _take_in(self, source: str, body: bytes, signed: Message) -> Outcome:
        now = self._clock.now()

        async def work(tx: Connection) -> Outcome:
            return await receive_event(tx, self._desk, source, body, now, webhook_id=signed.id)

        return await self._database.transact(work)

    def _wait(self, source: str) -> float:
        """Return how many seconds a source must wait, 0 when it may go on."""
        now = self._clock.monotonic()
        if source not in self._paces:
            self._paces[source] = Pace.full(burst=self._burst, a_second=A_SECOND, at=now)
        return self._paces[source].take(1, now)


class _GlimpsePermit(msgspec.Struct, frozen=True):
    state: str = ""


class _GlimpseData(msgspec.Struct, frozen=True):
    permit: _GlimpsePermit = _GlimpsePermit()


class _Glimpse(msgspec.Struct, frozen=True):
    """The fields that decide whether a message may have to wait."""

    type: str = ""
    data: _GlimpseData = _GlimpseData()


_GLIMPSE: Final = msgspec.json.Decoder(_Glimpse)
_URGENT: Final = frozenset(
    {AREA_STOP, GAS_TEST_RECORDED}
    | {f"{TYPE_PREFIX}permit.{verb}.v1" for verb, state in TYPE_STATES.items() if state in NARROWING}
)


def _takes_away(body: bytes) -> bool:
    try:
        glimpse = _GLIMPSE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return glimpse.type in _URGENT or glimpse.data.permit.state in NARROWING


def _problem(
    status: int,
    detail: str,
    *,
    problems: tuple[Problem, ...] = (),
    headers: Mapping[str, str] | None = None,
    outcome: Outcome | None = None,
) -> Answer:
    document: dict[str, Any] = {
        "type": f"urn:key2xs:problem:webhook-{status}",
        "title": _TITLES[status],
        "status": status,
        "detail": detail,
    }
    if problems:
        document["errors"] = [msgspec.to_builtins(problem) for problem in problems]
    return Answer(status, document, {"Content-Type": PROBLEM_TYPE, **(headers or {})}, outcome)
