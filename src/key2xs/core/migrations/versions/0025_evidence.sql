-- Findings that break an assumption of published bounds, memories that were wiped, and warnings before one runs over.

-- What was taken for granted and found to be wrong, of one key, of one lock, or of a key at a lock. While it is open every bound
-- that rests on it counts as none; a proof or a person closes it.
CREATE TABLE key_broken_assumption (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    key_id uuid REFERENCES key_key,
    lock_external_id text,
    cause text NOT NULL CHECK (cause IN ('clock', 'edit', 'lock_clock', 'not_read', 'opening')),
    because text NOT NULL,
    found_at timestamptz NOT NULL,
    -- The worst answer of what was ended, before and after.
    before_kind text,
    before_until timestamptz,
    after_kind text,
    after_until timestamptz,
    closed_at timestamptz,
    closed_by text CHECK (closed_by IN ('person', 'proof')),
    entry bigint NOT NULL,
    CHECK (key_id IS NOT NULL OR lock_external_id IS NOT NULL),
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);
CREATE UNIQUE INDEX key_broken_assumption_open
    ON key_broken_assumption (system_id, key_id, lock_external_id, cause) NULLS NOT DISTINCT WHERE closed_at IS NULL;
CREATE INDEX key_broken_assumption_key ON key_broken_assumption (key_id);

-- Memories that are expected to lose rows that nobody read; told once, taken back when they are read.
CREATE TABLE key_memory_warning (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    memory text NOT NULL CHECK (memory IN ('lock', 'key')),
    external_id text NOT NULL,
    expected_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX key_memory_warning_open ON key_memory_warning (system_id, memory, external_id) WHERE cleared_at IS NULL;

-- A stretch that begins with a wipe: what stood there before and was not read is lost for ever.
ALTER TABLE key_memory_run ADD COLUMN wiped_at timestamptz;

-- Numbers of a key's own attempts, as of a lock's.
CREATE INDEX key_event_counter_key ON key_event (key_external_id, system_id, counter_key)
    INCLUDE (time_quality, occurred_at, read_at, arrived_at) WHERE counter_key IS NOT NULL;

SELECT log_guard(name) FROM unnest(ARRAY['key_broken_assumption', 'key_memory_warning']) AS name;

GRANT SELECT, INSERT, UPDATE ON key_broken_assumption, key_memory_warning TO key2xs_app;
GRANT SELECT ON key_broken_assumption, key_memory_warning TO key2xs_read;
