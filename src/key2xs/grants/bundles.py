"""Policy bundles in the database: proposed by one person, activated by another, one in force at any instant.

The policy room is pure, so storing its bundles lives here. An activation changes the head `bundle:policy`, which
every grant rests on: all of them are decided again under the new rules.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import asyncpg

from key2xs.core.database import Connection
from key2xs.core.errors import Conflict, NotAllowed, NotFound
from key2xs.core.ids import BundleId, UserId, new_id
from key2xs.core.sql import load_queries
from key2xs.ledger import Entry, Lane, Ledger, typed
from key2xs.policy import Bundle, make_bundle, restore_bundle, shipped_bundle

_SQL = load_queries("key2xs.grants", "queries_bundles.sql")

BUNDLE_HEAD: Final = "bundle:policy"
_BUNDLES_KEPT: Final = 8  # the one in force, a few proposed, and those a replay runs through


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """A bundle's row without its texts. `active_from` None: proposed, not activated."""

    id: BundleId
    version: str
    hash: str
    origin: str
    uploaded_by: UserId | None
    uploaded_at: datetime
    comment: str
    approved_by: UserId | None
    active_from: datetime | None
    active_until: datetime | None


async def propose_bundle(
    tx: Connection,
    ledger: Ledger,
    *,
    version: str,
    policies: str,
    site_data: str,
    by: UserId,
    at: datetime,
    comment: str = "",
) -> BundleId:
    """Check a site's policies and data and store them; they decide nothing until a second person activates them.

    Raises:
        BundleInvalid: with every problem, each naming its policy.
    """
    bundle = make_bundle(version, policies=policies, site_data=site_data)
    bundle_id = BundleId(new_id())
    body = {"version": version, "hash": bundle.hash, "comment": typed(f"user:{by}", comment)}
    entry = await ledger.record(tx, _entry("policy:bundle:propose", bundle_id, f"user:{by}", at, body))
    await _put(tx, bundle_id, bundle, entry, at, origin="proposed", uploaded_by=by, comment=comment)
    return bundle_id


async def activate_bundle(
    tx: Connection, ledger: Ledger, bundle_id: BundleId, *, by: UserId, at: datetime
) -> None:
    """Put a proposed bundle in force, as the second person.

    Raises:
        NotFound: no such bundle.
        NotAllowed: the person who activates it is the one who proposed it.
        Conflict: it was activated before, was proposed for another version of the product, or `at` is not after
            the start of the bundle in force.
        NarrowOnly: the log stands behind its own checkpoint; new rules might widen.
    """
    await ledger.lock_heads(tx, [BUNDLE_HEAD])
    await ledger.require_widening(tx)
    row = await tx.fetchrow(_SQL["lock_bundle"], bundle_id)
    if row is None:
        raise NotFound(f"there is no bundle {bundle_id}")
    if row["uploaded_by"] == by:
        raise NotAllowed("the person who proposed a bundle cannot activate it: ask a second person")
    if row["active_from"] is not None:
        raise Conflict("this bundle was activated before: propose its text again")
    if not _has_our_guardrails(row):
        raise Conflict("this bundle was proposed for another version of the product: propose its text again")
    await _require_later(tx, at)
    body = {"version": row["version"], "hash": row["hash"], "proposed_by": str(row["uploaded_by"])}
    entry = await ledger.record(
        tx, _entry("policy:bundle:activate", bundle_id, f"user:{by}", at, body, moves=True)
    )
    await tx.execute(_SQL["end_active"], at, entry)
    await tx.execute(_SQL["begin_active"], bundle_id, by, at, entry)


async def ensure_bundle(tx: Connection, ledger: Ledger, *, at: datetime) -> BundleId:
    """Make sure that a bundle with this product's guardrails is in force; called at start, does nothing mostly.

    A new installation gets the shipped bundle. After an update of the product the site's own policies and data go
    on under the signatures they have, with the new guardrails in front of them.

    Raises:
        BundleInvalid: the site's policies do not fit the new schema; nothing is changed, and the old bundle stays.
    """
    found = await tx.fetchrow(_SQL["active_bundle"], at)
    if found is not None and _has_our_guardrails(found):
        return BundleId(found["id"])
    await ledger.lock_heads(tx, [BUNDLE_HEAD])
    found = await tx.fetchrow(_SQL["active_bundle"], at)
    if found is not None and _has_our_guardrails(found):
        return BundleId(found["id"])
    bundle, origin, signed = shipped_bundle(), "shipped", (None, None)
    if found is not None:
        await _require_later(tx, at)
        bundle = make_bundle(found["version"], policies=found["policies"], site_data=found["site_data"])
        origin, signed = "renewed", (found["uploaded_by"], found["approved_by"])
    bundle_id = BundleId(new_id())
    body = {"version": bundle.version, "hash": bundle.hash, "before": found["hash"] if found else ""}
    kind = "policy:bundle:renew" if found else "policy:bundle:install"
    entry = await ledger.record(tx, _entry(kind, bundle_id, "system:policy", at, body, moves=True))
    await tx.execute(_SQL["end_active"], at, entry)
    await _put(
        tx,
        bundle_id,
        bundle,
        entry,
        at,
        origin=origin,
        uploaded_by=signed[0],
        approved_by=signed[1],
        active_from=at,
    )
    return bundle_id


