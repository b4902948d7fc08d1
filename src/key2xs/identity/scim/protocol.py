"""The library's protocol steps, with ours in front: strict JSON, one form, the guard; and a fast way for members."""

import json
from http import HTTPStatus
from typing import Any, cast

from scim2_models import (
    Context,
    PatchOp,
    Resource,
    ResourceType,
    ResponseParameters,
    SCIMException,
    SearchRequest,
)
from scim2_server.handler import AsyncScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.routing import Operation
from scim2_server.service import ScimService

from .members import read_member_patch
from .normalise import Normaliser
from .payload import read_json
from .schemas import Profile, attribute_names, build_provider
from .storage import SourceStorage


class SiteService(ScimService):
    """The protocol as Key2XS speaks it."""

    def __init__(self, profile: Profile = Profile.SITE) -> None:
        """Announce the attributes of `profile`."""
        super().__init__(build_provider(profile))
        self.normaliser = Normaliser(attribute_names(self.provider))

    def decode_body(self, body: bytes, content_type: str | None) -> Any:
        """Return the JSON value of a body, read strictly."""
        self.ensure_json(content_type)
        return read_json(body)

    def read_creation(
        self, resource_type: ResourceType, body: bytes, content_type: str | None
    ) -> Resource[Any]:
        """Validate the body of a POST."""
        return super().read_creation(
            resource_type, self._one_form(resource_type, body, content_type), content_type
        )

    def read_replacement(
        self, resource_type: ResourceType, body: bytes, content_type: str | None
    ) -> Resource[Any]:
        """Validate the body of a PUT."""
        return super().read_replacement(
            resource_type, self._one_form(resource_type, body, content_type), content_type
        )

    def read_patch(
        self, resource_type: ResourceType, body: bytes, content_type: str | None
    ) -> "PatchOp[Any]":
        """Validate the body of a PATCH."""
        return super().read_patch(
            resource_type, _encode(self.patch_payload(resource_type, body, content_type)), content_type
        )

    def patch_payload(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> Any:
        """Return the body of a PATCH in the one form, not validated yet."""
        return self.normaliser.patch(self.decode_body(body, content_type), str(resource_type.schema_))

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:
        """Validate a search, its filter in the one form."""
        if isinstance(payload, dict):
            payload = {
                name: self.normaliser.filter(value)
                if name.casefold() == "filter" and isinstance(value, str)
                else value
                for name, value in payload.items()
            }
        return super().read_search(resource_types, payload)

    def patch_response(
        self, base_url: str, resource: Resource[Any], response_parameters: ResponseParameters[Any]
    ) -> ScimResponse:
        """Answer a user's PATCH with the user, as Entra and Okta like it; a group's with nothing, for its size."""
        if resource.meta is not None and resource.meta.resource_type == "User":
            return self.resource_response(
                self.publish(base_url, resource), Context.RESOURCE_REPLACEMENT_RESPONSE, response_parameters
            )
        return super().patch_response(base_url, resource, response_parameters)

    def _one_form(self, resource_type: ResourceType, body: bytes, content_type: str | None) -> bytes:
        payload = self.decode_body(body, content_type)
        return _encode(self.normaliser.resource(payload, str(resource_type.schema_)))


class SiteHandler(AsyncScimHandler):
    """The order of steps, with a short cut for members."""

    def __init__(self, service: SiteService, storage: SourceStorage) -> None:
        """Serve one request with `storage`."""
        super().__init__(service, storage)
        self._site, self._storage = service, storage

    async def patch(self, request: ScimRequest) -> ScimResponse:
        """Modify a resource; a group's members without loading the group."""
        with self._site.provider:
            target = self._site.route(request, Operation.patch)
            resource_type = self._site.resource_type_at(cast("str", target.endpoint))
            if resource_type.name != "Group" or {"attributes", "excludedAttributes"} & set(request.query):
                return await super().patch(request)
            payload = self._site.patch_payload(resource_type, request.body, request.header("Content-Type"))
            patch = read_member_patch(payload)
            if patch is None:
                return await super().patch(request)
            # The library still checks the message itself: its schema, and that each operation is well formed.
            self._site.read_patch(resource_type, request.body, request.header("Content-Type"))
            async with self._storage.operation():
                version = await self._storage.patch_members(
                    cast("str", target.resource_id),
                    patch,
                    self._site.read_conditions(request),
                    etags=self._site.etag_supported,
                )
            return ScimResponse(HTTPStatus.NO_CONTENT, None, {"ETag": version})


def _encode(payload: Any) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


__all__ = ["SCIMException", "SiteHandler", "SiteService"]
