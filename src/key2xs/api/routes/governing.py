"""Security zones, and the acts that wait for a second person."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, JSONBody, QueryParameter

from key2xs.access import Permission, Principal, Proposal
from key2xs.access.permissions import ONLY_LOOKS
from key2xs.api.acts import Said, perform, reason_of
from key2xs.api.adopting import require_seen, shown_with, start_run, switched
from key2xs.api.auth import require_to_confirm
from key2xs.api.drifting import carry_out_policy
from key2xs.api.massing import KINDS as ON_MANY, carry_out_on_many
from key2xs.api.paging import USUAL_PAGE, Cursor, Id, Limit, after, next_cursor
from key2xs.api.papering import KINDS as ON_PAPER, carry_out_paper
from key2xs.api.releasing import KINDS as RELEASES, release
from key2xs.api.revoking import Revoked, carry_out
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import Conflict
from key2xs.core.ids import ZoneId
from key2xs.plant import get_zone, list_zones, set_zone_mode
from key2xs.plant.types import Zone


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
    """What became of a proposal; `revoked` says what a confirmed mass revocation did, `mass` which act on many began."""

    proposal: ProposalOut
    revoked: Revoked | None = None
    mass: UUID | None = None


# What one needs to confirm a proposal of each kind, besides being somebody else.
CONFIRMS = {
    "adopt_keys": Permission.KEYS_ADOPTION_RUN,
    "authority_matrix": Permission.ACCESS_MATRIX_CHANGE,
    "drift_policy": Permission.KEYS_DRIFT_POLICY,
    "mass_action": Permission.GRANTS_SET_CONFIRM,
    "mass_lift": Permission.GRANTS_SET_CONFIRM,
    "mass_revoke": Permission.GRANTS_SET_CONFIRM,
    "paper_permit": Permission.WORK_PAPER_WRITE,
    "source_down": Permission.WORK_PAPER_WRITE,
    "release_hold": Permission.SAFETY_HOLD_RELEASE,
    "remove_last_holder": Permission.SAFETY_HOLD_RELEASE,
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
            payload={
                "zone": str(zone_id),
                "code": found.code,
                "before": found.mode,
                "mode": data.mode,
                **await shown_with(tx, web, caller, zone_id, data.mode),
            },
            reason=data.reason,
            at=web.now,
        )
        return proposal_out(proposal)

    return await perform(
        web, request, caller, work, status=lambda done: 202 if isinstance(done, ProposalOut) else 200
    )


@get(
    "/api/v1/proposals",
    signed_in=True,
    tags=["proposals"],
    summary="Acts that wait for a second person",
)
async def proposals(
    web: WebPart,
    caller: CallerPart,
    only_open: FromQuery[bool] = True,  # noqa: FBT002 - a query parameter
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> ProposalPage:
    """Proposals, the newest first; only those that wait unless asked otherwise.

    Whoever may read grants sees all of them; everybody else one's own, and those that one may confirm.
    """
    async with web.services.database.read() as tx:
        found = await web.access.proposals.list(
            tx, web.now, only_open=only_open, after=after(cursor), limit=limit
        )
    return ProposalPage(
        [proposal_out(each) for each in found if may_see(caller, each)],
        next_cursor(found, limit, lambda each: each.id),
    )


@post(
    "/api/v1/proposals/{proposal:uuid}/confirm",
    signed_in=True,
    status_code=200,
    tags=["proposals"],
    summary="Confirm, as the second person",
)
async def confirm(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    proposal: Id,
    seen: Annotated[
        str | None,
        QueryParameter(max_length=40, description="Digest of what was looked at, where it changed."),
    ] = None,
) -> Response[Decided]:
    """Confirm a proposal of somebody else; the act happens in the same instant.

    It takes what the proposed act itself takes. The reason that was given stands; confirming has none of its own.
    """

    async def work(tx: Connection) -> Decided:
        return await confirm_proposal(tx, web, caller, proposal, seen=seen)

    return await perform(web, request, caller, work)


@post(
    "/api/v1/proposals/{proposal:uuid}/refuse",
    signed_in=True,
    status_code=200,
    tags=["proposals"],
    summary="Refuse or take back",
)
async def refuse(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    proposal: Id,
    data: JSONBody[Said | None] = None,  # noqa: ARG001 - read by reason_of, described for OpenAPI
) -> Response[Decided]:
    """Refuse a proposal, or take back one's own, and say why."""
    why = await reason_of(request)

    async def work(tx: Connection) -> Decided:
        return await refuse_proposal(tx, web, caller, proposal, reason=why)

    return await perform(web, request, caller, work)