async def active_bundle(tx: Connection, at: datetime) -> Bundle:
    """The bundle in force at an instant; the shipped one where none was ever installed."""
    row = await tx.fetchrow(_SQL["active_bundle"], at)
    return shipped_bundle() if row is None else _bundle_of(row)


async def get_bundle(tx: Connection, bundle_id: BundleId) -> Bundle:
    """A stored bundle with its texts.

    Raises:
        NotFound: no such bundle.
    """
    row = await tx.fetchrow(_SQL["texts_of"], bundle_id)
    if row is None:
        raise NotFound(f"there is no bundle {bundle_id}")
    return _bundle_of(row)


async def get_bundle_by_hash(tx: Connection, bundle_hash: str) -> Bundle:
    """The bundle that a decision names, for replay.

    Raises:
        NotFound: no bundle of this hash was ever stored.
    """
    if bundle_hash == shipped_bundle().hash:
        return shipped_bundle()
    bundle_id = await tx.fetchval(_SQL["id_of_hash"], bundle_hash)
    if bundle_id is None:
        raise NotFound(f"there is no bundle with the hash {bundle_hash}")
    return await get_bundle(tx, BundleId(bundle_id))


async def list_bundles(tx: Connection) -> tuple[StoredBundle, ...]:
    """All bundles, newest first."""
    return tuple(StoredBundle(**dict(row)) for row in await tx.fetch(_SQL["list_bundles"]))


def _entry(
    kind: str,
    bundle_id: BundleId,
    actor: str,
    at: datetime,
    body: dict[str, Any],
    *,
    moves: bool = False,
) -> Entry:
    """An entry about a bundle; `moves`: the rules in force change, and every grant is decided again."""
    heads = (BUNDLE_HEAD,) if moves else ()
    return Entry(
        kind=kind,
        occurred_at=at,
        recorded_at=at,
        actor=actor,
        subjects=(f"bundle:{bundle_id}", *heads),
        heads=heads,
        body=body,
        lane=Lane.CONTROL if moves else Lane.BULK,
    )


async def _put(
    tx: Connection,
    bundle_id: BundleId,
    bundle: Bundle,
    entry: int,
    at: datetime,
    *,
    origin: str,
    uploaded_by: UserId | None,
    comment: str = "",
    approved_by: UserId | None = None,
    active_from: datetime | None = None,
) -> None:
    texts = (bundle.schema, bundle.guardrails, bundle.policies, bundle.site_data)
    signed = (origin, uploaded_by, at, comment, approved_by, active_from)
    await tx.execute(_SQL["put_bundle"], bundle_id, bundle.version, bundle.hash, *texts, *signed, entry)


async def _require_later(tx: Connection, at: datetime) -> None:
    newest: datetime | None = await tx.fetchval(_SQL["newest_start"])
    if newest is not None and newest >= at:
        raise Conflict(
            f"a bundle came into force at {newest.isoformat()}, which is not before {at.isoformat()}"
        )


def _has_our_guardrails(row: asyncpg.Record) -> bool:
    shipped = shipped_bundle()
    return (row["schema"], row["guardrails"]) == (shipped.schema, shipped.guardrails)


def _bundle_of(row: asyncpg.Record) -> Bundle:
    return _restored(row["version"], row["schema"], row["guardrails"], row["policies"], row["site_data"])


@lru_cache(maxsize=_BUNDLES_KEPT)
def _restored(version: str, schema: str, guardrails: str, policies: str, site_data: str) -> Bundle:
    # Checking a bundle takes some milliseconds, and the one in force is asked for at every decision.
    return restore_bundle(
        version, schema=schema, guardrails=guardrails, policies=policies, site_data=site_data
    )
