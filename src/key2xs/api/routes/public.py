"""What anybody may read: whether the service is well, and the log's checkpoint, entries and proofs."""

from base64 import b64encode
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.params import PathParameter, QueryParameter

from key2xs.api.web import Web, WebPart
from key2xs.core.errors import NotFound
from key2xs.keys.reads import system_ages
from key2xs.ledger.log import find_head, find_leaf, newest_checkpoint, prove_consistency, prove_inclusion
from key2xs.ledger.merkle import leaf_hash
from key2xs.work import source_status

_LARGEST = 2**53 - 1  # what every JSON reader keeps exactly


class Health(msgspec.Struct, frozen=True):
    """How the service is."""

    status: str
    """ok, narrow_only (works, but gives nothing new) or failing"""
    problems: dict[str, str]
    narrow_only: str | None = None
    data_age: dict[str, datetime | None] = {}


class LeafOut(msgspec.Struct, frozen=True):
    """One entry of the log: its leaf's bytes in base64, and their RFC 6962 hash."""

    index: int
    leaf: str
    leaf_hash: str


class InclusionProof(msgspec.Struct, frozen=True):
    """RFC 6962 audit path, hashes in base64."""

    index: int
    size: int
    hashes: list[str]


class ConsistencyProof(msgspec.Struct, frozen=True):
    """RFC 6962 consistency proof, hashes in base64."""

    from_: int = msgspec.field(name="from")
    to: int
    hashes: list[str]


@get("/healthz", public=True, tags=["system"], summary="Whether the service is well")
async def health(web: WebPart) -> Response[Health]:
    """200 when this process can do its work, 503 when not; names what is wrong, never why in detail."""
    problems = dict.fromkeys(web.runtime.all_problems(), "failing")
    try:
        found = await _look(web)
    except Exception:  # noqa: BLE001 - whatever the database raises, the answer is that it does not answer
        return Response(Health("failing", {**problems, "database": "does not answer"}), status_code=503)
    if problems:
        found = msgspec.structs.replace(found, status="failing", problems=problems)
    return Response(found, status_code=503 if problems else 200)


@get(
    "/log/checkpoint",
    public=True,
    tags=["log"],
    summary="The newest signed checkpoint",
    media_type="text/plain",
)
async def checkpoint(web: WebPart) -> str:
    """A C2SP checkpoint (signed note)."""
    async with web.services.database.read() as tx:
        return await newest_checkpoint(tx)


@get("/log/entries/{index:int}", public=True, tags=["log"], summary="One entry's leaf")
async def log_entry(web: WebPart, index: Annotated[int, PathParameter(ge=0)]) -> LeafOut:
    """The bytes that were hashed. They hold commitments, no data."""
    if index > _LARGEST:
        raise NotFound("the log has no such entry")
    async with web.services.database.read() as tx:
        leaf = await find_leaf(tx, index)
    return LeafOut(index, b64encode(leaf).decode(), b64encode(leaf_hash(leaf)).decode())


@get("/log/proof/inclusion", public=True, tags=["log"], summary="Proof that an entry is in the log")
async def inclusion(
    web: WebPart,
    index: Annotated[int, QueryParameter(ge=0, le=_LARGEST)],
    size: Annotated[int, QueryParameter(ge=1, le=_LARGEST)],
) -> InclusionProof:
    """The path from entry `index` to the root of the tree of `size` entries."""
    async with web.services.database.read() as tx:
        hashes = await prove_inclusion(tx, index, size)
    return InclusionProof(index, size, [b64encode(each).decode() for each in hashes])


@get("/log/proof/consistency", public=True, tags=["log"], summary="Proof that the log only grew")
async def consistency(
    web: WebPart,
    old: Annotated[int, QueryParameter(name="from", ge=1, le=_LARGEST)],
    new: Annotated[int, QueryParameter(name="to", ge=1, le=_LARGEST)],
) -> ConsistencyProof:
    """The proof that the tree of `from` entries is the beginning of the tree of `to` entries."""
    async with web.services.database.read() as tx:
        hashes = await prove_consistency(tx, old, new)
    return ConsistencyProof(from_=old, to=new, hashes=[b64encode(each).decode() for each in hashes])


async def _look(web: Web) -> Health:
    async with web.services.database.read() as tx:
        ages: dict[str, datetime | None] = {
            f"key_system:{s.name}": s.log_read_at for s in await system_ages(tx)
        }
        for source in await source_status(tx, web.now):
            ages[f"permits:{source.name}"] = source.heard_at
        try:
            narrow_only = (await find_head(tx)).narrow_only_why
        except NotFound:
            narrow_only = "the log is not open yet"
    return Health("narrow_only" if narrow_only else "ok", {}, narrow_only, ages)


HANDLERS = (health, checkpoint, log_entry, inclusion, consistency)
