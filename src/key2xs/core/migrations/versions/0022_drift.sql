-- Edits made elsewhere become findings, with a policy per security zone.

-- What was read of a key last, to compare the next reading with. No domain state: whatever differs and is not our own
-- is a finding, with an entry.
CREATE TABLE drift_seen (
    key_id uuid PRIMARY KEY REFERENCES key_key,
    seen jsonb NOT NULL,
    as_of timestamptz NOT NULL
);

-- What a listing left out that an earlier one had; likewise.
CREATE TABLE drift_unlisted (
    system_id uuid NOT NULL REFERENCES key_system,
    what text NOT NULL CHECK (what IN ('key', 'lock')),
    external_id text NOT NULL,
    PRIMARY KEY (system_id, what, external_id)
);

-- Which rights each lock was to hold by the listing before, where a maker tells its plan for a lock; likewise.
CREATE TABLE drift_lock_plan (
    system_id uuid NOT NULL REFERENCES key_system,
    external_id text NOT NULL,
    rights text[] NOT NULL,
    PRIMARY KEY (system_id, external_id)
);

-- What a zone wants done with edits; a zone without a row has the default of its mode.
CREATE TABLE drift_policy (
    zone_id uuid PRIMARY KEY REFERENCES plant_zone,
    policy text NOT NULL CHECK (policy IN ('report', 'revert', 'hold')),
    entry bigint NOT NULL
);

-- One edit that nobody made here.
CREATE TABLE drift_finding (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    key_id uuid REFERENCES key_key,
    lock_external_id text,
    right_id text,
    kind text NOT NULL,
    before jsonb,
    after jsonb,
    zones uuid[] NOT NULL,
    -- Gives access in an enforced zone that no grant covers.
    ad_hoc boolean NOT NULL,
    policy text NOT NULL CHECK (policy IN ('report', 'revert', 'hold')),
    -- The policy says to leave the edit in an enforced zone.
    leaves boolean NOT NULL,
    -- What Key2XS wanted on the key then: the edit is left no longer than this is wanted.
    wanted jsonb,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'reverted', 'accepted', 'gone')),
    decision text CHECK (decision IN ('revert', 'accept')),
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    settled_at timestamptz,
    settled_by text,
    entry bigint NOT NULL,
    CHECK (num_nonnulls(key_id, lock_external_id, right_id) >= 1),
    CHECK ((state IN ('reverted', 'accepted', 'gone')) = (settled_at IS NOT NULL))
);
CREATE INDEX drift_finding_open ON drift_finding (key_id) WHERE state IN ('open', 'acknowledged', 'accepted');
CREATE INDEX drift_finding_key ON drift_finding (key_id, first_seen DESC);
CREATE INDEX drift_finding_state ON drift_finding (state, id);
CREATE INDEX drift_finding_zones ON drift_finding USING gin (zones);

SELECT log_guard(name) FROM unnest(ARRAY['drift_policy', 'drift_finding']) AS name;

GRANT SELECT, INSERT, UPDATE ON drift_seen, drift_lock_plan, drift_policy, drift_finding TO key2xs_app;
GRANT SELECT, INSERT, DELETE ON drift_unlisted TO key2xs_app;
GRANT SELECT ON drift_seen, drift_lock_plan, drift_unlisted, drift_policy, drift_finding TO key2xs_read;
