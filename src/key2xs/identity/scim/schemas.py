"""What the SCIM service says it understands: a small user by default, the whole of RFC 7643 on request.

An attribute that is not announced is accepted, ignored and not stored: what Key2XS has no use for, it does not keep.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Final

from scim2_models import Mutability, Schema, SchemaExtension, ScimPolicy, ScimProvider, ServiceProviderConfig
from scim2_server.utils import load_default_resource_types, load_default_schemas

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
KEY2XS: Final = "urn:ietf:params:scim:schemas:extension:key2xs:2.0:User"

MAX_RESULTS: Final = 200  # resources a page; Okta asks for 100, scim2-tester and Entra for fewer
COMMON: Final = frozenset({"schemas", "id", "externalId", "meta"})
ENTERPRISE_NAMES: Final = (
    "employeeNumber", "costCenter", "organization", "division", "department", "manager",
)  # fmt: skip
KEY2XS_NAMES: Final = ("contractStart", "contractEnd", "company", "sponsor")


class Profile(StrEnum):
    """How much of a user is announced and kept."""

    SITE = "site"
    """What keys need: names, addresses to reach people, personnel number, contract."""
    FULL = "full"
    """Everything RFC 7643 defines. For conformance tests; the password is never kept in either."""


_SITE_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    USER: frozenset({"userName", "name", "displayName", "active", "emails", "phoneNumbers", "groups"}),
    GROUP: frozenset({"displayName", "members"}),
    ENTERPRISE: frozenset({"employeeNumber", "manager"}),
}


@cache  # what is announced is made into classes, which takes time and never changes
def build_provider(profile: Profile = Profile.SITE) -> ScimProvider:
    """Describe the service.

    The policy is the tolerant one: Entra sends unknown attributes, values with `remove`, and `add` with a filter that
    matches nothing. What must not be tolerated is refused before the policy is asked (`guard.py`).
    """
    schemas = load_default_schemas()
    if profile is Profile.SITE:
        for urn, kept in _SITE_ATTRIBUTES.items():
            schema = schemas[urn]
            schema.attributes = [attribute for attribute in schema.attributes or [] if attribute.name in kept]
    for attribute in schemas[GROUP].attributes or []:
        for part in attribute.sub_attributes or []:
            if part.name == "display":
                # Accepted and not kept: a copy of a name in a group would be one more to erase.
                part.mutability = Mutability.read_only
    schemas[KEY2XS] = _extension()
    types = load_default_resource_types()
    user = types["User"]
    user.schema_extensions = [
        *(user.schema_extensions or []),
        SchemaExtension.model_validate({"schema": KEY2XS, "required": False}),
    ]
    return ScimProvider.from_discovery(
        schemas.values(),
        types.values(),
        config=_config(),
        policy=ScimPolicy(
            unknown=ScimPolicy.Unknown.ignore,
            remove_value_as_filter=ScimPolicy.RemoveValue.apply,
            unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
        ),
    )


def attribute_names(provider: ScimProvider) -> dict[str, dict[str, str]]:
    """Return the announced attributes of each schema: folded name to name."""
    return {
        str(schema.id): {
            str(attribute.name).casefold(): str(attribute.name) for attribute in schema.attributes or []
        }
        for schema in provider.schemas
    }


def _config() -> ServiceProviderConfig:
    def on(supported: bool, **limits: int) -> dict[str, Any]:  # noqa: FBT001 - reads as the document it makes
        return {"supported": supported, **limits}

    return ServiceProviderConfig.model_validate(
        {
            "patch": on(True),
            "bulk": on(False, maxOperations=0, maxPayloadSize=0),
            "filter": on(True, maxResults=MAX_RESULTS),
            "changePassword": on(False),
            "sort": on(True),
            "etag": on(True),
            "authenticationSchemes": [
                {
                    "type": "oauthbearertoken",
                    "name": "Bearer token",
                    "description": "A token of its own for each source.",
                    "primary": True,
                }
            ],
        }
    )


def _extension() -> Schema:
    def text(name: str, description: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": "string",
            "multiValued": False,
            "description": description,
            "required": False,
            "caseExact": True,
            "mutability": "readWrite",
            "returned": "default",
            "uniqueness": "none",
        }

    return Schema.model_validate(
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": KEY2XS,
            "name": "Key2XS User",
            "description": "The contract a person works under.",
            "attributes": [
                text(
                    "contractStart",
                    "A date (from the start of that day at the site) or an instant with offset.",
                ),
                text(
                    "contractEnd",
                    "A date (until the end of that day at the site) or an instant with offset; 9999-12-31 for none.",
                ),
                text("company", "Code of the company, as imported into Key2XS."),
                text("sponsor", "Who answers for the person at the site."),
            ],
        }
    )
