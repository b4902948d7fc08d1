"""The OpenAPI 3.1 document: Litestar's own, put right where it says something else than what is served.

Litestar documents its own form of a 400 and no other error, leaves out that unknown fields are refused, and knows
nothing of our permissions (docs: facts about the framework are in the tests beside this).
"""

from typing import Any, Final

import msgspec
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import License

from key2xs import __version__

from .problems import MEDIA_TYPE, Problem

DESCRIPTION: Final = (
    "Electronic keys that follow identity, permit and policy. Send `Authorization: Bearer <token>`, or sign in and "
    "send the session's CSRF token as `X-CSRF-Token` with every request that changes something. Instants are RFC 3339 "
    "with a time zone. Lists have `limit` and `cursor`. Acts take an `Idempotency-Key`. People appear by id only."
)
_ERRORS: Final = {
    "400": "The request is not acceptable",
    "401": "Nobody known asks",
    "403": "Whoever asks may not do this",
    "404": "There is no such thing",
    "409": "It is not in the state this needs",
    "413": "The request is too long",
    "415": "The request is of a type that is not taken here",
    "422": "The idempotency key was used for something else",
    "429": "Too many attempts",
    "503": "Not possible at the moment",
}
_WITH_BODY: Final = frozenset({"post", "put", "patch"})
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete", "options"})


class _Ours(JsonRenderPlugin):
    """Renders the document as it is served."""

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's face
        return openapi_json(request.app)


def openapi_json(app: Litestar) -> bytes:
    """Return the document's bytes, made once."""
    if "openapi" not in app.state:
        app.state["openapi"] = msgspec.json.encode(openapi_document(app))
    made: bytes = app.state["openapi"]
    return made


def openapi_config() -> OpenAPIConfig:
    """Return what Litestar makes the first version of the document from."""
    return OpenAPIConfig(
        title="Key2XS",
        version=__version__,
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        # The framework wants a page of its own; ours is at /openapi.json, and what this one serves is the same.
        render_plugins=(_Ours(path="/openapi.json"),),
        openapi_router=Router(
            path="/schema", route_handlers=[], opt={"public": True}, include_in_schema=False
        ),
    )


def openapi_document(app: Litestar) -> dict[str, Any]:
    """Return the document that is served."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_problem_schemas())
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API token."},
        "session": {"type": "apiKey", "in": "cookie", "name": app.state["web"].cookie["key"]},
    }
    permissions = _permissions(app)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                _put_right(operation, method, permissions.get((path, method.upper())))
    _refuse_unknown_fields(app, schemas)
    _whole_numbers(document)
    return document


def _put_right(operation: dict[str, Any], method: str, permission: str | None) -> None:
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = operation["responses"]
    for status, text in _ERRORS.items():
        if status in {"413", "415", "422"} and method not in _WITH_BODY:
            continue
        responses[status] = {"description": text, "content": problem}
    if permission is None:
        operation["security"] = []
        return
    operation["security"] = [{"bearer": []}, {"session": []}]
    operation["description"] = f"{operation.get('description', '')}\n\n{permission}".strip()


def _permissions(app: Litestar) -> dict[tuple[str, str], str]:
    """Return what each operation asks for, in words; public ones are left out."""
    found = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            for method in getattr(handler, "http_methods", ()):
                path = _openapi_path(route.path_format)
                if handler.opt.get("signed_in"):
                    found[path, str(method)] = "For anybody who is signed in."
                elif not handler.opt.get("public") and handler.opt.get("permission"):
                    needed = handler.opt["permission"]
                    names = needed if isinstance(needed, tuple) else (needed,)
                    found[path, str(method)] = f"Needs `{'`, `'.join(names)}`."
    return found


def _openapi_path(path_format: str) -> str:
    return path_format or "/"


def _refuse_unknown_fields(app: Litestar, schemas: dict[str, Any]) -> None:
    """Say of bodies that refuse unknown fields that they do."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            kind: Any = getattr(handler.parsed_fn_signature.parameters.get("data"), "annotation", None)
            config = getattr(kind, "__struct_config__", None)
            if config is not None and config.forbid_unknown_fields and kind.__name__ in schemas:
                schemas[kind.__name__]["additionalProperties"] = False


def _problem_schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    return dict(schemas)


def _whole_numbers(value: Any) -> None:
    """Write limits of whole numbers as whole numbers; `24.0` makes some generators use floats."""
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, float) and each.is_integer() and value.get("type") == "integer":
                value[key] = int(each)
            else:
                _whole_numbers(each)
    elif isinstance(value, list):
        for each in value:
            _whole_numbers(each)
