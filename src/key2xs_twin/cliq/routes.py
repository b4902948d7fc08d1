"""From method and path to an operation: the table of what the simulated CLIQ interface can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from key2xs_twin.cliq.errors import CliqError, invalid, unknown
from key2xs_twin.cliq.server import CliqRequest, CliqServer
from key2xs_twin.edge import JSON_HEADERS, Answer

NO_CONTENT = Answer(204, b"", ())


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation gets: the server, the request, and the words out of the path."""

    server: CliqServer
    request: CliqRequest
    words: tuple[str, ...]

    def id(self, what: str, at: int = 0) -> UUID:
        """An id out of the path; what is no id names nothing."""
        try:
            return UUID(self.words[at])
        except ValueError:
            raise unknown(what, self.words[at]) from None

    def query(self, name: str) -> str | None:
        """The one value of a query parameter."""
        values = self.request.query.get(name, [])
        if len(values) > 1:
            raise invalid(name, "The parameter is repeated.")
        return values[0] if values else None

    def limit(self, most: int) -> int:
        """The ``limit`` of a page."""
        text = self.query("limit")
        if text is None:
            return most
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise invalid("limit", f"A page has 1 to {most} items.")
        return int(text)


Operation = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; ``queries`` are the parameters it knows."""

    pattern: tuple[str, ...]
    name: str
    operation: Operation
    queries: frozenset[str]
    signed_in: bool
    body: bool


_ROUTES: dict[tuple[str, int], list[Route]] = {}


def route(
    method: str, pattern: str, *queries: str, signed_in: bool = True, body: bool = False
) -> Callable[[Operation], Operation]:
    """Register an operation; ``*`` in the pattern stands for an id."""

    def register(operation: Operation) -> Operation:
        parts = tuple(pattern.split("/"))
        entry = Route(parts, f"{method} {pattern}", operation, frozenset(queries), signed_in, body)
        routes = _ROUTES.setdefault((method, len(parts)), [])
        routes.append(entry)
        routes.sort(key=lambda item: item.pattern.count("*"))
        return operation

    return register


def dispatch(server: CliqServer, request: CliqRequest) -> Answer:
    """Find the operation, check the session, run it and write the answer."""
    parts = tuple(request.path.strip("/").split("/"))
    found = _find(request.method, parts)
    if found is None:
        raise CliqError(404, "unknown_operation", f"There is no {request.method} {request.path}.")
    server.calls[found.name] += 1
    if found.signed_in:
        server.sessions.require(request.session_id, server.time.now)
    stray = sorted(set(request.query) - found.queries)
    if stray:
        raise invalid(stray[0], "There is no such parameter.")
    if request.body and not found.body:
        raise invalid("body", "This call takes no body.")
    words = tuple(part for part, word in zip(parts, found.pattern, strict=True) if word == "*")
    result = found.operation(Call(server, request, words))
    return result if isinstance(result, Answer) else Answer(200, msgspec.json.encode(result))


def _find(method: str, parts: tuple[str, ...]) -> Route | None:
    for candidate in _ROUTES.get((method, len(parts)), ()):
        if all(word in {"*", part} for word, part in zip(candidate.pattern, parts, strict=True)):
            return candidate
    return None


def created(status: int, content: Any) -> Answer:
    """An answer with another status than 200."""
    return Answer(status, msgspec.json.encode(content))


def tagged(content: Any, revision: int) -> Answer:
    """An answer whose ETag is the revision."""
    return Answer(200, msgspec.json.encode(content), (*JSON_HEADERS, ("etag", f'"{revision}"')))


def load_operations() -> None:
    """Import the modules that register operations."""
    from key2xs_twin.cliq import operations_jobs, operations_keys, operations_reading

    _ = (operations_jobs, operations_keys, operations_reading)


load_operations()
