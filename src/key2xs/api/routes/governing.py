"""Security zones, policy bundles, and the acts that wait for a second person."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, JSONBody

from key2xs.access import Permission, Proposal
from key2xs.api.acts import perform
from key2xs.api.auth import require, require_person
from key2xs.api.paging import USUAL_PAGE, Cursor, Id, Limit, after, next_cursor
from key2xs.api.revoking import Revoked, carry_out
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotAllowed, NotFound
from key2xs.core.ids import BundleId, UserId, ZoneId
from key2xs.grants.bundles import StoredBundle, activate_bundle, list_bundles, propose_bundle
from key2xs.plant import get_zone, list_zones, set_zone_mode
from key2xs.plant.types import Zone

LONGEST_TEXT = 1_000_000  # characters; a site's policies have some tens of kilobytes


class ZoneOut(msgspec.Struct, frozen=True):
    """A security zone. Keys are written only for zones in mode *enforce*."""

    id: UUID
    code: str
    name: str
    criticality: int
    mode: str


class ZoneList(msgspec.Struct, frozen=True):
    """All security zones."""

    items: list[ZoneOut]


class ZoneMode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mode a zone is to have, and why."""

    mode: Literal["observe", "advise", "enforce"]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


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


class ProposalOut(msgspec.Struct, frozen=True):
    """An act that waits for a second person, or no longer does."""

    id: UUID
    kind: str
    subject: str
    reason: str
    state: str
    proposed_by: UUID
    proposed_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    payload: dict[str, Any]


class ProposalPage(msgspec.Struct, frozen=True):
    """Proposals, the newest first, a page of them."""

    items: list[ProposalOut]
    next: str | None = None


class Decided(msgspec.Struct, frozen=True):
    """What became of a proposal; `revoked` says what a confirmed mass revocation did."""

    proposal: ProposalOut
    revoked: Revoked | None = None


# What one needs to confirm a proposal of each kind, besides being somebody else.
CONFIRMS = {
    "mass_revoke": Permission.GRANTS_SET_CONFIRM,
    "bundle_activation": Permission.POLICY_BUNDLE_ACTIVATE,
    "zone_mode": Permission.PLANT_ZONE_SWITCH,
}


@get("/api/v1/zones", permission=Permission.PLANT_CYLINDER_READ, tags=["plant"], summary="Security zones")
async def zones(web: WebPart) -> ZoneList:
    """All security zones by code."""
    async with web.services.database.read() as tx:
        return ZoneList([_zone(each) for each in await list_zones(tx)])


@post(
    "/api/v1/zones/{zone:uuid}/mode",
    permission=Permission.PLANT_ZONE_SWITCH,
    status_code=200,
    tags=["plant"],
    summary="Switch a zone's mode",
)
async def switch_zone(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, zone: Id, data: JSONBody[ZoneMode]
) -> Response[Any]:
    """Narrowing to *observe* is done at once; *advise* and *enforce* wait for a second person (202)."""
    zone_id = ZoneId(zone)

    async def work(tx: Connection) -> ZoneOut | ProposalOut:
        found = await get_zone(tx, zone_id)
        if found.mode == data.mode:
            raise Conflict(f"zone {found.code} is in mode {data.mode} already")
        if data.mode == "observe":
            await set_zone_mode(
                tx,
                web.services.ledger,
                zone_id,
                mode=data.mode,
                actor=caller.actor,
                at=web.now,
                reason=data.reason,
            )
            return _zone(await get_zone(tx, zone_id))
        proposal = await web.access.proposals.propose(
            tx,
            caller,
            "zone_mode",
            subject=f"zone:{zone_id}",
            payload={"zone": str(zone_id), "code": found.code, "before": found.mode, "mode": data.mode},
            reason=data.reason,
            at=web.now,
        )
        return proposal_out(proposal)

    return await perform(
        web, request, caller, work, status=lambda done: 202 if isinstance(done, ProposalOut) else 200
    )


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


