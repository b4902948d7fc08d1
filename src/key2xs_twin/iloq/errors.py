"""What the vendor answers instead of a result."""

from __future__ import annotations


class ApiError(Exception):
    """An error answer: HTTP status, vendor code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(value: object, parameter: str) -> ApiError:
    """The vendor's validation error, also its answer to an unknown id."""
    return ApiError(400, "ValidationFailed", f"Invalid value ({value}) for parameter {parameter}.")


def not_possible(what: str, code: int) -> ApiError:
    """An action that its Can-method refuses. ASSUMPTION: answered as a validation error."""
    return ApiError(400, "ValidationFailed", f"{what} is not possible. Result: {code}.")


def unauthorised() -> ApiError:
    """The answer to an unknown, expired or killed session."""
    return ApiError(401, "Unauthorized", "Invalid session id. Session may have expired.")
