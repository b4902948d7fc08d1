"""Parameters that many routes take, and pages of lists.

A cursor says where a list goes on. It is opaque; nobody may read meaning into it.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final, TypeAlias, TypeVar
from uuid import UUID

from litestar.params import FromPath, PathParameter, QueryParameter

from key2xs.core.errors import InvalidInput

T = TypeVar("T")

At: TypeAlias = Annotated[
    datetime | None, QueryParameter(description="An instant with its time zone; now when left out.")
]
Id: TypeAlias = FromPath[UUID]
Name: TypeAlias = Annotated[str, PathParameter(min_length=1, max_length=200)]
OptionalName: TypeAlias = Annotated[str | None, QueryParameter(max_length=200)]

LARGEST_PAGE: Final = 500
USUAL_PAGE: Final = 100

Limit: TypeAlias = Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="Most rows to return.")]
Cursor: TypeAlias = Annotated[
    str | None, QueryParameter(description="`next` of the page before.", max_length=100, required=False)
]


def after(cursor: str | None) -> UUID | None:
    """Return the id that a page goes on after.

    Raises:
        InvalidInput: the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(cursor.encode() + b"=="))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("cursor", "is not one of ours; begin with the first page") from error


def next_cursor(rows: Sequence[T], limit: int, id_of: Callable[[T], UUID]) -> str | None:
    """Return the cursor of the page after these rows; None when there is none."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode(id_of(rows[-1]).bytes).rstrip(b"=").decode()
