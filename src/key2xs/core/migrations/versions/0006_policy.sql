-- Policy bundles. All four texts are kept, guardrails and schema of their time included, so that a decision can be
-- replayed after the product has moved on.
CREATE TABLE policy_bundle (
    id uuid PRIMARY KEY,
    version text NOT NULL CHECK (version <> ''),
    hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
    schema text NOT NULL,
    guardrails text NOT NULL,
    policies text NOT NULL,
    site_data text NOT NULL,
    -- proposed: by a person; shipped: the first of an installation; renewed: the same site texts with the
    -- guardrails of a newer product, under the signatures they already had.
    origin text NOT NULL CHECK (origin IN ('proposed', 'shipped', 'renewed')),
    uploaded_by uuid,
    uploaded_at timestamptz NOT NULL,
    comment text NOT NULL DEFAULT '',
    approved_by uuid,
    -- NULL until it is activated. Set by our own clock and never corrected, so it needs no `known` range.
    active_during tstzrange CHECK (NOT isempty(active_during)),
    entry bigint NOT NULL,
    -- Two people: an activated bundle that somebody proposed was approved by somebody else.
    CHECK (approved_by <> uploaded_by),
    CHECK (origin <> 'proposed' OR uploaded_by IS NOT NULL),
    CHECK (origin <> 'proposed' OR (active_during IS NULL) = (approved_by IS NULL)),
    CHECK (origin = 'proposed' OR active_during IS NOT NULL),
    -- One at a time, at every instant.
    EXCLUDE USING gist (active_during WITH &&)
);
CREATE INDEX policy_bundle_hash ON policy_bundle (hash);

SELECT log_guard('policy_bundle');

-- The texts of a bundle cannot be changed once they are in: the columns stay out of the grant.
GRANT SELECT, INSERT, UPDATE (approved_by, active_during, entry) ON policy_bundle TO key2xs_app;
GRANT SELECT ON policy_bundle TO key2xs_read;
