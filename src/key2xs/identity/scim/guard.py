"""What is never ignored: anything that could be meant to end or begin a person's access.

The policy towards unknown attributes is tolerant, as IAMs need it. With it a misspelt `active` would silently do
nothing and a leaver would keep a key. So everything that is, or looks like, one of these attributes is checked
first, and refused with 400 when it is not exactly understood; the IAM then shows the failed object.
"""

import re
from difflib import SequenceMatcher
from typing import Any, Final

from scim2_models import InvalidPathException, InvalidValueException

from .schemas import KEY2XS, KEY2XS_NAMES

_NOT_NAME: Final = re.compile(r"[^a-z0-9]")
_LIKENESS: Final = 0.8  # `activ` and `contract_end` are caught; `companyName` and `title` are not
_GUARDED_USER: Final = ("active", "contractend", "contractstart")
_GUARDED_GROUP: Final = ("members", "displayname")
_ALIASES: Final = frozenset(
    {
        "accountenabled", "accountstatus", "contractenddate", "contractstartdate", "contractuntil", "deactivated",
        "disabled", "employeeleavedatetime", "enabled", "enddate", "inactive", "isactive", "isdisabled", "isenabled",
        "leavedate", "suspended", "terminationdate", "validto", "validuntil",
    }
)  # fmt: skip
_BOOLEANS: Final = {"true": True, "false": False}


def read_active(value: Any) -> bool:
    """Return the meaning of a value for `active`: a boolean, or Entra's strings "True" and "False".

    Raises:
        InvalidValueException: anything else; neither 0 nor "no" nor null is guessed at.
    """
    if isinstance(value, bool):
        return value
    meaning = _BOOLEANS.get(value.strip().casefold()) if isinstance(value, str) else None
    if meaning is None:
        raise InvalidValueException(detail='active must be true, false, "True" or "False"')
    return meaning


def check_unknown(name: str, *, group: bool = False) -> None:
    """Refuse an unknown attribute that looks like one that matters.

    Raises:
        InvalidPathException: names it.
    """
    plain = _NOT_NAME.sub("", name.casefold())
    guarded = _GUARDED_GROUP if group else _GUARDED_USER
    alike = any(SequenceMatcher(None, plain, other).ratio() >= _LIKENESS for other in guarded)
    if alike or (not group and plain in _ALIASES):
        raise InvalidPathException(
            detail=f"{name} is not known; it looks like an attribute that may not be ignored"
        )


def check_extension(values: dict[str, Any]) -> dict[str, Any]:
    """Return our extension's values under their exact names.

    Raises:
        InvalidPathException: a name is not one of ours.
        InvalidValueException: a value is not text, or a name stands twice.
    """
    names = {name.casefold(): name for name in KEY2XS_NAMES}
    found: dict[str, Any] = {}
    for given, value in values.items():
        if given == "schemas":
            continue  # some clients repeat the schema inside the extension; it says nothing
        name = names.get(given.casefold())
        if name is None:
            raise InvalidPathException(detail=f"{KEY2XS}:{given} is not known")
        if name in found:
            raise InvalidValueException(detail=f"{KEY2XS}:{name} stands twice")
        if value is not None and not isinstance(value, str):
            raise InvalidValueException(detail=f"{KEY2XS}:{name} must be text")
        found[name] = value
    return found
