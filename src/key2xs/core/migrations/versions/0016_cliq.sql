-- What a second key system needs: schedules, updaters, programming keys, visits per cylinder.
-- (Schedules are part of the stored programs.)

-- Where the vendor's interface is not public, the wire is our own and every page says so.
ALTER TABLE key_system ADD COLUMN interface text NOT NULL DEFAULT 'documented'
    CHECK (interface IN ('documented', 'simulated'));

-- Narrowing a lost key is accepted at another instant than its block.
ALTER TABLE key_target ADD COLUMN block_ordered_at timestamptz;

-- Places where keys are updated.
CREATE TABLE key_updater (
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    kind text NOT NULL,
    place text NOT NULL,
    online boolean NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (system_id, external_id)
);

-- Keys that carry blocks to cylinders.
CREATE TABLE key_programming_key (
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    marking text NOT NULL,
    capacity int NOT NULL CHECK (capacity >= 0),
    tasks int NOT NULL CHECK (tasks >= 0),
    last_seen_at timestamptz,
    last_seen_place text,
    -- A person said that it will not come back; its visits go to another one.
    given_up_at timestamptz,
    entry bigint NOT NULL,
    PRIMARY KEY (system_id, external_id)
);

-- One row for a blocked key and a cylinder that must be told.
CREATE TABLE key_block_visit (
    key_id uuid NOT NULL REFERENCES key_key,
    system_id uuid NOT NULL REFERENCES key_system,
    lock_external_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('unplaced', 'waiting', 'loaded', 'done', 'failed')),
    programming_key text,
    made_at timestamptz,
    done_at timestamptz,
    known_at timestamptz,
    entry bigint NOT NULL,
    PRIMARY KEY (key_id, lock_external_id)
);
CREATE INDEX key_block_visit_open ON key_block_visit (system_id, programming_key) WHERE state <> 'done';

SELECT log_guard(name) FROM unnest(ARRAY['key_updater', 'key_programming_key', 'key_block_visit']) AS name;

GRANT SELECT, INSERT, UPDATE ON key_updater, key_programming_key, key_block_visit TO key2xs_app;
GRANT SELECT ON key_updater, key_programming_key, key_block_visit TO key2xs_read;
