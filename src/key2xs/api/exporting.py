"""The log as a file, streamed: docs/reference/log.md fixes the format, `key2xs verify` checks it."""

from collections.abc import AsyncIterator
from typing import Any, Final

from key2xs.ledger.checkpoint import parse_checkpoint
from key2xs.ledger.export import ExportedEntry, Openings, entry_line, header_line
from key2xs.ledger.leaf import EntrySalts, Opening
from key2xs.ledger.log import find_head, newest_checkpoint
from key2xs.ledger.note import split_note
from key2xs.ledger.service import SEALED_OWNER

from .web import Web

_BATCH: Final = 500  # entries read at once; each a few kilobytes
_ROWS: Final = (
    "SELECT leaf.position, leaf.leaf, body.actor, body.subjects, body.body, body.secret FROM log_leaf AS leaf "
    "JOIN log_body AS body ON body.recorded_at = leaf.recorded_at AND body.seq = leaf.seq "
    "WHERE leaf.position >= $1 AND leaf.position < $2 ORDER BY leaf.position"
)


async def newest_checkpoint_of(web: Web) -> bytes:
    """Return the newest signed checkpoint.

    Raises:
        NotFound: nothing was sequenced yet.
    """
    async with web.services.database.read() as tx:
        return (await newest_checkpoint(tx)).encode()


async def export_lines(web: Web, checkpoint: bytes) -> AsyncIterator[bytes]:
    """Give the export line by line. Leaves never change, so batches may be read one after the other."""
    size = parse_checkpoint(split_note(checkpoint)[0]).size
    async with web.services.database.read() as tx:
        first = (await find_head(tx)).first_position
    yield header_line(checkpoint)
    for start in range(0, size, _BATCH):
        async with web.services.database.read() as tx:
            rows = await tx.fetch(_ROWS, first + start, first + min(start + _BATCH, size))
        yield b"".join(entry_line(_exported(row, first)) for row in rows)


def _exported(row: Any, first: int) -> ExportedEntry:
    salts = EntrySalts(bytes(row["secret"]))
    return ExportedEntry(
        index=row["position"] - first,
        leaf=bytes(row["leaf"]),
        openings=Openings(
            actor=Opening(salts.of("actor"), row["actor"]),
            subjects=tuple(
                Opening(salts.of(f"subjects/{place}"), subject)
                for place, subject in enumerate(row["subjects"])
            ),
            body={
                name: Opening(salts.of(f"body/{name}"), value)
                for name, value in row["body"].items()
                # Personal values have a salt of their own, sealed with them; they are not for strangers.
                if not (isinstance(value, dict) and SEALED_OWNER in value)
            },
        ),
    )
