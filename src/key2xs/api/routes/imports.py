"""Taking in the site's files."""

import asyncio
import csv
import io
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.exceptions import ClientException
from litestar.params import QueryParameter

from key2xs import plant
from key2xs.access import Permission
from key2xs.api.acts import perform
from key2xs.api.paging import Name
from key2xs.api.web import CallerPart, Web, WebPart
from key2xs.core.database import Connection
from key2xs.core.errors import InvalidInput, NotFound
from key2xs.core.imports import ROW_LIMIT, ImportReport
from key2xs.identity.importer import KINDS as IDENTITY_KINDS
from key2xs.keys.importer import KIND as KEYS, import_keys

# A large refinery's cylinder file (5,000 rows, 20 columns) has about a megabyte; rows are limited besides.
LARGEST_FILE: Final = 64 * 1024 * 1024
LONGEST_CELL: Final = 10_000  # characters
KINDS: Final = (*plant.KINDS, *IDENTITY_KINDS, KEYS)
_LINES_SHOWN: Final = 1000  # of the differences and of the errors; the counts are complete


class RowProblem(msgspec.Struct, frozen=True):
    """One thing wrong with one row; `row` is the line an editor shows. `value` null where it may be personal."""

    row: int
    field: str
    problem: str
    value: str | None


class ImportOut(msgspec.Struct, frozen=True):
    """What an import did, or would do."""

    kind: str
    dry_run: bool
    ok: bool
    added: int
    changed: int
    unchanged: int
    removed_missing: int
    errors: list[RowProblem]
    error_count: int
    diff: list[str]


@post(
    "/api/v1/imports/{kind:str}",
    permission=Permission.PLANT_FILE_IMPORT,
    status_code=200,
    request_max_body_size=LARGEST_FILE,
    tags=["imports"],
    summary="Import a CSV file",
)
async def import_file(
    web: WebPart,
    request: Request[Any, Any, Any],
    caller: CallerPart,
    kind: Name,
    dry_run: Annotated[bool, QueryParameter(description="Only report.")] = False,  # noqa: FBT002 - a query parameter
) -> Response[ImportOut]:
    """Import rows of one kind (`text/csv`, UTF-8, with a header). A wrong row is reported and left out."""
    if kind not in KINDS:
        raise NotFound(f"kinds are {', '.join(KINDS)}")
    if not request.content_type[0].startswith(("text/csv", "text/plain")):
        raise ClientException(status_code=415, detail="send text/csv")
    body = await request.body()
    rows = await asyncio.to_thread(read_csv, body)

    async def work(tx: Connection) -> ImportOut:
        report = await _import(tx, web, kind, rows, caller.actor, dry_run=dry_run)
        return import_out(report)

    # One file at a time: two would wait for each other's rows in the database, holding connections.
    async with web.import_lock:
        return await perform(web, request, caller, work, dry_run=dry_run)


def read_csv(body: bytes) -> list[dict[str, str | None]]:
    """Return a file's rows.

    Raises:
        InvalidInput: not UTF-8, no header, a row longer than the header, or too many rows.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("body", f"is not UTF-8 at byte {error.start}") from error
    if "\0" in text:
        raise InvalidInput("body", "has a NUL character; this is not a text file")
    reader = csv.DictReader(io.StringIO(text), strict=True)
    names = reader.fieldnames or []
    if not names or len(set(names)) < len(names):
        raise InvalidInput("header", "is missing or names a column twice")
    rows: list[dict[str, str | None]] = []
    try:
        for row in reader:
            if None in row:
                raise InvalidInput("row", f"line {reader.line_num} has more cells than the header")
            if any(value is not None and len(value) > LONGEST_CELL for value in row.values()):
                raise InvalidInput(
                    "row", f"line {reader.line_num} has a cell of more than {LONGEST_CELL} characters"
                )
            rows.append(row)
            if len(rows) > ROW_LIMIT:
                raise InvalidInput("rows", f"more than {ROW_LIMIT}")
    except csv.Error as error:
        raise InvalidInput("row", f"line {reader.line_num}: {error}") from error
    return rows


async def _import(
    tx: Connection, web: Web, kind: str, rows: list[dict[str, str | None]], actor: str, *, dry_run: bool
) -> ImportReport:
    at, ledger = web.now, web.services.ledger
    if kind == KEYS:
        return await import_keys(tx, ledger, rows, at=at, actor=actor, dry_run=dry_run)
    if kind in plant.KINDS:
        return await plant.import_csv(tx, ledger, kind, rows, at=at, actor=actor, dry_run=dry_run)
    return await web.identity.import_csv(tx, kind, rows, at=at, actor=actor, dry_run=dry_run)


def import_out(report: ImportReport) -> ImportOut:
    """Return what an import says of itself."""
    return ImportOut(
        kind=report.kind,
        dry_run=report.dry_run,
        ok=report.ok,
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        removed_missing=report.removed_missing,
        errors=[RowProblem(e.row, e.field, e.problem, e.value) for e in report.errors[:_LINES_SHOWN]],
        error_count=len(report.errors),
        diff=report.diff[:_LINES_SHOWN],
    )


HANDLERS = (import_file,)
