"""Finding candidates for a filter without opening every sealed record.

Only equality can be looked up by a blind index. One such condition that must hold is enough: the few records it
finds are opened and the whole filter is applied to them. A filter without one reads all records of the source.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from scim2_models import Resource, ScimFilter, SearchRequest
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator, ValuePath
from scim2_server.storage import SearchPage

from .schemas import ENTERPRISE

LookUp: TypeAlias = Literal["email", "external_id", "id", "personnel_no", "user_name"]

_INDEXED: dict[tuple[str | None, str, str | None], LookUp] = {
    (None, "id", None): "id",
    (None, "username", None): "user_name",
    (None, "externalid", None): "external_id",
    (None, "emails", "value"): "email",
    (None, "emails", None): "email",
    (ENTERPRISE.casefold(), "employeenumber", None): "personnel_no",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """An equality that must hold and can be looked up."""

    by: LookUp
    value: str


def best_condition(scim_filter: ScimFilter[Any] | None) -> Condition | None:
    """Return an equality that every match fulfils, or None."""
    if scim_filter is None:
        return None
    return next(iter(_conditions(scim_filter.ast, None)), None)


def mentions(scim_filter: ScimFilter[Any] | None, attribute: str) -> bool:
    """Tell whether a filter speaks of an attribute; may say yes too often, never no too often."""
    return scim_filter is not None and attribute.casefold() in str(scim_filter).casefold()


def wants(request: Any, attribute: str) -> bool:
    """Tell whether response parameters keep an attribute."""
    if request is None:
        return True
    named = [str(path).casefold() for path in request.attributes or ()]
    left_out = [str(path).casefold() for path in request.excluded_attributes or ()]
    wanted = attribute.casefold()
    if any(path == wanted or path.endswith(f":{wanted}") for path in left_out):
        return False
    return not named or any(wanted in path for path in named)


def page(request: SearchRequest[Any], candidates: Iterable[Resource[Any]]) -> SearchPage:
    """Filter, sort and cut candidates that are already in the order of an unsorted answer."""
    found = list(candidates)
    scim_filter = request.filter
    if scim_filter is not None and found:
        if not scim_filter.models:
            scim_filter = _bind(scim_filter, found)
        found = [resource for resource in found if scim_filter.match(resource)]
    if request.sort_by is not None:
        descending = request.sort_order == SearchRequest.SortOrder.descending
        found.sort(key=lambda resource: _sort_key(request, resource), reverse=descending)
    start = request.start_index_0 or 0
    stop = None if request.count is None else start + request.count
    return SearchPage(len(found), found[start:stop])


def _bind(scim_filter: ScimFilter[Any], found: list[Resource[Any]]) -> ScimFilter[Any]:
    """Resolve a filter of a search at the root against the types it meets."""
    union: Any = None
    for model in dict.fromkeys(type(resource) for resource in found):
        union = model if union is None else union | model
    bound: ScimFilter[Any] = ScimFilter[union](str(scim_filter))
    return bound


def _sort_key(request: SearchRequest[Any], resource: Resource[Any]) -> tuple[bool, Any, str]:
    value = request.sort_value(resource)
    return value is None, "" if value is None else value, str(resource.id)


def _conditions(node: FilterNode, inside: str | None) -> Iterator[Condition]:
    """Yield the equalities that must hold; those under `or` and `not` need not."""
    if isinstance(node, LogicalExpr) and node.op == LogicalOperator.and_:
        for term in node.terms:
            yield from _conditions(term, inside)
    elif isinstance(node, ValuePath) and inside is None:
        yield from _conditions(node.val_filter, node.attr_path.attr)
    elif isinstance(node, Comparison) and node.op == CompareOperator.eq and isinstance(node.value, str):
        path = node.attr_path
        attr, sub = (path.attr, path.sub_attr) if inside is None else (inside, path.attr)
        uri = path.uri.casefold() if path.uri and "extension" in path.uri.casefold() else None
        by = _INDEXED.get((uri, attr.casefold(), sub.casefold() if sub else None))
        if by is not None:
            yield Condition(by, node.value)