@get(
    "/api/v1/proposals",
    permission=Permission.GRANTS_LEASE_READ,
    tags=["proposals"],
    summary="Acts that wait for a second person",
)
async def proposals(
    web: WebPart,
    only_open: FromQuery[bool] = True,  # noqa: FBT002 - a query parameter
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> ProposalPage:
    """Proposals, the newest first; only those that wait unless asked otherwise."""
    async with web.services.database.read() as tx:
        found = await web.access.proposals.list(
            tx, web.now, only_open=only_open, after=after(cursor), limit=limit
        )
    return ProposalPage(
        [proposal_out(each) for each in found], next_cursor(found, limit, lambda each: each.id)
    )


@post(
    "/api/v1/proposals/{proposal:uuid}/confirm",
    permission=Permission.GRANTS_LEASE_READ,
    status_code=200,
    tags=["proposals"],
    summary="Confirm, as the second person",
)
async def confirm(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, proposal: Id
) -> Response[Decided]:
    """Confirm a proposal of somebody else; the act happens in the same instant."""

    async def work(tx: Connection) -> Decided:
        return await confirm_proposal(tx, web, caller, proposal)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/proposals/{proposal:uuid}/refuse",
    permission=Permission.GRANTS_LEASE_READ,
    status_code=200,
    tags=["proposals"],
    summary="Refuse or take back",
)
async def refuse(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, proposal: Id
) -> Response[Decided]:
    """Refuse a proposal, or take back one's own."""

    async def work(tx: Connection) -> Decided:
        return await refuse_proposal(tx, web, caller, proposal)

    return await perform(web, request, caller, work)


async def confirm_proposal(tx: Connection, web: Web, caller: Any, proposal: Id) -> Decided:
    """Confirm as the second person, and do the act in the same transaction.

    Raises:
        NotFound: no such proposal.
        NotAllowed: not a second person, or without the permission.
        Conflict: it was decided or has expired, or the act is no longer possible.
    """
    at = web.now
    found = await web.access.proposals.get(tx, proposal, at)
    require(caller, CONFIRMS[found.kind])
    if found.kind == "bundle_activation":
        raise Conflict("rules are put in force where they were uploaded, not here")
    done = await web.access.proposals.decide(tx, proposal, caller, confirm=True, at=at)
    if done.kind == "mass_revoke":
        return Decided(proposal_out(done), await carry_out(tx, web, done, caller, at))
    if done.kind == "zone_mode":
        await set_zone_mode(
            tx,
            web.services.ledger,
            ZoneId(UUID(done.payload["zone"])),
            mode=done.payload["mode"],
            actor=f"user:{done.proposed_by}",
            at=at,
            reason=done.reason,
            confirmed_by=caller.actor,
        )
    return Decided(proposal_out(done))


async def refuse_proposal(tx: Connection, web: Web, caller: Any, proposal: Id) -> Decided:
    """Refuse, or take back one's own.

    Raises:
        NotFound: no such proposal.
        NotAllowed: somebody else's, without the permission to confirm it.
        Conflict: it was decided or has expired.
    """
    found = await web.access.proposals.get(tx, proposal, web.now)
    if found.proposed_by != caller.user_id:
        require(caller, CONFIRMS[found.kind])
    if found.kind == "bundle_activation":
        raise Conflict("rules are put in force where they were uploaded, not here")
    done = await web.access.proposals.decide(tx, proposal, caller, confirm=False, at=web.now)
    return Decided(proposal_out(done))


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
    if first is None:
        return
    proposer = await web.access.users.get(tx, first)
    if caller.user_id == first or proposer.person_id is None or proposer.person_id == caller.person_id:
        raise NotAllowed("the person who proposed a bundle cannot activate it: ask a second person")


def proposal_out(found: Proposal) -> ProposalOut:
    """Describe a proposal."""
    return ProposalOut(
        id=found.id,
        kind=found.kind,
        subject=found.subject,
        reason=found.reason,
        state=found.state,
        proposed_by=found.proposed_by,
        proposed_at=found.proposed_at,
        expires_at=found.expires_at,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        payload=found.payload,
    )


def _zone(found: Zone) -> ZoneOut:
    return ZoneOut(found.id, found.code, found.name, found.criticality, found.mode)


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


HANDLERS = (zones, switch_zone, bundles, propose, activate, proposals, confirm, refuse)
