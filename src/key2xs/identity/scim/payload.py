"""Reading a body strictly: one meaning, bounded depth, text that can be stored."""

import json
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from scim2_models import InvalidSyntaxException

DEEPEST: Final = 20  # levels; a group PATCH in Entra's form has 5


def read_json(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        InvalidSyntaxException: not JSON, a name twice in one object, nested too deeply, or text that is not text.
    """
    try:
        value = json.loads(body, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise InvalidSyntaxException(detail="the body is nested too deeply") from error
    except ValueError as error:
        raise InvalidSyntaxException(detail="the body is not valid JSON") from error
    _check(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            # Two readers could take different ones; with `active` that is a way round a revocation.
            raise InvalidSyntaxException(detail="an attribute stands twice in one object")
        found[name] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidSyntaxException(detail=f"{name} is not JSON")


def _check(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        if not level:
            return
        level = [inner for each in level for inner in _inside(each)]
    raise InvalidSyntaxException(detail=f"the body is nested more than {DEEPEST} levels deep")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name in value:
            _check_text(name)
        return list(value.values())
    elif isinstance(value, list):
        return value
    return ()


def _check_text(text: str) -> None:
    # Half a surrogate pair has no UTF-8 form, and PostgreSQL stores no NUL.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidSyntaxException(detail="the body holds characters that are not text")
