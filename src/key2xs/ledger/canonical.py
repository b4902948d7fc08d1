"""Canonical JSON (RFC 8785): one value, one sequence of bytes.

Everything the ledger hashes passes through here, so that a verifier in another language computes the same hash.
`canonical` writes, `parse_canonical` reads and refuses bytes that `canonical` would not have written.
"""

import json
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import TypeAlias

from key2xs.core.errors import LedgerError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

# I-JSON (RFC 7493, 2.2): beyond this a reader that keeps numbers as doubles sees another number than we hashed.
MAX_INTEGER = 2**53 - 1
# ECMAScript, Number::toString: plain digits while the decimal point lies within these positions.
_MIN_PLAIN_POINT = -6
_MAX_PLAIN_POINT = 21


class NotCanonical(LedgerError):
    """The value or the bytes have no canonical JSON form."""


def canonical(value: object) -> bytes:
    """Return the RFC 8785 bytes of a JSON value (dict, list or tuple, str, int, float, bool, None).

    Raises:
        NotCanonical: NaN, infinity, an integer beyond 2^53-1, a lone surrogate, a key that is not text, too deep
            nesting, or any other type.
    """
    try:
        # Most of what is hashed is one short text: it goes straight to the encoder.
        return (encode_basestring(value) if type(value) is str else _write(value)).encode()
    except UnicodeEncodeError as error:
        raise NotCanonical("text holds a lone surrogate, which UTF-8 cannot carry") from error
    except RecursionError as error:
        raise NotCanonical("the value is nested too deeply") from error


def parse_canonical(data: bytes) -> Json:
    """Read canonical JSON; refuse anything that is not byte for byte what `canonical` writes."""
    try:
        value: Json = json.loads(data.decode(), object_pairs_hook=_unique, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"not JSON: {error}") from error
    if canonical(value) != data:
        raise NotCanonical("JSON, but not in canonical form (order of keys, spaces, numbers or escapes)")
    return value


def _write(value: object) -> str:
    if isinstance(value, str):
        # The standard encoder escapes exactly what RFC 8785 asks for: quote, backslash and controls, lower-case hex.
        return encode_basestring(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return _write_integer(value)
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, Mapping):
        return (
            "{" + ",".join([f"{encode_basestring(k)}:{_write(value[k])}" for k in _sorted_keys(value)]) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join([_write(item) for item in value]) + "]"
    raise NotCanonical(f"{type(value).__name__} is not a JSON type")


def _sorted_keys(value: Mapping[object, object]) -> list[str]:
    keys: list[str] = []
    plain = True
    for key in value:
        if not isinstance(key, str):
            raise NotCanonical(f"a key is {type(key).__name__}, not text")
        plain = plain and key.isascii()
        keys.append(key)
    # RFC 8785, 3.2.3 orders by UTF-16 code units; Python compares code points. For ASCII both agree.
    keys.sort(key=None if plain else _utf16)
    return keys


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _write_integer(value: int) -> str:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise NotCanonical("an integer beyond 2^53-1")
    return int.__repr__(value)


def format_number(value: float) -> str:
    """Return the number as ECMAScript prints it (RFC 8785, 3.2.2.3); refuse NaN and infinity."""
    if not math.isfinite(value):
        raise NotCanonical(f"{value} is not a JSON number")
    if value == 0:
        return "0"  # Also for -0.
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    # `point` is the position of the decimal point counted from the first significant digit.
    point = len(whole) - (len(padded) - len(digits)) + int(exponent or 0)
    return sign + _place_point(digits.rstrip("0"), point)


def _place_point(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= _MAX_PLAIN_POINT:
        return digits + "0" * (point - count)
    if 0 < point <= _MAX_PLAIN_POINT:
        return f"{digits[:point]}.{digits[point:]}"
    if _MIN_PLAIN_POINT < point <= 0:
        return "0." + "0" * -point + digits
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{point - 1:+d}"


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical("a key occurs twice")
    return found


def _integer(digits: str) -> int | float:
    # A whole double beyond 2^53 is written without a point; it comes back as the double it was.
    value = int(digits)
    return value if -MAX_INTEGER <= value <= MAX_INTEGER else float(digits)
