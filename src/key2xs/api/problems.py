"""Errors as RFC 9457 problem documents: one form for everything that can go wrong.

`type` is stable and meant for programs, `title` names the kind, `detail` is about this request and says what to do.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from key2xs.access import SignInRefused, TooManyAttempts
from key2xs.core.errors import (
    CallFailed,
    Conflict,
    InvalidInput,
    Key2XSError,
    NarrowOnly,
    NotAllowed,
    NotFound,
)
from key2xs.policy import BundleInvalid

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:key2xs:problem:"
_LOG: Final = logging.getLogger("key2xs.api")

TITLES: Final[Mapping[int, str]] = {
    400: "The request is not acceptable",
    401: "Sign in first",
    403: "You may not do this",
    404: "There is no such thing",
    405: "This cannot be done here",
    409: "It is not in the state this needs",
    413: "The request is too long",
    415: "The request is of a type that is not taken here",
    422: "The idempotency key was used for something else",
    429: "Too many attempts",
    500: "Something went wrong here",
    503: "Not possible at the moment",
}


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field."""

    field: str
    problem: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """A problem document."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    proposal: str = ""
    """The proposal that waits for a second person, for `second-person` problems."""


class KeyUsedDifferently(Key2XSError):
    """The idempotency key came with another request before."""


class NotSignedIn(Key2XSError):
    """Send a bearer token, or sign in."""


class BadCsrf(Key2XSError):
    """The CSRF token of this session is missing or wrong; load the page again."""


def make_problem(
    status: int, detail: str, *, kind: str = "", errors: list[FieldProblem] | None = None
) -> Problem:
    """Make a problem document; `kind` tells problems of one status apart."""
    return Problem(
        type=f"{TYPE_PREFIX}{kind or status}",
        title=TITLES.get(status, "The request failed"),
        status=status,
        detail=detail,
        errors=errors or [],
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Answer with a problem document."""
    return Response(
        msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers or {}
    )


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn whatever was raised into a problem document; nothing of the inside shows."""
    if isinstance(error, HTTPException):
        return problem_response(_of_http(error), _headers_of(error))
    if isinstance(error, Key2XSError):
        problem, headers = _of_ours(error)
        return problem_response(problem, headers)
    if isinstance(error, RecursionError):
        return problem_response(make_problem(400, "the body is nested too deeply", kind="too-deep"))
    if isinstance(error, asyncpg.DataError):
        # Values no column can hold (NUL in text, a number beyond 64 bits): they came from the request.
        return problem_response(
            make_problem(400, "a value cannot be what it is meant to be", kind="bad-value")
        )
    _LOG.error("request failed", exc_info=error, extra={"path": request.scope.get("path_template", "")})
    if isinstance(error, asyncpg.PostgresConnectionError | OSError | asyncpg.InterfaceError):
        return problem_response(make_problem(503, "the database does not answer; try again soon"))
    return problem_response(make_problem(500, "the log of this service says more"))


def _of_http(error: HTTPException) -> Problem:
    if isinstance(error, ValidationException):
        fields = [
            FieldProblem(str(each.get("key", each.get("source", ""))), str(each.get("message", "")))
            for each in (error.extra if isinstance(error.extra, list) else [])
            if isinstance(each, dict)
        ]
        return make_problem(400, "see errors" if fields else str(error.detail), kind="invalid", errors=fields)
    details = {
        401: "send a bearer token, or sign in",
        404: "check the address",
        405: "check the method",
        413: "send less",
    }
    status = error.status_code
    detail = details.get(status) or (
        str(error.detail) if status < 500 else "the log of this service says more"
    )
    return make_problem(status, detail)


def _headers_of(error: HTTPException) -> dict[str, str]:
    headers = dict(error.headers or {})
    if error.status_code == 401:
        headers.setdefault("WWW-Authenticate", "Bearer")
    return headers


def _of_ours(error: Key2XSError) -> tuple[Problem, dict[str, str]]:
    if isinstance(error, InvalidInput):
        fields = [FieldProblem(error.field, error.problem)]
        return make_problem(400, str(error), kind="invalid", errors=fields), {}
    if isinstance(error, BundleInvalid):
        fields = [FieldProblem(each.policy_id or "bundle", each.text) for each in error.problems]
        return make_problem(
            400, "the bundle cannot be used; see errors", kind="bundle-invalid", errors=fields
        ), {}
    if isinstance(error, TooManyAttempts):
        return make_problem(429, str(error)), {"Retry-After": str(error.seconds)}
    if isinstance(error, SignInRefused | NotSignedIn):
        kind = "sign-in-refused" if isinstance(error, SignInRefused) else ""
        return make_problem(401, str(error), kind=kind), {"WWW-Authenticate": "Bearer"}
    waiting = getattr(error, "proposal", None)
    if isinstance(error, NotAllowed) and waiting is not None:
        problem = make_problem(403, str(error), kind="second-person")
        return msgspec.structs.replace(problem, proposal=str(waiting)), {}
    for type_, status, kind in _STATUSES:
        if isinstance(error, type_):
            return make_problem(status, str(error), kind=kind), {}
    return make_problem(500, "the log of this service says more"), {}


_STATUSES: Final[tuple[tuple[type[Key2XSError], int, str], ...]] = (
    (NotFound, 404, ""),
    (Conflict, 409, ""),
    (BadCsrf, 403, "csrf"),
    (NotAllowed, 403, ""),
    (NarrowOnly, 409, "narrow-only"),
    (KeyUsedDifferently, 422, ""),
    (CallFailed, 503, "key-system"),
)