async def confirm_proposal(
    tx: Connection, web: Web, caller: Any, proposal: Id, *, seen: str | None = None
) -> Decided:
    """Confirm as the second person, and do the act in the same transaction.

    `seen`: the digest of the first difference that this person looked at, where it changed since it was proposed.

    Raises:
        NotFound: no such proposal.
        NotAllowed: not a second person, or without the permission.
        Conflict: it was decided or has expired, or the act is no longer possible.
    """
    at = web.now
    found = await web.access.proposals.get(tx, proposal, at)
    permission = confirms(found)
    require_to_confirm(caller, permission)
    if found.kind == "bundle_activation":
        raise Conflict("rules are put in force where they were uploaded, not here")
    difference = await require_seen(tx, web, found, seen)
    done = await web.access.proposals.decide(tx, proposal, caller, confirm=True, at=at, permission=permission)
    if done.kind == "authority_matrix":
        await web.access.authority.put_in_force(
            tx,
            done.payload["matrix"],
            was=done.payload["was"],
            proposed_by=done.proposed_by,
            confirmed_by=caller.user_id,
            at=at,
        )
    if done.kind == "mass_revoke":
        return Decided(proposal_out(done), await carry_out(tx, web, done, caller, at))
    if done.kind in ON_MANY:
        return Decided(proposal_out(done), mass=await carry_out_on_many(tx, web, done, caller, at, seen=seen))
    if done.kind == "drift_policy":
        await carry_out_policy(tx, web, done, caller)
    if done.kind in RELEASES:
        await release(tx, web, done, caller, at)
    if done.kind in ON_PAPER:
        await carry_out_paper(tx, web, done, caller, at)
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
        await switched(tx, web, done, difference, caller.actor, at)
    if done.kind == "adopt_keys":
        await start_run(tx, web, done, caller.actor, at)
    return Decided(proposal_out(done))


def confirms(found: Proposal) -> Permission:
    """Return what one needs to confirm a proposal: for a single act, what the act itself takes."""
    if found.kind in {"act", "history"}:
        return Permission(found.payload["permission"])
    return CONFIRMS[found.kind]


def may_see(caller: Principal, found: Proposal) -> bool:
    """Tell whether a proposal is shown to somebody: who looks at grants, proposed it, or may confirm its kind."""
    return (
        caller.may(Permission.GRANTS_LEASE_READ)
        or found.proposed_by == caller.user_id
        or caller.may(confirms(found))
    )


def may_see_some(caller: Principal) -> bool:
    """Tell whether there can be proposals for somebody: who holds anything but looking could be a second person."""
    return caller.may(Permission.GRANTS_LEASE_READ) or bool(caller.permissions - ONLY_LOOKS)


async def refuse_proposal(tx: Connection, web: Web, caller: Any, proposal: Id, *, reason: str) -> Decided:
    """Refuse, or take back one's own.

    Raises:
        NotFound: no such proposal.
        NotAllowed: somebody else's, without the permission to confirm it.
        Conflict: it was decided or has expired.
    """
    found = await web.access.proposals.get(tx, proposal, web.now)
    if found.proposed_by != caller.user_id:
        require_to_confirm(caller, confirms(found))
    if found.kind == "bundle_activation":
        raise Conflict("rules are put in force where they were uploaded, not here")
    done = await web.access.proposals.decide(tx, proposal, caller, confirm=False, at=web.now, reason=reason)
    return Decided(proposal_out(done))


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


HANDLERS = (zones, switch_zone, proposals, confirm, refuse)
