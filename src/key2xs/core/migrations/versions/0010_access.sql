-- Who may use Key2XS itself. Users are not the people who carry keys, but may be linked to one of them: whoever
-- asks, approves or holds is compared as a person.

CREATE TABLE access_user (
    id uuid PRIMARY KEY,
    -- The sign-in name, found by a keyed blind index; name and sign-in name are ciphertext under the user's own key.
    login_ref bytea NOT NULL UNIQUE,
    login bytea NOT NULL,
    display_name bytea,
    person_id uuid,
    roles text[] NOT NULL,
    -- argon2id over a keyed hash of the password; null: nobody can sign in with a password.
    password text,
    -- A one-time password is void once it was used.
    one_time boolean NOT NULL DEFAULT false,
    made_at timestamptz NOT NULL,
    disabled_at timestamptz,
    entry bigint NOT NULL
);
-- Two users of one person would let that person be their own second person.
CREATE UNIQUE INDEX access_user_person ON access_user (person_id) WHERE person_id IS NOT NULL;

-- Tokens for machines and the command line. They act for their owner and can do less, never more.
CREATE TABLE access_token (
    id uuid PRIMARY KEY,
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    label text NOT NULL,
    owner_id uuid NOT NULL REFERENCES access_user,
    permissions text[] NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    entry bigint NOT NULL
);
CREATE INDEX access_token_owner ON access_token (owner_id);

-- Acts that wait for a second person. Nothing of them happens before.
CREATE TABLE access_proposal (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('mass_revoke', 'bundle_activation', 'zone_mode')),
    subject text NOT NULL,
    payload jsonb NOT NULL,
    reason text NOT NULL CHECK (length(reason) > 0),
    proposed_by uuid NOT NULL REFERENCES access_user,
    proposed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'confirmed', 'refused')),
    decided_by uuid REFERENCES access_user,
    decided_at timestamptz,
    entry bigint NOT NULL,
    CHECK ((state = 'open') = (decided_by IS NULL)),
    CHECK ((state = 'open') = (decided_at IS NULL)),
    CHECK (state <> 'confirmed' OR decided_by <> proposed_by)
);
CREATE INDEX access_proposal_open ON access_proposal (proposed_at) WHERE state = 'open';

SELECT log_guard(name) FROM unnest(ARRAY['access_user', 'access_token', 'access_proposal']) AS name;

-- Sign-in sessions are no domain state. Only a hash of the cookie is kept; times are real time, not domain time.
CREATE TABLE access_session (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    user_id uuid NOT NULL REFERENCES access_user,
    made_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    -- Begun with a one-time password: may set a new one without the old.
    one_time boolean NOT NULL DEFAULT false
);
CREATE INDEX access_session_user ON access_session (user_id);
CREATE INDEX access_session_ends ON access_session (ends_at);

-- Answers to acts that carried an Idempotency-Key, so that a repeat gets the same answer and does nothing.
CREATE TABLE access_answer (
    caller text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    status smallint,
    body jsonb,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX access_answer_made ON access_answer (made_at);

GRANT SELECT, INSERT, UPDATE ON access_user, access_token, access_proposal TO key2xs_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON access_session, access_answer TO key2xs_app;
-- The read-only role sees who may do what, and nothing that lets anybody in.
GRANT SELECT (id, person_id, roles, one_time, made_at, disabled_at, entry) ON access_user TO key2xs_read;
GRANT SELECT (id, label, owner_id, permissions, made_at, expires_at, revoked_at, entry) ON access_token TO key2xs_read;
GRANT SELECT ON access_proposal TO key2xs_read;
