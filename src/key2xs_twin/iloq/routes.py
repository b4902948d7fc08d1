"""From method and path to an operation: the table of what the simulated API can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from key2xs_twin.iloq.errors import ApiError, invalid
from key2xs_twin.iloq.server import ApiAnswer, ApiRequest, IloqServer


class Right(IntFlag):
    """Bits of RightsMask that the operations need (Public API v2)."""

    NONE = 0
    PERSONS_LIST = 2
    KEYS_LIST = 512
    ZONES_LIST = 2048
    PERSONS_EDIT = 65536
    BLOCKLIST_EDIT = 131072
    KEYS_EDIT = 524288
    RIGHTS_LIST = 2097152
    BLOCKLIST_VIEW = 8388608
    KEY_ACCESS_EDIT = 33554432
    RETURNS = 134217728
    LOCKS_LIST = 1073741824
    ADMINISTRATE = 2147483648
    KEYS_ORDER = 34359738368
    LOG_READ = 549755813888


NO_BODY = ApiAnswer(200, b"")
# T4E: a successful POST of a right was seen as 204, while the OpenAPI text declares only 200.
NO_CONTENT = ApiAnswer(204, b"")


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation gets: the server, the request, and the ids out of the path."""

    server: IloqServer
    request: ApiRequest
    ids: tuple[UUID, ...]

    def query(self, name: str) -> list[str]:
        """All values of a query parameter."""
        return self.request.query.get(name, [])

    def mode(self) -> int:
        """The required ``mode``: 1 planned, 2 on the device. 0 is discouraged and read as 1."""
        values = self.query("mode")
        if len(values) != 1 or values[0] not in {"0", "1", "2"}:
            raise invalid(",".join(values), "mode")
        return 2 if values[0] == "2" else 1


Operation = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API; ``signed_in`` 0 nobody, 1 a session, 2 with a locking system."""

    pattern: tuple[str, ...]
    name: str
    operation: Operation
    needs: Right
    signed_in: int


_ROUTES: dict[tuple[str, int], list[Route]] = {}


def route(
    method: str, pattern: str, needs: Right = Right.NONE, *, signed_in: int = 2
) -> Callable[[Operation], Operation]:
    """Register an operation; ``*`` in the pattern stands for an id."""

    def register(operation: Operation) -> Operation:
        parts = tuple(pattern.split("/"))
        entry = Route(parts, f"{method} {pattern}", operation, needs, signed_in)
        routes = _ROUTES.setdefault((method, len(parts)), [])
        routes.append(entry)
        # Exact words win over ids: Persons/GetByExternalPersonIds before Persons/*.
        routes.sort(key=lambda item: item.pattern.count("*"))
        return operation

    return register


def dispatch(server: IloqServer, request: ApiRequest) -> ApiAnswer:
    """Find the operation, check session and rights, run it and write the answer."""
    parts = tuple(request.path.strip("/").split("/"))
    found = _find(request.method, parts)
    if found is None:
        raise ApiError(404, "NotFound", f"No operation {request.method} {request.path}.")
    server.calls[found.name] += 1
    _require_base(server, request, found)
    if found.signed_in:
        server.open_session(request, lock_group=found.signed_in == 2)
    if int(found.needs) & ~server.settings.rights_mask:
        raise ApiError(403, "Forbidden", f"The user lacks a right for {found.name}.")
    ids = tuple(_read_id(part) for part, word in zip(parts, found.pattern, strict=True) if word == "*")
    result = found.operation(Call(server, request, ids))
    if isinstance(result, ApiAnswer):
        return result
    return ApiAnswer(200, msgspec.json.encode(result))


def _find(method: str, parts: tuple[str, ...]) -> Route | None:
    for candidate in _ROUTES.get((method, len(parts)), ()):
        if all(word in {"*", part} for word, part in zip(candidate.pattern, parts, strict=True)):
            return candidate
    return None


def _read_id(part: str) -> UUID:
    try:
        return UUID(part)
    except ValueError:
        raise invalid(part, "id") from None


def _require_base(server: IloqServer, request: ApiRequest, found: Route) -> None:
    """With a redirect, only GetUrl answers at the old base."""
    settings = server.settings
    if settings.get_url != "redirect" or found.name == "POST Url/GetUrl":
        return
    wanted = urlsplit(settings.redirect_base).path.strip("/")
    if request.base.strip("/") != wanted:
        raise ApiError(404, "NotFound", "This locking system has moved: ask Url/GetUrl.")


def load_operations() -> None:
    """Import the modules that register operations."""
    from key2xs_twin.iloq import (
        operations_blocklist,
        operations_catalogue,
        operations_keys,
        operations_session,
        operations_webhooks,
    )

    _ = (
        operations_blocklist, operations_catalogue, operations_keys, operations_session, operations_webhooks,
    )  # fmt: skip


load_operations()
