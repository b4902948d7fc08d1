-- The authority matrix, purposes of looking at a person, retention.

-- When somebody else made, linked or gave a password to an account, and when its owner last changed accounts: for a
-- day neither is one half of two people. Domain time.
ALTER TABLE access_user ADD COLUMN altered_at timestamptz, ADD COLUMN administered_at timestamptz,
    ADD COLUMN signed_in_at timestamptz;
GRANT SELECT (altered_at, administered_at, signed_in_at) ON access_user TO key2xs_read;

-- A handle by which a session can be ended without knowing its secret.
ALTER TABLE access_session ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE;

-- The day a token was last used: enough to find a forgotten one, too little to follow anybody.
CREATE TABLE access_token_use (
    token_id uuid PRIMARY KEY REFERENCES access_token,
    used_on date NOT NULL
);

-- A one-time code that opens one person's own page. Real time, like sessions.
CREATE TABLE access_code (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    person_id uuid NOT NULL,
    made_by uuid NOT NULL REFERENCES access_user,
    expires_at timestamptz NOT NULL
);
CREATE TABLE access_visit (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    person_id uuid NOT NULL,
    ends_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON access_token_use, access_code, access_visit TO key2xs_app;
GRANT SELECT ON access_token_use TO key2xs_read;

-- A confirmed act is done once.
ALTER TABLE access_proposal ADD COLUMN used_at timestamptz;

-- Why somebody proposed something: free text may carry names, so it is ciphertext under the key of whoever typed it.
ALTER TABLE access_proposal ADD COLUMN reason_sealed bytea;
ALTER TABLE access_proposal DROP CONSTRAINT access_proposal_reason_check;
ALTER TABLE access_proposal ALTER COLUMN reason DROP NOT NULL;
ALTER TABLE access_proposal ADD CHECK ((reason IS NULL) <> (reason_sealed IS NULL));

-- Versions of the authority matrix; the newest is in force. No row: the one that ships.
CREATE TABLE access_matrix (
    version int PRIMARY KEY CHECK (version > 0),
    hash text NOT NULL,
    rows text NOT NULL,
    proposed_by uuid NOT NULL REFERENCES access_user,
    confirmed_by uuid NOT NULL REFERENCES access_user CHECK (confirmed_by <> proposed_by),
    active_from timestamptz NOT NULL,
    entry bigint NOT NULL
);

-- Who looked at a person's data and why; the person sees it. `reason` is ciphertext under the looker's key.
CREATE TABLE access_look (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES access_user,
    what text NOT NULL CHECK (what IN ('name', 'history')),
    purpose text NOT NULL,
    reason bytea NOT NULL,
    case_no text,
    begins timestamptz,
    ends timestamptz,
    at timestamptz NOT NULL,
    entry bigint NOT NULL,
    CHECK (begins < ends)
);
CREATE INDEX access_look_person ON access_look (person_id, at);

-- Nothing about a person (null: about anybody) is unlinked while one of these runs. Made and ended by two people.
CREATE TABLE access_hold (
    id uuid PRIMARY KEY,
    person_id uuid,
    reason bytea NOT NULL,
    made_by uuid NOT NULL REFERENCES access_user,
    made_at timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until > made_at),
    ended_at timestamptz,
    entry bigint NOT NULL
);
CREATE INDEX access_hold_open ON access_hold (until) WHERE ended_at IS NULL;

SELECT log_guard(name) FROM unnest(ARRAY['access_matrix', 'access_look', 'access_hold']) AS name;
GRANT SELECT, INSERT ON access_matrix, access_look TO key2xs_app;
GRANT SELECT, INSERT, UPDATE ON access_hold TO key2xs_app;
GRANT SELECT ON access_matrix, access_look, access_hold TO key2xs_read;

-- Named openings by age: what retention looks for, and a person's own.
CREATE INDEX key_event_named ON key_event (coalesce(occurred_at, arrived_at)) WHERE person_id IS NOT NULL;
CREATE INDEX key_event_person ON key_event (person_id, occurred_at) WHERE person_id IS NOT NULL;
CREATE INDEX key_custody_ended ON key_custody (upper(during)) WHERE NOT upper_inf(during);
CREATE INDEX key_may_open_gone ON key_may_open (gone_at) WHERE gone_at < 'infinity' AND person_id IS NOT NULL;
