"""One form for what every IAM sends: unqualified extension attributes, odd managers, unknown schemas, nulls.

Pure: a decoded body in, the same meaning in RFC 7643 and 7644 terms out. Differences of case in `op`, paths and
names are the library's business; what it does not take is turned round here.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from scim2_models import InvalidPathException, InvalidSyntaxException, InvalidValueException

from .guard import check_extension, check_unknown, read_active
from .schemas import COMMON, ENTERPRISE, ENTERPRISE_NAMES, GROUP, KEY2XS, KEY2XS_NAMES, USER

_PATH: Final = re.compile(
    r"^(?:(?P<urn>urn:[^\[\]\"]+):)?(?P<attr>[A-Za-z$][\w$-]*)(?P<rest>[.\[].*)?$", re.DOTALL
)
_OUTSIDE_QUOTES: Final = re.compile(r'("(?:[^"\\]|\\.)*")')
_MISSPELT: Final = {
    ENTERPRISE.casefold().replace("2.0:user", "2.0user"): ENTERPRISE
}  # Microsoft's own example
_UNQUALIFIED: Final = {
    **{name.casefold(): (ENTERPRISE, name) for name in ENTERPRISE_NAMES},
    **{name.casefold(): (KEY2XS, name) for name in KEY2XS_NAMES},
}
_FILTER_NAMES: Final = re.compile(
    r"(?<![\w:.$-])("
    + "|".join(sorted((*ENTERPRISE_NAMES, *KEY2XS_NAMES), key=len, reverse=True))
    + r")(?![\w:-])",
    re.IGNORECASE,
)

Names = Mapping[str, Mapping[str, str]]
"""The announced attributes of each schema: folded name to name."""


class Normaliser:
    """Turns bodies and filters into the one form."""

    def __init__(self, names: Names) -> None:
        """Know the announced attributes."""
        self._names = names
        self._urns = {urn.casefold(): urn for urn in (USER, GROUP, ENTERPRISE, KEY2XS)} | _MISSPELT

    def resource(self, body: Any, core: str) -> Any:
        """Return the body of a POST or PUT in the one form; `core` is the URN of its schema."""
        if not isinstance(body, dict):
            raise InvalidSyntaxException(detail="the body must be an object")
        plain, extensions = self._sort(body, core)
        if core == USER:
            self._check_user(plain, extensions)
        out = {name: value for name, value in plain.items() if value is not None}
        for urn, values in extensions.items():
            kept = {name: value for name, value in values.items() if value not in (None, "")}
            if kept:
                out[urn] = kept
        out["schemas"] = self._schemas(body, core, out)
        return out

    def patch(self, body: Any, core: str) -> Any:
        """Return the body of a PATCH in the one form."""
        if not isinstance(body, dict):
            raise InvalidSyntaxException(detail="the body must be an object")
        out = {_folded(name, ("schemas", "Operations")): value for name, value in body.items()}
        operations = out.get("Operations")
        if isinstance(operations, list):
            out["Operations"] = [made for each in operations for made in self._operation(each, core)]
        return out

    def filter(self, text: str) -> str:
        """Qualify unqualified extension attributes in a filter, outside its quoted values."""

        def qualify(match: re.Match[str]) -> str:
            urn, name = _UNQUALIFIED[match[1].casefold()]
            # A manager is compared by its value; Entra asks `manager eq "id"`.
            return f"{urn}:{name}.value" if name == "manager" else f"{urn}:{name}"

        parts = _OUTSIDE_QUOTES.split(text)
        return "".join(part if part.startswith('"') else _FILTER_NAMES.sub(qualify, part) for part in parts)

    # --- POST and PUT --------------------------------------------------------------------------------------

    def _sort(self, body: dict[str, Any], core: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Part a body into core attributes and extensions; unknown schemas fall away."""
        plain: dict[str, Any] = {}
        extensions: dict[str, dict[str, Any]] = {}
        seen: set[tuple[str, str]] = set()
        for given, value in body.items():
            urn, name = self._place(given, core)
            if urn is None:
                continue
            if urn != core and name == "":
                for inner, each in (value if isinstance(value, dict) else {}).items():
                    self._keep(seen, urn, inner)
                    extensions.setdefault(urn, {})[inner] = each
                continue
            self._keep(seen, urn, name)
            if urn == core:
                plain[name] = value
            else:
                extensions.setdefault(urn, {})[name] = value
        return plain, extensions

    @staticmethod
    def _keep(seen: set[tuple[str, str]], urn: str, name: str) -> None:
        if (urn, name.casefold()) in seen:
            raise InvalidSyntaxException(detail=f"{name} stands twice")
        seen.add((urn, name.casefold()))

    def _place(self, given: str, core: str) -> tuple[str | None, str]:
        """Return which schema a top-level name belongs to, and its name there; no schema for an unknown one."""
        known = self._urns.get(given.casefold())
        if known is not None and known != core:
            return known, ""
        match = _PATH.match(given)
        if match and match["urn"]:
            urn = self._urns.get(match["urn"].casefold())
            return (urn, given[match.start("attr") :]) if urn else (None, given)
        if ":" in given:
            return None, given
        if core == USER and given.casefold() in _UNQUALIFIED:
            return _UNQUALIFIED[given.casefold()]
        return core, given

    def _check_user(self, plain: dict[str, Any], extensions: dict[str, dict[str, Any]]) -> None:
        for name in list(plain):
            if name.casefold() == "active":
                plain["active"] = read_active(plain.pop(name))
            elif name.casefold() == "username" and not str(plain[name] or "").strip():
                raise InvalidValueException(detail="userName is empty")
            elif not self._known(USER, name):
                check_unknown(name)
        if KEY2XS in extensions:
            extensions[KEY2XS] = check_extension(extensions[KEY2XS])
        enterprise = extensions.get(ENTERPRISE, {})
        for name in list(enterprise):
            if name.casefold() == "manager":
                enterprise["manager"] = _manager(enterprise.pop(name))

    def _known(self, urn: str, name: str) -> bool:
        attribute = name.partition(".")[0].partition("[")[0]
        return attribute.casefold() in self._names.get(urn, {}) or _folded(attribute, COMMON) in COMMON

    def _schemas(self, body: dict[str, Any], core: str, out: dict[str, Any]) -> Any:
        given = next((value for name, value in body.items() if name.casefold() == "schemas"), None)
        if not isinstance(given, list):
            return given if given is not None else [core]
        known = [
            self._urns[each.casefold()]
            for each in given
            if isinstance(each, str) and each.casefold() in self._urns
        ]
        # An unknown schema must not come back in the answer, and data without its schema is refused by the library.
        return list(dict.fromkeys([*known, *(urn for urn in (ENTERPRISE, KEY2XS) if urn in out)])) or given

    # --- PATCH ---------------------------------------------------------------------------------------------

    def _operation(self, operation: Any, core: str) -> list[dict[str, Any]]:
        if not isinstance(operation, dict):
            raise InvalidSyntaxException(detail="an operation must be an object")
        out = {_folded(name, ("op", "path", "value")): value for name, value in operation.items()}
        verb = str(out.get("op", "")).casefold()
        path, value = out.get("path"), out.get("value")
        if path is None or path == "":
            out.pop("path", None)
            if not isinstance(value, dict):
                return [out]
            return self._spread(verb, out, value, core)
        if not isinstance(path, str):
            raise InvalidPathException(detail="path must be text")
        return [self._addressed(verb, {**out, "path": path.strip()}, core)]

    def _spread(
        self, verb: str, out: dict[str, Any], value: dict[str, Any], core: str
    ) -> list[dict[str, Any]]:
        """Turn an operation without a path into one per attribute, so that each is checked like one with a path."""
        made = []
        for given, each in value.items():
            if given.casefold() in {"schemas", "id", "meta"}:
                continue
            known = self._urns.get(given.casefold())
            if known is not None and known != core and isinstance(each, dict):
                made += [
                    self._addressed(verb, {**out, "path": f"{known}:{name}", "value": inner}, core)
                    for name, inner in each.items()
                ]
            else:
                made.append(self._addressed(verb, {**out, "path": given, "value": each}, core))
        return made

    def _addressed(self, verb: str, out: dict[str, Any], core: str) -> dict[str, Any]:
        path: str = out["path"]
        whole = self._urns.get(path.casefold())
        if whole is not None:
            return self._whole_extension(out, whole)
        match = _PATH.match(path)
        if match is None:
            raise InvalidPathException(detail="the path cannot be read")
        urn, name, rest = match["urn"], match["attr"], match["rest"] or ""
        if urn is not None:
            schema = self._urns.get(urn.casefold())
        elif core == USER and name.casefold() in _UNQUALIFIED:
            schema, name = _UNQUALIFIED[name.casefold()]
        else:
            schema = core
        if schema is None:
            return out  # a schema we do not know; the tolerant policy ignores it
        if not self._known(schema, name) and schema == core:
            check_unknown(name, group=core == GROUP)
        out["path"] = f"{name}{rest}" if schema == core else f"{schema}:{name}{rest}"
        return self._guarded(verb, out, schema, name, rest)

    def _whole_extension(self, out: dict[str, Any], urn: str) -> dict[str, Any]:
        out["path"] = urn
        if urn == KEY2XS and isinstance(out.get("value"), dict):
            out["value"] = {
                name: each for name, each in check_extension(out["value"]).items() if each not in (None, "")
            }
        return out

    @staticmethod
    def _guarded(verb: str, out: dict[str, Any], schema: str, name: str, rest: str) -> dict[str, Any]:
        value = out.get("value")
        if schema == USER and name.casefold() == "active":
            if rest:
                raise InvalidPathException(detail="active has no parts")
            if verb != "remove":
                out["value"] = read_active(value)
        elif schema == KEY2XS:
            ((exact, text),) = check_extension({name: value if verb != "remove" else None}).items()
            if rest:
                raise InvalidPathException(detail=f"{KEY2XS}:{exact} has no parts")
            out["path"] = f"{KEY2XS}:{exact}"
            if text in (None, ""):
                out = {"op": "remove", "path": out["path"]}
        elif schema == ENTERPRISE and name.casefold() == "manager" and not rest:
            out["value"] = _manager(value)
            if out["value"] is None:
                out = {"op": "remove", "path": out["path"]}
        return out


def _manager(value: Any) -> dict[str, Any] | None:
    """Return a manager as an object: Entra sends a list of one, a bare id, or an empty value to remove it."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str):
        value = {"value": value}
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidValueException(detail="manager must be an id or an object with a value")
    kept = {name: each for name, each in value.items() if each not in (None, "")}
    return kept or None


def _folded(given: str, names: tuple[str, ...] | frozenset[str]) -> str:
    """Return the one of `names` that a name means, whatever its case; an unknown one as it is."""
    return next((name for name in names if name.casefold() == given.casefold()), given)
