"""The document says what is served; generated requests find nothing that breaks."""

from typing import Any, cast

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings, strategies as st

from tests.api.conftest import Site
from tests.api.plant import import_plant


async def document(site: Site) -> dict[str, Any]:
    answer = await site.client().get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_the_document_is_openapi_3_1_and_names_every_route(site: Site) -> None:
    found = await document(site)
    assert found["openapi"].startswith("3.1")
    served = {
        route.path_format
        for route in site.app.routes
        if route.path.startswith(("/api", "/log", "/healthz", "/webhooks"))
    }
    assert served <= set(found["paths"]), served - set(found["paths"])
    assert not [path for path in found["paths"] if path.startswith(("/static", "/schema"))]


async def test_every_operation_says_its_errors_and_what_it_needs(site: Site) -> None:
    found = await document(site)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            problem = operation["responses"]["400"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}
            assert "404" in operation["responses"]
            if path.startswith("/api") and (method, path) not in (
                ("post", "/api/v1/session"),
                ("post", "/api/v1/session/code"),
            ):
                assert operation["security"], (method, path)
                assert "Needs `" in operation["description"] or "signed in" in operation["description"]
            assert operation["summary"]


async def test_limits_of_whole_numbers_are_whole_numbers(site: Site) -> None:
    assert '"maximum":500.0' not in (await site.client().get("/openapi.json")).text


async def test_unknown_fields_are_documented_as_refused(site: Site) -> None:
    schemas = (await document(site))["components"]["schemas"]
    assert schemas["Revocation"]["additionalProperties"] is False


async def test_generated_requests_break_nothing(site: Site) -> None:
    """A few examples of every operation: no answer is a 5xx, and errors are problem documents."""
    await import_plant(site)
    client = await site.signed_in("security_manager")
    schema = schemathesis.openapi.from_dict(await document(site))
    examples: list[tuple[str, Any]] = []

    for result in schema.get_all_operations():
        operation = cast("Any", result).ok()
        if "events" in operation.path or operation.path.endswith("/session"):
            continue  # a stream does not end; signing out would end the test
        examples += [(operation.label, case) for case in _cases(operation)]
    assert len(examples) > 100
    for label, case in examples:
        kwargs = case.as_transport_kwargs(base_url="http://site.test")
        kwargs = {
            name: kwargs[name] for name in ("method", "params", "json", "content", "data") if name in kwargs
        }
        data = kwargs.pop("data", None)
        if data is not None:
            kwargs["content"] = data
        answer = await client.request(url=case.formatted_path, **kwargs)
        assert answer.status_code < 500, (label, kwargs, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", (label, answer.text)


def _cases(operation: Any) -> list[Any]:
    found: list[Any] = []

    @hypothesis_settings(
        max_examples=3,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        found.append(data.draw(operation.as_strategy()))

    collect()
    return found
