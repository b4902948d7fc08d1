-- Paper permits, sealed emergency keys, outages and drills.

-- A permit on paper is a permit of source "paper" as any other; this is what only paper has. Free of personal data.
CREATE TABLE work_paper (
    permit_id uuid PRIMARY KEY REFERENCES work_permit,
    -- As printed on the pad, and as it is compared: one number is one permit, for ever.
    number text NOT NULL,
    number_norm text NOT NULL UNIQUE,
    -- The permit system it stands in for.
    stands_for text NOT NULL,
    issuing_id uuid NOT NULL,
    performing_id uuid NOT NULL,
    written_by text NOT NULL,
    confirmed_by text NOT NULL,
    reason text NOT NULL,
    -- The sheet as it was written, with people as our own ids, and when each of them signed off.
    form jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    closed_at timestamptz,
    -- What it became in the permit system when that was back; `entered_permit` is empty where nothing told us of it.
    entered_as text,
    entered_permit uuid REFERENCES work_permit,
    entered_by text,
    entered_at timestamptz,
    entry bigint NOT NULL,
    CHECK ((entered_as IS NULL) = (entered_at IS NULL))
);
CREATE INDEX work_paper_open ON work_paper (stands_for, issued_at) WHERE entered_at IS NULL;

-- A permit system that two people declared down although it still gives signs of life, or never gave any.
CREATE TABLE work_source_down (
    source text PRIMARY KEY,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    reason text NOT NULL,
    declared_by text NOT NULL,
    confirmed_by text NOT NULL,
    entry bigint NOT NULL
);

-- Until when a key surely goes on opening a cylinder if nothing further reaches it; infinity: nothing known stops it;
-- empty: not sure even now. The other side of `exposed_until`.
ALTER TABLE key_may_open ADD COLUMN works_until timestamptz;

-- An emergency key in a sealed envelope or box.
CREATE TABLE key_sealed (
    key_id uuid PRIMARY KEY REFERENCES key_key,
    seal text NOT NULL,
    place text NOT NULL,
    state text NOT NULL CHECK (state IN ('sealed', 'broken', 'recalled', 'withdrawn')),
    since timestamptz NOT NULL,
    -- Since when it is kept under seal at all; before that nobody claims anything about it.
    kept_since timestamptz NOT NULL,
    checked_at timestamptz NOT NULL,
    check_due_at timestamptz NOT NULL,
    check_told boolean NOT NULL DEFAULT false,
    entry bigint NOT NULL
);
CREATE INDEX key_sealed_check ON key_sealed (check_due_at) WHERE state = 'sealed' AND NOT check_told;

-- A seal number is used once: a broken seal cannot come back.
CREATE TABLE key_seal (
    seal_norm text PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES key_key,
    entry bigint NOT NULL
);

-- One time that a seal was broken, from the breaking to the review.
CREATE TABLE key_seal_use (
    id uuid PRIMARY KEY,
    key_id uuid NOT NULL REFERENCES key_key,
    seal text NOT NULL,
    broken_at timestamptz NOT NULL,
    taken_by uuid NOT NULL,
    second_id uuid NOT NULL,
    reason text NOT NULL,
    recall_due_at timestamptz NOT NULL,
    recall_told boolean NOT NULL DEFAULT false,
    recalled_at timestamptz,
    returned_at timestamptz,
    new_seal text,
    review_due_at timestamptz NOT NULL,
    review_told boolean NOT NULL DEFAULT false,
    reviewed_at timestamptz,
    reviewed_by uuid,
    outcome text,
    entry bigint NOT NULL,
    CHECK (taken_by <> second_id),
    CHECK ((reviewed_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX key_seal_use_open ON key_seal_use (key_id) WHERE returned_at IS NULL;
CREATE INDEX key_seal_use_key ON key_seal_use (key_id, broken_at);
CREATE INDEX key_seal_use_recall ON key_seal_use (recall_due_at) WHERE returned_at IS NULL AND NOT recall_told;
CREATE INDEX key_seal_use_review ON key_seal_use (review_due_at) WHERE reviewed_at IS NULL AND NOT review_told;

-- What people are warned of while there is time to act; told once, and taken back when it is over.
CREATE TABLE incident_warning (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    -- When it happens if nobody acts; empty where it has happened already.
    due_at timestamptz,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX incident_warning_open ON incident_warning (kind, subject) WHERE cleared_at IS NULL;

-- An exercise and what came of it.
CREATE TABLE incident_drill (
    id uuid PRIMARY KEY,
    scenario text NOT NULL,
    held_at timestamptz NOT NULL,
    people int NOT NULL CHECK (people > 0),
    passed boolean NOT NULL,
    outcome text NOT NULL,
    next_due_at timestamptz,
    recorded_by text NOT NULL,
    entry bigint NOT NULL
);
CREATE INDEX incident_drill_held ON incident_drill (held_at DESC);

SELECT log_guard(name) FROM unnest(ARRAY[
    'work_paper', 'work_source_down', 'key_sealed', 'key_seal', 'key_seal_use', 'incident_warning', 'incident_drill'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON work_paper, work_source_down, key_sealed, key_seal, key_seal_use, incident_warning,
    incident_drill TO key2xs_app;
GRANT SELECT ON work_paper, work_source_down, key_sealed, key_seal, key_seal_use, incident_warning, incident_drill
    TO key2xs_read;
