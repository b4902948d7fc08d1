-- Key systems and what they hold, the programs we want on keys, and what locks told us.

CREATE TABLE key_system (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    vendor text NOT NULL,
    inventory_at timestamptz,
    visibility_complete boolean NOT NULL DEFAULT false,
    entry bigint NOT NULL
);

CREATE TABLE key_key (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    stamp text NOT NULL,
    kind text NOT NULL,
    -- S1: fire-brigade and emergency keys never enter a block list or a mass action.
    emergency boolean NOT NULL DEFAULT false,
    -- Set when the key is first handed out through Key2XS; a key without it is never written.
    adopted_at timestamptz,
    blocked_at timestamptz,
    block_reason text,
    deleted boolean NOT NULL DEFAULT false,
    entry bigint NOT NULL,
    UNIQUE (system_id, external_id),
    CHECK (NOT (emergency AND blocked_at IS NOT NULL))
);
CREATE INDEX key_key_stamp ON key_key (lower(stamp));

-- Who was handed a key. The log says "opened by key 1042, handed to ..."; it never says who opened.
CREATE TABLE key_custody (
    key_id uuid NOT NULL REFERENCES key_key,
    person_id uuid NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    entry bigint NOT NULL,
    EXCLUDE USING gist (key_id WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX key_custody_person ON key_custody (person_id) WHERE upper_inf(known);
CREATE INDEX key_custody_key ON key_custody (key_id) WHERE upper_inf(known);

CREATE TABLE key_lock (
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    cylinder_id uuid,
    marking text NOT NULL,
    has_clock text NOT NULL CHECK (has_clock IN ('yes', 'no', 'unknown')),
    clock_set_at timestamptz,
    honours_limits text NOT NULL CHECK (honours_limits IN ('yes', 'no', 'unknown')),
    online_required text NOT NULL CHECK (online_required IN ('yes', 'no', 'unknown')),
    is_networked text NOT NULL CHECK (is_networked IN ('yes', 'no', 'unknown')),
    hidden_rights boolean NOT NULL DEFAULT false,
    rights text[] NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (system_id, external_id)
);
CREATE INDEX key_lock_cylinder ON key_lock (cylinder_id);

CREATE TABLE key_right (
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    name text NOT NULL,
    locks text[] NOT NULL,
    writable boolean NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (system_id, external_id)
);

-- Desired state of one key, and how far the vendor's reading is from it.
CREATE TABLE key_target (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    key_id uuid NOT NULL UNIQUE REFERENCES key_key,
    generation int NOT NULL,
    desired jsonb NOT NULL,
    block boolean NOT NULL DEFAULT false,
    grants uuid[] NOT NULL,
    cannot jsonb NOT NULL,
    asked_at timestamptz NOT NULL,
    accepted_at timestamptz,
    delivered_at timestamptz,
    problem text,
    reading jsonb,
    read_at timestamptz,
    entry bigint NOT NULL
);

-- Programs that are or may be on a key. Rows from the last proven one on may all be in the device.
CREATE TABLE key_program (
    id uuid PRIMARY KEY,
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    key_id uuid NOT NULL REFERENCES key_key,
    program jsonb NOT NULL,
    origin text NOT NULL CHECK (origin IN ('ours', 'found')),
    grants uuid[] NOT NULL,
    written_at timestamptz NOT NULL,
    ordered_at timestamptz,
    fetched_at timestamptz,
    proven_at timestamptz,
    gone_at timestamptz,
    entry bigint NOT NULL
);
CREATE INDEX key_program_key ON key_program (key_id, number) WHERE gone_at IS NULL;

-- Rows of locks' own logs, classed. Three times are kept apart and never rewritten.
CREATE TABLE key_event (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    vendor_event_id text NOT NULL,
    occurred_at timestamptz,
    time_quality text NOT NULL,
    read_at timestamptz,
    arrived_at timestamptz NOT NULL,
    lock_external_id text NOT NULL,
    cylinder_id uuid,
    key_external_id text,
    key_id uuid,
    person_id uuid,
    person_certain boolean NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('opened', 'refused', 'other')),
    class text NOT NULL
        CHECK (class IN ('expected', 'refused', 'after_end', 'legacy', 'undated', 'unexplained', 'other')),
    why text NOT NULL,
    grant_id uuid,
    raw_type bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    UNIQUE (system_id, vendor_event_id)
);
CREATE INDEX key_event_key ON key_event (key_id, occurred_at);
CREATE INDEX key_event_cylinder ON key_event (cylinder_id, occurred_at);
CREATE INDEX key_event_arrived ON key_event (arrived_at);
CREATE INDEX key_event_alarm ON key_event (arrived_at) WHERE class IN ('unexplained', 'after_end', 'undated');

-- Who may open what, and until when at most: one row for a key, a cylinder and a stretch of knowledge.
CREATE TABLE key_may_open (
    cylinder_id uuid NOT NULL,
    key_id uuid NOT NULL,
    since timestamptz NOT NULL,
    -- When this row stopped being the answer: the key was proven without it, or a newer row took over.
    gone_at timestamptz NOT NULL DEFAULT 'infinity',
    person_id uuid,
    grant_id uuid,
    basis text,
    allowed_until timestamptz,
    kind text NOT NULL CHECK (kind IN ('proven_end', 'bound', 'no_bound', 'still_allowed')),
    exposed_until timestamptz NOT NULL DEFAULT 'infinity',
    entry bigint NOT NULL,
    PRIMARY KEY (cylinder_id, key_id, since)
);
-- An answer about an instant reads only rows that were not gone by then: the newest ones, mostly.
CREATE INDEX key_may_open_at ON key_may_open (cylinder_id, gone_at, since);
CREATE INDEX key_may_open_key ON key_may_open (key_id) WHERE gone_at = 'infinity';

SELECT log_guard(name) FROM unnest(ARRAY[
    'key_system', 'key_key', 'key_custody', 'key_lock', 'key_right', 'key_target', 'key_program', 'key_event',
    'key_may_open'
]) AS name;

-- Worker leases, call attempts, sessions and cursors are no domain state.
CREATE TABLE key_work (
    target_id uuid PRIMARY KEY REFERENCES key_target,
    lane smallint NOT NULL DEFAULT 1,
    next_at timestamptz NOT NULL,
    marks bigint NOT NULL DEFAULT 1,
    leased_until timestamptz,
    leased_by text,
    fence bigint NOT NULL DEFAULT 0,
    failures int NOT NULL DEFAULT 0,
    -- When the key was read last, also when it said what it had said before.
    read_at timestamptz
);
CREATE INDEX key_work_due ON key_work (lane, next_at);

CREATE TABLE key_call (
    id uuid PRIMARY KEY,
    target_id uuid NOT NULL REFERENCES key_target,
    fence bigint NOT NULL,
    operation text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    outcome text
);
CREATE INDEX key_call_open ON key_call (target_id) WHERE finished_at IS NULL;

CREATE TABLE key_session (
    system_id uuid NOT NULL REFERENCES key_system,
    worker text NOT NULL,
    sealed bytea NOT NULL,
    base_url text NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (system_id, worker)
);

CREATE TABLE key_cursor (
    system_id uuid PRIMARY KEY REFERENCES key_system,
    cursor text,
    pulled_at timestamptz
);

GRANT SELECT, INSERT, UPDATE ON key_system, key_key, key_custody, key_lock, key_right, key_target, key_program,
    key_event, key_may_open TO key2xs_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON key_work, key_call, key_session, key_cursor TO key2xs_app;
GRANT SELECT ON key_system, key_key, key_custody, key_lock, key_right, key_target, key_program, key_event,
    key_may_open, key_work, key_call, key_cursor TO key2xs_read;
