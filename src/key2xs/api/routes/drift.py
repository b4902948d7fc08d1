"""Findings: edits that somebody made in a maker's own tool; and what a zone does with them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, QueryParameter

from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.adopting import zone_of
from key2xs.api.drifting import set_policy
from key2xs.api.paging import USUAL_PAGE, Cursor, Id, Limit, OptionalName, after, next_cursor
from key2xs.api.routes.governing import ProposalOut, proposal_out
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.ids import ZoneId
from key2xs.keys.drift.acts import Act, policy_of_zone
from key2xs.keys.drift.describing import Described, describe
from key2xs.keys.drift.findings import (
    OPEN,
    ZonePolicy,
    count_findings,
    get_finding,
    list_findings,
    zone_policies,
)
from key2xs.keys.drift.types import Kind, Policy, State
from key2xs.plant import get_cylinder

Asked = Request[Any, Any, Any]
Reason = Annotated[str, msgspec.Meta(min_length=3, max_length=500)]


class FindingOut(msgspec.Struct, frozen=True):
    """An edit made elsewhere. `before` and `after` are words; `who` is said as far as the system tells it.

    `ad_hoc`: it gives access in an enforced zone that no grant covers. `policy`: what its zones do with edits.
    `last_seen`: the last reading that showed it.
    """

    id: UUID
    system: str
    subject: str
    key: str | None
    key_id: UUID | None
    lock: str | None
    zones: list[str]
    kind: Kind
    what: str
    before: str
    after: str
    who: str
    ad_hoc: bool
    policy: Policy
    state: State
    decision: Literal["revert", "accept"] | None
    first_seen: datetime
    last_seen: datetime
    settled_at: datetime | None


class FindingPage(msgspec.Struct, frozen=True):
    """Findings, the newest first, a page of them; `counts` are of all states, whatever the page shows."""

    at: datetime
    counts: dict[str, int]
    items: list[FindingOut]
    next: str | None = None


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Reason


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which key system to read once more, all of them if left out, and why."""

    reason: Reason
    system: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class Looking(msgspec.Struct, frozen=True):
    """What is read now: the name of a key system, or *all*."""

    reads: str


class PolicyOut(msgspec.Struct, frozen=True):
    """What a security zone does with edits made elsewhere."""

    zone: str
    zone_id: UUID
    name: str
    mode: str
    policy: Policy
    is_default: bool


class PolicyList(msgspec.Struct, frozen=True):
    """All security zones by code."""

    items: list[PolicyOut]


class NewPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a zone is to do with edits, and why."""

    policy: Policy
    reason: Reason


@get(
    "/api/v1/findings",
    permission=Permission.KEYS_KEY_READ,
    tags=["drift"],
    summary="Edits made elsewhere",
)
async def findings(
    web: WebPart,
    zone: OptionalName = None,
    key: OptionalName = None,
    lock: OptionalName = None,
    states: Annotated[
        list[State] | None, QueryParameter(name="state", description="Only these states.")
    ] = None,
    unsettled: Annotated[bool, QueryParameter(description="Only *open* and *acknowledged*.")] = False,  # noqa: FBT002 - a query parameter
    ad_hoc: Annotated[bool | None, QueryParameter(description="Only access given without a grant.")] = None,
    cursor: Cursor = None,
    limit: Limit = USUAL_PAGE,
) -> FindingPage:
    """What somebody changed in a maker's own tool, of keys, locks and groups, the newest first."""
    async with web.services.database.read() as tx:
        zone_id = await zone_of(tx, zone) if zone is not None else None
        found = await list_findings(
            tx,
            zone=zone_id,
            key=(await web.services.registry.get_key(tx, key)).id if key is not None else None,
            cylinder=(await get_cylinder(tx, lock)).id if lock is not None else None,
            states=OPEN if unsettled else states,
            ad_hoc=ad_hoc,
            after=after(cursor),
            limit=limit,
        )
        items = [finding_out(each) for each in await describe(tx, found, web.services.settings.zone)]
        counts = await count_findings(tx, zone_id)
    return FindingPage(web.now, counts, items, next_cursor(found, limit, lambda each: each.id))


@get(
    "/api/v1/findings/{finding:uuid}",
    permission=Permission.KEYS_KEY_READ,
    tags=["drift"],
    summary="One edit made elsewhere",
)
async def one_finding(web: WebPart, finding: Id) -> FindingOut:
    """One finding."""
    async with web.services.database.read() as tx:
        return await _out(tx, web, finding)


@post(
    "/api/v1/findings/{finding:uuid}/acknowledge",
    permission=Permission.KEYS_DRIFT_DECIDE,
    status_code=200,
    tags=["drift"],
    summary="Say that somebody has seen it",
)
async def acknowledge(
    web: WebPart, request: Asked, caller: CallerPart, finding: Id, data: JSONBody[Why]
) -> Response[FindingOut]:
    """It stays open for a decision; nothing changes on any key."""
    return await _settle(web, request, caller, finding, "acknowledge", data.reason)


