"""The way out of narrow-only: a person confirms, once every key was read again since the loss was found."""

from datetime import datetime

from key2xs.core.errors import Conflict, InvalidInput
from key2xs.installation import Installation
from key2xs.keys.recovery import keys_not_read_since, systems_not_listed_since
from key2xs.ledger import Entry, Lane, typed
from key2xs.ledger.opening import allow_widening
from key2xs.ledger.sequencer import LOG_SUBJECT

NAMED_KEYS = 5  # in the message; the rest is a number


async def confirm_restored(installation: Installation, *, actor: str, reason: str, at: datetime) -> None:
    """End narrow-only mode on a person's word.

    Raises:
        InvalidInput: no reason given.
        Conflict: the service is not narrow-only, or a key was not read since the loss was found.
    """
    if not reason.strip():
        raise InvalidInput("reason", "say what was checked")
    services = installation.services
    async with services.database.transaction() as tx:
        since = await tx.fetchval("SELECT narrow_only_since FROM log_head")
        if since is None:
            message = "the log is whole: there is nothing to confirm"
            raise Conflict(message)
        unlisted = await systems_not_listed_since(tx, since)
        if unlisted:
            message = f"the keys of {', '.join(unlisted)} were not listed since; there may be keys nobody here knows"
            raise Conflict(message)
        unread = await keys_not_read_since(tx, since)
        if unread:
            message = f"{len(unread)} keys were not read since: {', '.join(unread[:NAMED_KEYS])}"
            raise Conflict(message)
        await services.ledger.record(
            tx,
            Entry(
                kind="ledger:widening:allow",
                occurred_at=at,
                recorded_at=at,
                actor=actor,
                subjects=(LOG_SUBJECT,),
                body={"reason": typed(actor, reason)},
                lane=Lane.CONTROL,
            ),
        )
    async with installation.log_database.transaction() as tx:
        await allow_widening(tx)
