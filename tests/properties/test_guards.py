"""P3: every change of domain state has exactly one entry in its own transaction, and nobody can go round that."""

import asyncpg
import pytest

from key2xs.core.database import Database
from key2xs.core.postgres import RoleDsns

# Tables that are no domain state, each with the reason. Every other table must refuse a change without an entry.
EXEMPT = {
    "access_session": "a sign-in; real time, gone when it ends",
    "access_answer": "what was answered to an idempotency key; the act itself is an entry",
    "access_code": "a one-time code; real time, gone when used; giving and using it are entries",
    "access_token_use": "the day a token was last used; a hint, no state",
    "access_visit": "a look at one's own page; real time, gone when it ends",
    "domain_time": "the demo's clock, which production refuses",
    "drift_lock_plan": "which rights a lock was to hold at the last listing; what differs is a finding, an entry",
    "drift_seen": "what was read of a key last, to compare the next reading with; what differs is a finding, an entry",
    "drift_unlisted": "what a listing left out, so that it is told once; the finding is an entry",
    "grant_mark": "a mark says only: look again; losing one is healed by the sweep",
    "identity_boundary": "how far our clock has told the log; a cursor",
    "incident_mass_look": "what somebody was shown before an act on many; the act itself is an entry",
    "key_bulk_write": "how many keys were written in bulk lately; the writes themselves are entries",
    "key_call": "an attempt of a worker; the intent it stands for is an entry",
    "key_cursor": "how far a vendor's log was read",
    "key_memory_run": "how far the memories of locks and keys were read",
    "key_memory_stretch": "rows summed up, so that nobody counts them for a page; each row has its entry",
    "key_memory_week": "likewise, by the week",
    "key_pace": "how many calls a key system was given; what they did has entries",
    "key_session": "the vendor session a successor has to end",
    "key_sign_in": "whose turn it is to sign in again; that a person asked for it is an entry",
    "key_wake": "that a key system called; what it told of is read, and that is on the log",
    "key_work": "a worker's lease",
    "schema_revision": "the schema's own number",
    "work_feed": "when a source was heard last; falling silent and coming back are entries",
}
# The log itself: written by the sequencer only, or together with an entry.
LOG = {
    "log_body", "log_checkpoint", "log_head", "log_leaf", "log_origin", "log_pending", "log_reader", "log_stream",
    "log_subject_head", "log_tile",
}  # fmt: skip
SEQUENCED = sorted(LOG - {"log_body", "log_pending", "log_reader", "log_subject_head"})

_UNGUARDED = """
SELECT class.relname FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = class.relnamespace
WHERE space.nspname = 'public' AND class.relkind IN ('r', 'p') AND NOT class.relispartition AND NOT EXISTS (
    SELECT 1 FROM pg_trigger AS guard JOIN pg_proc AS function ON function.oid = guard.tgfoid
    WHERE guard.tgrelid = class.oid AND function.proname = 'log_require_entry' AND guard.tgenabled <> 'D'
      AND guard.tgtype & 31 = 31)
"""
_GUARDED = """
SELECT DISTINCT class.relname FROM pg_trigger AS guard JOIN pg_class AS class ON class.oid = guard.tgrelid
JOIN pg_proc AS function ON function.oid = guard.tgfoid WHERE function.proname = 'log_require_entry'
"""


async def test_every_table_refuses_a_change_without_an_entry_or_says_why_not(db: Database) -> None:
    async with db.read() as tx:
        found = {row["relname"] for row in await tx.fetch(_UNGUARDED)}
    assert found - LOG == set(EXEMPT)


async def test_no_row_of_domain_state_is_written_without_its_entry(db: Database) -> None:
    async with db.transaction() as tx:
        number = await tx.fetchval("SELECT nextval('log_entry_number')")
    with pytest.raises(asyncpg.PostgresError) as refusal:
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO key_system (id, name, vendor, entry) VALUES (gen_random_uuid(), 'x', 'iloq', $1)",
                number,
            )
    assert refusal.value.sqlstate == "K2X02"


async def test_an_entry_of_another_transaction_does_not_count(db: Database) -> None:
    pending = (
        "INSERT INTO log_pending (seq, lane, recorded_at, subjects, streams, draft) "
        "VALUES (nextval('log_entry_number'), 1, '2026-03-02T17:00Z', '{}', '{}', '') RETURNING seq"
    )
    async with db.transaction() as tx:
        number = await tx.fetchval(pending)
    with pytest.raises(asyncpg.PostgresError) as refusal:
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO key_system (id, name, vendor, entry) VALUES (gen_random_uuid(), 'x', 'iloq', $1)",
                number,
            )
    assert refusal.value.sqlstate == "K2X02"
    async with db.transaction() as tx:
        number = await tx.fetchval(pending)
        await tx.execute(
            "INSERT INTO key_system (id, name, vendor, entry) VALUES (gen_random_uuid(), 'x', 'iloq', $1)",
            number,
        )


async def test_the_application_cannot_forge_the_transaction_of_an_entry(db: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction() as tx:
            await tx.execute(
                "INSERT INTO log_pending (seq, xact, lane, recorded_at, subjects, streams, draft) "
                "VALUES (1, pg_current_xact_id(), 1, '2026-03-02T17:00Z', '{}', '{}', '')"
            )


@pytest.mark.parametrize("table", SEQUENCED)
async def test_the_application_cannot_write_the_log(db: Database, table: str) -> None:
    for statement in (
        f"DELETE FROM {table}",
        f"INSERT INTO {table} SELECT * FROM {table}",
        f"TRUNCATE {table}",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(statement)


async def test_the_application_cannot_change_what_it_said(db: Database) -> None:
    for statement in ("UPDATE log_body SET kind = 'x'", "DELETE FROM log_body", "UPDATE log_pending SET lane = 0",
                      "DELETE FROM log_pending", "UPDATE log_leaf SET seq = 1", "UPDATE log_head SET size = 0"):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(statement)


async def test_the_application_deletes_no_domain_state(db: Database, db_dsns: RoleDsns) -> None:
    owner = await Database.open(db_dsns.owner)
    try:
        async with owner.read() as tx:
            tables = sorted(row["relname"] for row in await tx.fetch(_GUARDED))
    finally:
        await owner.close()
    assert len(tables) > 30
    for table in tables:
        with pytest.raises(asyncpg.PostgresError):
            async with db.transaction() as tx:
                await tx.execute(f"TRUNCATE {table} CASCADE")
        async with db.read() as tx:
            may = await tx.fetchval("SELECT has_table_privilege($1, 'DELETE')", table)
        # Where the role may, the guard refuses; most tables do not even let it try.
        assert not may or table in tables


async def test_the_sequencer_reads_and_writes_no_domain_state(log_db: Database) -> None:
    async with log_db.read() as tx:
        rows = await tx.fetch(
            "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND (has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE') "
            "OR has_table_privilege(c.oid, 'SELECT') OR has_table_privilege(c.oid, 'DELETE'))"
        )
    assert {row["relname"] for row in rows} <= LOG | {"domain_time"}


async def test_the_reading_role_only_reads(read_db: Database) -> None:
    async with read_db.read() as tx:
        rows = await tx.fetch(
            "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') "
            "AND (has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE') "
            "OR has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE'))"
        )
        assert rows == []
        assert await tx.fetchval("SELECT count(*) FROM grant_lease") == 0
