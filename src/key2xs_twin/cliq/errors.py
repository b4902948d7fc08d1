"""What the simulated CLIQ interface answers instead of a result."""

from __future__ import annotations


class CliqError(Exception):
    """A problem answer: HTTP status, code, message, and the field it is about."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


def invalid(field: str, message: str) -> CliqError:
    """The answer to a value that cannot be."""
    return CliqError(422, "invalid", message, field)


def wrong_state(message: str) -> CliqError:
    """The answer to an act that does not fit how things are."""
    return CliqError(409, "wrong_state", message)


def unknown(what: str, thing: object) -> CliqError:
    """The answer to an id that names nothing: ``unknown_key`` and its neighbours."""
    return CliqError(404, f"unknown_{what}", f"There is no {what.replace('_', ' ')} {thing}.")
