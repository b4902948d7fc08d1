"""Policy bundles: proposed by one person, put in force by another."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.auth import require_person
from key2xs.api.paging import Id
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import NotFound
from key2xs.core.ids import BundleId, UserId
from key2xs.grants.bundles import StoredBundle, activate_bundle, list_bundles, propose_bundle

LONGEST_TEXT = 1_000_000  # characters; a site's policies have some tens of kilobytes


class BundleOut(msgspec.Struct, frozen=True):
    """A policy bundle without its texts."""

    id: UUID
    version: str
    hash: str
    origin: str
    uploaded_by: UUID | None
    uploaded_at: datetime
    comment: str
    approved_by: UUID | None
    active_from: datetime | None
    active_until: datetime | None


class BundleList(msgspec.Struct, frozen=True):
    """All bundles, newest first."""

    items: list[BundleOut]


class NewBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A site's policies (Cedar) and data (TOML)."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    policies: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
    site_data: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)] = ""
    comment: Annotated[str, msgspec.Meta(max_length=500)] = ""


class BundleMade(msgspec.Struct, frozen=True):
    """A bundle that was proposed."""

    id: UUID


@get("/api/v1/bundles", permission=Permission.POLICY_BUNDLE_READ, tags=["policy"], summary="Policy bundles")
async def bundles(web: WebPart) -> BundleList:
    """All bundles, newest first."""
    async with web.services.database.read() as tx:
        return BundleList([_bundle(each) for each in await list_bundles(tx)])


@post(
    "/api/v1/bundles",
    permission=Permission.POLICY_BUNDLE_PROPOSE,
    status_code=201,
    tags=["policy"],
    summary="Propose a bundle",
)
async def propose(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewBundle]
) -> Response[BundleMade]:
    """Check a site's policies and store them; they decide nothing until somebody else activates them."""

    async def work(tx: Connection) -> BundleMade:
        made = await propose_bundle(
            tx,
            web.services.ledger,
            version=data.version,
            policies=data.policies,
            site_data=data.site_data,
            by=caller.user_id,
            at=web.now,
            comment=data.comment,
        )
        return BundleMade(made)

    return await perform(web, request, caller, work, status=201)


@post(
    "/api/v1/bundles/{bundle:uuid}/activate",
    permission=Permission.POLICY_BUNDLE_ACTIVATE,
    status_code=200,
    tags=["policy"],
    summary="Put a bundle in force, as the second person",
)
async def activate(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, bundle: Id
) -> Response[BundleOut]:
    """Put a proposed bundle in force. Whoever proposed it cannot; all grants are decided again."""

    async def work(tx: Connection) -> BundleOut:
        return await put_in_force(tx, web, caller, bundle)

    return await perform(web, request, caller, work)


async def put_in_force(tx: Connection, web: Web, caller: Any, bundle: Id) -> BundleOut:
    """Put a proposed bundle in force, as the second person.

    Raises:
        NotFound: no such bundle.
        NotAllowed: not a second person.
        Conflict: it was activated before, or was proposed for another version of the product.
    """
    stored = [each for each in await list_bundles(tx) if each.id == bundle]
    if not stored:
        raise NotFound(f"there is no bundle {bundle}")
    await require_two(tx, web, stored[0].uploaded_by, caller)
    await activate_bundle(tx, web.services.ledger, BundleId(bundle), by=caller.user_id, at=web.now)
    return next(_bundle(each) for each in await list_bundles(tx) if each.id == bundle)


async def require_two(tx: Connection, web: Web, first: UserId | None, caller: Any) -> None:
    """Refuse somebody who may be the same person as the first one.

    Raises:
        NotAllowed: says why they may not be two.
    """
    require_person(caller)
    if first is not None:
        await web.access.proposals.require_second(
            tx, first, caller, web.now, permission=Permission.POLICY_BUNDLE_ACTIVATE
        )


def _bundle(found: StoredBundle) -> BundleOut:
    return BundleOut(
        id=found.id,
        version=found.version,
        hash=found.hash,
        origin=found.origin,
        uploaded_by=found.uploaded_by,
        uploaded_at=found.uploaded_at,
        comment=found.comment,
        approved_by=found.approved_by,
        active_from=found.active_from,
        active_until=found.active_until,
    )


HANDLERS = (bundles, propose, activate)
