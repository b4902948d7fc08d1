-- What is asked of the rows of memories, summed up as the rows arrive, so that nobody counts a million of them for a page. No
-- domain state: it can be had from key_event again, by the statements below.

-- Rows of a memory whose numbers follow each other; see keys/coverage/rules.py for what the columns mean.
CREATE TABLE key_memory_stretch (
    memory text NOT NULL CHECK (memory IN ('lock', 'key')),
    external_id text NOT NULL,
    system_id uuid NOT NULL REFERENCES key_system,
    first bigint NOT NULL,
    last bigint NOT NULL,
    rows bigint NOT NULL,
    begins timestamptz NOT NULL,
    ends timestamptz,
    PRIMARY KEY (memory, external_id, system_id, first),
    CHECK (first <= last AND rows > last - first)
);

-- How many rows came about in a cylinder (of keys of its own system, and of others) or of a key, by the week.
CREATE TABLE key_memory_week (
    memory text NOT NULL CHECK (memory IN ('lock', 'key')),
    of_id uuid NOT NULL,
    week timestamptz NOT NULL,
    rows int NOT NULL,
    foreign_rows int NOT NULL,
    PRIMARY KEY (memory, of_id, week) INCLUDE (rows, foreign_rows)
);

WITH counted AS (
    SELECT 'lock' AS memory, lock_external_id AS external_id, system_id, counter_lock AS counter, time_quality,
        occurred_at, read_at, arrived_at
    FROM key_event WHERE counter_lock IS NOT NULL
    UNION ALL
    SELECT 'key', key_external_id, system_id, counter_key, time_quality, occurred_at, read_at, arrived_at
    FROM key_event WHERE counter_key IS NOT NULL AND key_external_id IS NOT NULL
), numbered AS (
    SELECT memory, external_id, system_id, counter,
        counter - dense_rank() OVER (PARTITION BY memory, external_id, system_id ORDER BY counter) AS island,
        CASE WHEN time_quality = 'clock' THEN least(occurred_at, read_at, arrived_at) END AS low,
        coalesce(CASE WHEN time_quality = 'clock' THEN occurred_at END, read_at, arrived_at) AS high
    FROM counted
)
INSERT INTO key_memory_stretch (memory, external_id, system_id, first, last, rows, begins, ends)
SELECT memory, external_id, system_id, min(counter), max(counter), count(*), (array_agg(high ORDER BY counter))[1],
    (array_agg(low ORDER BY counter DESC) FILTER (WHERE low IS NOT NULL))[1]
FROM numbered GROUP BY memory, external_id, system_id, island;

INSERT INTO key_memory_week (memory, of_id, week, rows, foreign_rows)
SELECT 'lock', cylinder_id, date_bin('7 days', occurred_at, '2001-01-01T00:00:00Z'),
    count(*) FILTER (WHERE key_external_id IS NOT NULL), count(*) FILTER (WHERE key_external_id IS NULL)
FROM key_event WHERE cylinder_id IS NOT NULL AND occurred_at IS NOT NULL GROUP BY 2, 3
UNION ALL
SELECT 'key', key_id, date_bin('7 days', occurred_at, '2001-01-01T00:00:00Z'), count(*), 0
FROM key_event WHERE key_id IS NOT NULL AND occurred_at IS NOT NULL GROUP BY 2, 3;

GRANT SELECT, INSERT, UPDATE ON key_memory_stretch, key_memory_week TO key2xs_app;
GRANT DELETE ON key_memory_stretch TO key2xs_app;
GRANT SELECT ON key_memory_stretch, key_memory_week TO key2xs_read;

-- Everything that a key could ever open, for how far its openings are known; the rows that stand have such an index already.
CREATE INDEX key_may_open_key_gone ON key_may_open (key_id, cylinder_id) WHERE gone_at < 'infinity';

-- An edit made elsewhere need not change a program: it may take a key off the block list.
ALTER TABLE key_broken_assumption DROP CONSTRAINT key_broken_assumption_cause_check,
    ADD CONSTRAINT key_broken_assumption_cause_check
    CHECK (cause IN ('clock', 'edit', 'lock_clock', 'not_read', 'opening', 'unblocked'));
