-- Grants are leases: identity x cylinders x window x basis, with the versions of all facts they rest on.
CREATE TABLE grant_lease (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    basis_kind text NOT NULL
        CHECK (basis_kind IN ('permit_step', 'duty_role', 'approved_request', 'emergency', 'standing')),
    basis_ref text NOT NULL,
    basis_step text NOT NULL DEFAULT '',
    -- When the basis arose (sign-on, approval, revalidation). A new grant needs one newer than the old one's end.
    basis_at timestamptz NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT upper_inf(during)),
    state text NOT NULL CHECK (state IN ('scheduled', 'active', 'held', 'ended')),
    reasons jsonb NOT NULL,
    bundle text NOT NULL,
    reference text NOT NULL DEFAULT '',
    decided_at timestamptz NOT NULL,
    due_at timestamptz,
    held_rule text,
    ended_at timestamptz,
    end_reason text,
    entry bigint NOT NULL,
    CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((state = 'ended') = (end_reason IS NOT NULL)),
    CHECK ((state = 'held') = (held_rule IS NOT NULL))
);
-- One open lease a person and step: two would hide from each other what ended.
CREATE UNIQUE INDEX grant_lease_open ON grant_lease (person_id, basis_ref, basis_step) WHERE state <> 'ended';
CREATE INDEX grant_lease_person ON grant_lease (person_id) WHERE state <> 'ended';
CREATE INDEX grant_lease_basis ON grant_lease (basis_ref);
CREATE INDEX grant_lease_due ON grant_lease (due_at) WHERE state <> 'ended';
CREATE INDEX grant_lease_ended ON grant_lease (ended_at) WHERE state = 'ended';

-- Ended is terminal: no path leads out of it.
CREATE FUNCTION grant_stays_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'ended' THEN
        RAISE EXCEPTION 'grant % has ended; ended is terminal', OLD.id USING ERRCODE = 'K2X03';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grant_lease_terminal BEFORE UPDATE ON grant_lease FOR EACH ROW EXECUTE FUNCTION grant_stays_ended();

CREATE TABLE grant_cylinder (
    grant_id uuid NOT NULL REFERENCES grant_lease,
    cylinder_id uuid NOT NULL,
    -- A cylinder that a scope change took out of a grant stays listed with the entry that removed it.
    removed_at timestamptz,
    entry bigint NOT NULL,
    PRIMARY KEY (grant_id, cylinder_id)
);
CREATE INDEX grant_cylinder_cylinder ON grant_cylinder (cylinder_id) WHERE removed_at IS NULL;

CREATE TABLE grant_fact (
    grant_id uuid NOT NULL REFERENCES grant_lease,
    subject text NOT NULL,
    version bigint NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (grant_id, subject)
);
CREATE INDEX grant_fact_subject ON grant_fact (subject);

-- A wish that policy refused, told once per set of reasons.
CREATE TABLE grant_refusal (
    person_id uuid NOT NULL,
    basis_ref text NOT NULL,
    basis_step text NOT NULL DEFAULT '',
    reasons jsonb NOT NULL,
    refused_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (person_id, basis_ref, basis_step)
);

CREATE TABLE grant_request (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('approved_request', 'emergency')),
    person_id uuid NOT NULL,
    requester_id uuid NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT upper_inf(during) AND NOT lower_inf(during)),
    reason text NOT NULL CHECK (length(reason) > 0),
    state text NOT NULL CHECK (state IN ('requested', 'approved', 'refused', 'withdrawn')),
    asked_at timestamptz NOT NULL,
    entry bigint NOT NULL
);
CREATE INDEX grant_request_open ON grant_request (asked_at) WHERE state = 'requested';

CREATE TABLE grant_request_cylinder (
    request_id uuid NOT NULL REFERENCES grant_request,
    cylinder_id uuid NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (request_id, cylinder_id)
);

CREATE TABLE grant_approval (
    request_id uuid NOT NULL REFERENCES grant_request,
    approver_id uuid NOT NULL,
    decision text NOT NULL CHECK (decision IN ('approve', 'refuse')),
    reason text,
    at timestamptz NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (request_id, approver_id)
);

SELECT log_guard(name) FROM unnest(ARRAY[
    'grant_lease', 'grant_cylinder', 'grant_fact', 'grant_refusal', 'grant_request', 'grant_request_cylinder',
    'grant_approval'
]) AS name;

-- Subjects to decide again. A mark, not state: losing one is healed by the sweep.
CREATE TABLE grant_mark (
    subject text PRIMARY KEY,
    marks bigint NOT NULL DEFAULT 1,
    next_at timestamptz NOT NULL,
    failures int NOT NULL DEFAULT 0,
    problem text
);
CREATE INDEX grant_mark_due ON grant_mark (next_at);

-- A grant is effective when it is active, its window covers the instant and no fact it rests on has changed since
-- it was decided. Held grants still open lock boxes; they are listed apart.
CREATE FUNCTION grant_is_unchanged(asked uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT 1 FROM grant_fact AS fact
        LEFT JOIN log_subject_head AS head ON head.subject = fact.subject
        WHERE fact.grant_id = asked AND coalesce(head.entry, 0) <> fact.version
    )
$$;

GRANT SELECT, INSERT, UPDATE ON grant_lease, grant_cylinder, grant_fact, grant_refusal, grant_request,
    grant_request_cylinder, grant_approval TO key2xs_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON grant_mark TO key2xs_app;
GRANT SELECT ON grant_lease, grant_cylinder, grant_fact, grant_refusal, grant_request, grant_request_cylinder,
    grant_approval, grant_mark TO key2xs_read;
GRANT SELECT ON log_subject_head TO key2xs_read;

-- What other rooms may read in SQL of their own: the cylinders that a grant covers.
CREATE VIEW grant_covers AS SELECT grant_id, cylinder_id FROM grant_cylinder WHERE removed_at IS NULL;
GRANT SELECT ON grant_covers TO key2xs_app, key2xs_read;
