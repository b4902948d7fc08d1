-- People and everything a decision reads about them.
--
-- Personal values are `bytea` ciphertext under the person's own data key; what must be found again has a keyed
-- blind index beside it. Nothing here holds a name, an address or a number in the clear.
--
-- A fact has `during` (when it is true) and `known` (between which entries it was what we knew), so that a correction
-- is a new row and "as known at entry N" has one answer for ever. `stated_at` is when we learnt of it, in domain time.

CREATE TABLE identity_company (
    id uuid PRIMARY KEY,
    ref text NOT NULL,            -- the code that IAMs and files use
    ref_folded text NOT NULL UNIQUE,
    name text NOT NULL,
    entry bigint NOT NULL
);
SELECT log_guard('identity_company');

CREATE TABLE identity_person (
    id uuid PRIMARY KEY,
    display_name bytea,
    given_name bytea,
    family_name bytea,
    email bytea,
    phone bytea,
    user_name bytea,
    sponsor bytea,
    made_at timestamptz NOT NULL,
    erased_at timestamptz,
    entry bigint NOT NULL
);
SELECT log_guard('identity_person');

-- The stable ids a person goes by elsewhere. `ref` is blind; it becomes null when the id no longer stands for the
-- person (changed at the source, or erased).
CREATE TABLE identity_person_link (
    person uuid NOT NULL REFERENCES identity_person,
    scheme text NOT NULL,         -- iam: the source's own object id; personnel_no: the site's own number
    source text NOT NULL,         -- the IAM, or 'site' for numbers the site gives out
    ref bytea,
    entry bigint NOT NULL,
    PRIMARY KEY (person, scheme, source)
);
CREATE UNIQUE INDEX identity_person_link_ref ON identity_person_link (scheme, ref, source) WHERE ref IS NOT NULL;
SELECT log_guard('identity_person_link');

-- What one SCIM source said about one person, sealed as a whole. The SCIM id is the person's id.
CREATE TABLE identity_scim_user (
    source text NOT NULL,
    person uuid NOT NULL REFERENCES identity_person,
    user_name_ref bytea,
    email_refs bytea[] NOT NULL DEFAULT '{}',
    document bytea NOT NULL,
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    deleted_at timestamptz,       -- a tombstone: SCIM answers 404, the person and the history stay
    entry bigint NOT NULL,
    PRIMARY KEY (source, person)
);
CREATE UNIQUE INDEX identity_scim_user_name ON identity_scim_user (source, user_name_ref) WHERE deleted_at IS NULL;
CREATE INDEX identity_scim_user_page ON identity_scim_user (source, made_at, person) WHERE deleted_at IS NULL;
CREATE INDEX identity_scim_user_email ON identity_scim_user USING gin (email_refs) WHERE deleted_at IS NULL;
SELECT log_guard('identity_scim_user');

-- A group of one SCIM source. Its members are rows of identity_role with this group as their origin.
CREATE TABLE identity_group (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    display_name text NOT NULL,
    external_id text,
    role text NOT NULL,           -- what membership means here, derived from the name
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    deleted_at timestamptz,
    entry bigint NOT NULL
);
CREATE INDEX identity_group_source ON identity_group (source, made_at, id) WHERE deleted_at IS NULL;
SELECT log_guard('identity_group');

CREATE TABLE identity_status (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES identity_person,
    source text NOT NULL,
    active boolean,               -- null: the source does not say; never counts as active
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    stated_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    EXCLUDE USING gist (person WITH =, source WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX identity_status_person ON identity_status (person);
SELECT log_guard('identity_status');

CREATE TABLE identity_contract (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES identity_person,
    source text NOT NULL,
    company uuid REFERENCES identity_company,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    stated_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    EXCLUDE USING gist (person WITH =, source WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX identity_contract_person ON identity_contract (person);
CREATE INDEX identity_contract_company ON identity_contract (company) WHERE upper_inf(known);
CREATE INDEX identity_contract_begins ON identity_contract (lower(during)) WHERE upper_inf(known);
CREATE INDEX identity_contract_ends ON identity_contract (upper(during)) WHERE upper_inf(known);
SELECT log_guard('identity_contract');

CREATE TABLE identity_qualification (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES identity_person,
    kind text NOT NULL,
    number bytea,
    checked_by bytea,
    checked_at timestamptz,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    stated_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    EXCLUDE USING gist (person WITH =, kind WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX identity_qualification_person ON identity_qualification (person);
CREATE INDEX identity_qualification_begins ON identity_qualification (lower(during)) WHERE upper_inf(known);
CREATE INDEX identity_qualification_ends ON identity_qualification (upper(during)) WHERE upper_inf(known);
SELECT log_guard('identity_qualification');

CREATE TABLE identity_role (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES identity_person,
    role text NOT NULL,
    origin text NOT NULL,         -- 'group:<id>', or the name of who assigned it
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    stated_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    EXCLUDE USING gist (person WITH =, role WITH =, origin WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX identity_role_person ON identity_role (person);
CREATE INDEX identity_role_origin ON identity_role (origin, person) WHERE upper_inf(known) AND upper_inf(during);
CREATE INDEX identity_role_begins ON identity_role (lower(during)) WHERE upper_inf(known);
CREATE INDEX identity_role_ends ON identity_role (upper(during)) WHERE upper_inf(known);
SELECT log_guard('identity_role');

CREATE TABLE identity_duty (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person uuid NOT NULL REFERENCES identity_person,
    role text NOT NULL,
    unit uuid NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    stated_at timestamptz NOT NULL,
    entry bigint NOT NULL,
    EXCLUDE USING gist (person WITH =, role WITH =, unit WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX identity_duty_person ON identity_duty (person, upper(during));
CREATE INDEX identity_duty_begins ON identity_duty (lower(during)) WHERE upper_inf(known);
CREATE INDEX identity_duty_ends ON identity_duty (upper(during)) WHERE upper_inf(known);
SELECT log_guard('identity_duty');

-- The rota itself, for pages and for handovers; who is on it stands in identity_duty.
CREATE TABLE identity_shift (
    id uuid PRIMARY KEY,
    team text NOT NULL,
    name text NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX identity_shift_start ON identity_shift (team, lower(during));
SELECT log_guard('identity_shift');

-- How far our own clock has told the log about beginnings and ends. A cursor: not a fact, no entry.
CREATE TABLE identity_boundary (
    name text PRIMARY KEY,
    upto timestamptz NOT NULL,
    last_kind text NOT NULL,
    last_id bigint NOT NULL
);

-- What a decision reads about people, for later rooms and reports: true now as known now is up to the reader's `at`.
CREATE VIEW identity_contract_known AS
SELECT person, source, company, lower(during) AS begins_at, upper(during) AS ends_at
FROM identity_contract WHERE upper_inf(known);

GRANT SELECT, INSERT, UPDATE ON
    identity_company, identity_person, identity_person_link, identity_scim_user, identity_group, identity_status,
    identity_contract, identity_qualification, identity_role, identity_duty, identity_shift, identity_boundary
TO key2xs_app;
GRANT SELECT ON
    identity_company, identity_person, identity_person_link, identity_scim_user, identity_group, identity_status,
    identity_contract, identity_qualification, identity_role, identity_duty, identity_shift, identity_boundary,
    identity_contract_known
TO key2xs_read;
GRANT SELECT ON identity_contract_known TO key2xs_app;
