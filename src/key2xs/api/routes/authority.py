"""The authority matrix: read, exported and imported as CSV; a change is shown as a difference and takes two people."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from key2xs.access import Change, Matrix, Permission, Principal
from key2xs.api.acts import perform
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection

LONGEST_TEXT = 300_000  # characters; a full matrix has some tens of kilobytes


class RowOut(msgspec.Struct, frozen=True):
    """One row of the matrix."""

    role: str
    permission: str
    scope: str
    second_person: bool
    reason: bool


class MatrixOut(msgspec.Struct, frozen=True):
    """The matrix in force; version 0 is the one that ships."""

    version: int
    hash: str
    rows: list[RowOut]


class NewMatrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole matrix as CSV, and why it is to change."""

    matrix: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
    reason: Annotated[str, msgspec.Meta(min_length=3, max_length=500)]
    dry_run: bool = False


class ChangeOut(msgspec.Struct, frozen=True):
    """One difference: on what terms before and after (null: not at all)."""

    role: str
    permission: str
    scope: str
    before: str | None
    after: str | None


class MatrixChange(msgspec.Struct, frozen=True):
    """What a matrix would change. `proposal` null: only looked at."""

    version: int
    hash: str
    changes: list[ChangeOut]
    proposal: UUID | None = None


@get(
    "/api/v1/authority",
    permission=Permission.ACCESS_MATRIX_READ,
    tags=["access"],
    summary="The authority matrix",
)
async def authority(web: WebPart) -> MatrixOut:
    """Who may do what, where, and on which terms."""
    async with web.services.database.read() as tx:
        return _matrix(await web.access.authority.current(tx))


@get(
    "/api/v1/authority.csv",
    permission=Permission.ACCESS_MATRIX_READ,
    tags=["access"],
    summary="The authority matrix as CSV",
    media_type="text/csv; charset=utf-8",
)
async def authority_csv(web: WebPart) -> str:
    """The same, to edit and propose again."""
    async with web.services.database.read() as tx:
        return (await web.access.authority.current(tx)).text


@post(
    "/api/v1/authority",
    permission=Permission.ACCESS_MATRIX_CHANGE,
    rehearses=True,
    status_code=202,
    tags=["access"],
    summary="Propose another authority matrix",
)
async def propose_matrix(
    web: WebPart, request: Request[Any, Any, Any], caller: CallerPart, data: JSONBody[NewMatrix]
) -> Response[MatrixChange]:
    """Check a matrix, show what it changes, and let it wait for a second person. `dry_run` only looks."""

    async def work(tx: Connection) -> MatrixChange:
        return await propose_change(tx, web, caller, data)

    return await perform(
        web, request, caller, work, status=200 if data.dry_run else 202, dry_run=data.dry_run
    )


async def propose_change(tx: Connection, web: Web, caller: Principal, data: NewMatrix) -> MatrixChange:
    """Check a matrix and propose it, or only look.

    Raises:
        InvalidInput: names the row that cannot stand.
        Conflict: it changes nothing, or keeps roles apart that somebody has together.
    """
    now = await web.access.authority.current(tx)
    matrix, changes = await web.access.authority.check_change(tx, data.matrix)
    shown = [ChangeOut(c.role, c.permission, c.scope, c.before, c.after) for c in changes]
    if data.dry_run:
        return MatrixChange(matrix.version, matrix.hash, shown)
    proposal = await web.access.proposals.propose(
        tx,
        caller,
        "authority_matrix",
        subject="matrix:access",
        payload={
            "matrix": matrix.text,
            "hash": matrix.hash,
            "was": now.hash,
            "changes": [_told(change) for change in changes],
        },
        reason=data.reason,
        at=web.now,
    )
    return MatrixChange(matrix.version, matrix.hash, shown, proposal.id)


def _matrix(found: Matrix) -> MatrixOut:
    return MatrixOut(
        found.version,
        found.hash,
        [RowOut(r.role, r.permission, r.scope, r.second_person, r.reason) for r in found.rows],
    )


def _told(change: Change) -> str:
    before, after = change.before or "not at all", change.after or "not at all"
    return f"{change.role}, {change.permission}, {change.scope}: {before} -> {after}"


HANDLERS = (authority, authority_csv, propose_matrix)
