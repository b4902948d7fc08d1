-- Due times, transfers, crew keys, lost and found, cabinets.

-- A crew that a key was handed to; its leader is the holder. `members` has the leader in it.
CREATE TABLE key_crew (
    id uuid PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES key_key,
    leader_id uuid NOT NULL,
    name text NOT NULL,
    members uuid[] NOT NULL CHECK (cardinality(members) > 0),
    entry bigint NOT NULL
);

ALTER TABLE key_custody
    ADD COLUMN crew_id uuid REFERENCES key_crew,
    ADD COLUMN due_at timestamptz,
    -- Whose word began it.
    ADD COLUMN source text NOT NULL DEFAULT 'desk' CHECK (source IN ('desk', 'cabinet'));
CREATE INDEX key_custody_due ON key_custody (due_at) WHERE upper_inf(known) AND upper_inf(during) AND due_at IS NOT NULL;

-- Every hand that a key went through, as somebody or some cabinet told it. `key_custody` follows from these rows: they are
-- put in order of `at`, whenever they were told, and read from the first to the last.
CREATE TABLE key_handling (
    id uuid PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES key_key,
    at timestamptz NOT NULL,
    source text NOT NULL CHECK (source IN ('desk', 'cabinet')),
    -- The order within one instant.
    mark text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('out', 'back', 'due')),
    person_id uuid,
    -- Who gave it, where a key went from one person to the next.
    giver_id uuid,
    crew_id uuid REFERENCES key_crew,
    due_at timestamptz,
    place text,
    told_at timestamptz NOT NULL,
    actor text NOT NULL,
    entry bigint NOT NULL
);
CREATE INDEX key_handling_key ON key_handling (key_id, at);
INSERT INTO key_handling (id, key_id, at, source, mark, kind, person_id, told_at, actor, entry)
SELECT gen_random_uuid(), key_id, lower(during), 'desk', lpad(entry::text, 20, '0'), 'out', person_id, lower(during),
    'system:migration', entry
FROM key_custody WHERE upper_inf(known);
INSERT INTO key_handling (id, key_id, at, source, mark, kind, told_at, actor, entry)
SELECT gen_random_uuid(), key_id, upper(during), 'desk', '0', 'back', upper(during), 'system:migration', entry
FROM key_custody WHERE upper_inf(known) AND NOT upper_inf(during);

-- Lost and broken keys. A report that ended as 'replaced' takes the key out of use for good.
CREATE TABLE key_report (
    id uuid PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES key_key,
    kind text NOT NULL CHECK (kind IN ('lost', 'broken')),
    -- Since when it may have been so; for a lost key when it was surely there last.
    since timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    reason text NOT NULL,
    ended_at timestamptz,
    ended_as text CHECK (ended_as IN ('found', 'repaired', 'replaced')),
    replaced_by uuid REFERENCES key_key,
    entry bigint NOT NULL,
    CHECK ((ended_at IS NULL) = (ended_as IS NULL)),
    CHECK ((ended_as = 'replaced') = (replaced_by IS NOT NULL))
);
CREATE UNIQUE INDEX key_report_open ON key_report (key_id) WHERE ended_at IS NULL;
CREATE INDEX key_report_key ON key_report (key_id);

-- What does not fit together, for a person to look at. Nothing is overwritten because of one.
CREATE TABLE key_finding (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    key_id uuid REFERENCES key_key,
    handling_id uuid REFERENCES key_handling,
    cabinet text,
    stamp text,
    at timestamptz NOT NULL,
    told_at timestamptz NOT NULL,
    -- Whom the newer word names, and who had the key as far as was known.
    person_id uuid,
    holder_id uuid,
    settled_at timestamptz,
    settled_by text,
    how text,
    entry bigint NOT NULL
);
CREATE INDEX key_finding_open ON key_finding (at) WHERE settled_at IS NULL;
CREATE INDEX key_finding_key ON key_finding (key_id);

-- Which step of the escalation was told for which due time.
CREATE TABLE key_overdue (
    key_id uuid NOT NULL REFERENCES key_key,
    due_at timestamptz NOT NULL,
    step text NOT NULL CHECK (step IN ('due', 'reminder', 'key_desk', 'shift_leader', 'security')),
    told_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (key_id, due_at, step)
);

CREATE TABLE key_cabinet (
    source text NOT NULL,
    name text NOT NULL,
    online boolean NOT NULL,
    heard_at timestamptz NOT NULL,
    -- When the newest word about it was so, by its own clock.
    changed_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (source, name)
);

CREATE TABLE key_cabinet_event (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    event_id text NOT NULL,
    cabinet text NOT NULL,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    arrived_at timestamptz NOT NULL,
    slot text,
    stamp text,
    key_id uuid REFERENCES key_key,
    person_id uuid,
    -- A reference that no identity is known for yet, sealed under this row's own id; gone when it is resolved.
    ref_sealed bytea,
    handling_id uuid REFERENCES key_handling,
    entry bigint NOT NULL,
    UNIQUE (source, event_id)
);
CREATE INDEX key_cabinet_event_unresolved ON key_cabinet_event (id) WHERE ref_sealed IS NOT NULL;

-- How sure it is who had the key at the time of an opening. Rows from before are classed again as their keys move.
ALTER TABLE key_event
    ADD COLUMN certainty text NOT NULL DEFAULT 'unknown'
        CHECK (certainty IN ('sure', 'crew', 'lost', 'between', 'in_cabinet', 'unknown')),
    ADD COLUMN crew_size int;

SELECT log_guard(name) FROM unnest(ARRAY[
    'key_crew', 'key_handling', 'key_report', 'key_finding', 'key_overdue', 'key_cabinet', 'key_cabinet_event'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON key_crew, key_handling, key_report, key_finding, key_overdue, key_cabinet,
    key_cabinet_event TO key2xs_app;
GRANT SELECT ON key_crew, key_handling, key_report, key_finding, key_overdue, key_cabinet, key_cabinet_event
    TO key2xs_read;