@post(
    "/api/v1/findings/{finding:uuid}/revert",
    permission=Permission.KEYS_DRIFT_DECIDE,
    status_code=200,
    tags=["drift"],
    summary="Have it undone",
)
async def revert(
    web: WebPart, request: Asked, caller: CallerPart, finding: Id, data: JSONBody[Why]
) -> Response[FindingOut]:
    """The key is written what its grants allow now, nothing more. 409 for what Key2XS does not write."""
    return await _settle(web, request, caller, finding, "revert", data.reason)


@post(
    "/api/v1/findings/{finding:uuid}/accept",
    permission=Permission.KEYS_DRIFT_DECIDE,
    status_code=200,
    tags=["drift"],
    summary="Leave it as it is",
)
async def accept(
    web: WebPart, request: Asked, caller: CallerPart, finding: Id, data: JSONBody[Why]
) -> Response[FindingOut]:
    """It stays until something else is wanted on the key. 409 for access in an enforced zone that no grant covers."""
    return await _settle(web, request, caller, finding, "accept", data.reason)


@post(
    "/api/v1/findings/look",
    permission=Permission.KEYS_DRIFT_DECIDE,
    status_code=202,
    tags=["drift"],
    summary="Read every key once more",
)
async def look(web: WebPart, request: Asked, caller: CallerPart, data: JSONBody[Look]) -> Response[Looking]:
    """Every key is read again as soon as its connection allows; what is urgent still comes first."""

    async def work(tx: Connection) -> Looking:
        system = await web.services.connections.get(tx, data.system) if data.system is not None else None
        await web.services.drift_acts.look_now(
            tx,
            system=system.id if system is not None else None,
            actor=caller.actor,
            reason=data.reason,
            at=web.now,
        )
        return Looking(system.name if system is not None else "all")

    return await perform(web, request, caller, work, status=202)


@get(
    "/api/v1/drift-policies",
    permission=Permission.KEYS_KEY_READ,
    tags=["drift"],
    summary="What each security zone does with edits made elsewhere",
)
async def policies(web: WebPart) -> PolicyList:
    """*report*: leave and tell; *revert*: write back; *hold*: write nothing to the key until a person decides."""
    async with web.services.database.read() as tx:
        return PolicyList([_policy(each) for each in await zone_policies(tx)])


@post(
    "/api/v1/zones/{zone:uuid}/drift-policy",
    permission=Permission.KEYS_DRIFT_POLICY,
    status_code=200,
    tags=["drift"],
    summary="Say what a zone does with edits made elsewhere",
)
async def change_policy(
    web: WebPart, request: Asked, caller: CallerPart, zone: Id, data: JSONBody[NewPolicy]
) -> Response[Any]:
    """Tightening is done at once; loosening an enforced zone waits for a second person (202)."""

    async def work(tx: Connection) -> PolicyOut | ProposalOut:
        made = await set_policy(tx, web, caller, ZoneId(zone), data.policy, reason=data.reason)
        return proposal_out(made) if made is not None else _policy(await policy_of_zone(tx, ZoneId(zone)))

    return await perform(
        web, request, caller, work, status=lambda done: 202 if isinstance(done, ProposalOut) else 200
    )


async def _settle(
    web: Web, request: Asked, caller: CallerPart, finding: UUID, act: Act, reason: str
) -> Response[FindingOut]:
    async def work(tx: Connection) -> FindingOut:
        await web.services.drift_acts.settle(tx, finding, act, actor=caller.actor, reason=reason, at=web.now)
        return await _out(tx, web, finding)

    return await perform(web, request, caller, work)


async def _out(tx: Connection, web: Web, finding: UUID) -> FindingOut:
    found = await describe(tx, [await get_finding(tx, finding)], web.services.settings.zone)
    return finding_out(found[0])


def finding_out(said: Described) -> FindingOut:
    """Describe a finding."""
    found = said.finding
    return FindingOut(
        id=found.id,
        system=found.system,
        subject=said.subject,
        key=found.stamp,
        key_id=found.key_id,
        lock=found.lock_marking,
        zones=list(found.zone_codes),
        kind=found.kind,
        what=said.what,
        before=said.before,
        after=said.after,
        who=said.who,
        ad_hoc=found.ad_hoc,
        policy=found.policy,
        state=found.state,
        decision=found.decision,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        settled_at=found.settled_at,
    )


def _policy(found: ZonePolicy) -> PolicyOut:
    return PolicyOut(found.code, found.zone_id, found.name, found.mode, found.policy, found.is_default)


HANDLERS = (
    findings,
    one_finding,
    acknowledge,
    revert,
    accept,
    look,
    policies,
    change_policy,
)
