-- Work. Every event of a permit system is kept without personal data: people are parties, and only a party knows
-- (sealed) what the sender calls it. A permit's states over time are worked out from all of its events.

-- A permit system as it stands: fresh or silent. A change of it is a change of the world, with an entry.
CREATE TABLE work_source (
    name text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('fresh', 'silent')),
    since timestamptz NOT NULL,
    entry bigint NOT NULL
);

-- When a source was last heard. A cursor of reception, moved by every message, like a reader's.
CREATE TABLE work_feed (
    source text PRIMARY KEY,
    heard_at timestamptz NOT NULL,
    heartbeat_at timestamptz,
    live_there bigint,
    highest_sequence bigint
);

-- What a source's own state names mean, over the defaults that ship with the product.
CREATE TABLE work_native_state (
    source text NOT NULL,
    native text NOT NULL,
    canonical text NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (source, native)
);

-- Somebody named by a permit system. `person_id` is empty while no identity is known for the reference; `owner` is
-- whose data key seals the reference: the person's, or the party's own until then.
CREATE TABLE work_party (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    scheme text NOT NULL,
    ref_blind bytea NOT NULL,
    ref_sealed bytea NOT NULL,
    owner uuid NOT NULL,
    person_id uuid,
    entry bigint NOT NULL,
    UNIQUE (source, scheme, ref_blind)
);
CREATE INDEX work_party_person ON work_party (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX work_party_unresolved ON work_party (id) WHERE person_id IS NULL;

CREATE TABLE work_permit (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    external_id text NOT NULL,
    number text NOT NULL,
    type text NOT NULL,
    area text NOT NULL,
    area_norm text NOT NULL,
    unit text,
    parent text,
    sequence bigint NOT NULL,
    revision bigint NOT NULL,
    needs_pull boolean NOT NULL,
    findings jsonb NOT NULL,
    entry bigint NOT NULL,
    UNIQUE (source, external_id)
);
CREATE INDEX work_permit_area ON work_permit (area_norm);
CREATE INDEX work_permit_number ON work_permit (number);

-- Every message that carried a right signature. `doc` is the full state without personal data; `order_facts` is what
-- the order of events needs. `digest` is keyed: a plain hash of a small body would tell who is in it.
CREATE TABLE work_event (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    event_id text NOT NULL,
    webhook_id text,
    type text NOT NULL,
    permit_id uuid REFERENCES work_permit,
    sequence bigint,
    told_at timestamptz,
    received_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'stale', 'parked', 'refused')),
    problems jsonb NOT NULL,
    doc jsonb,
    order_facts jsonb,
    digest bytea NOT NULL,
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX work_event_once ON work_event (source, event_id) WHERE outcome <> 'refused';
CREATE INDEX work_event_named ON work_event (source, event_id);
CREATE INDEX work_event_webhook ON work_event (source, webhook_id) WHERE webhook_id IS NOT NULL;
CREATE INDEX work_event_permit ON work_event (permit_id, sequence) WHERE permit_id IS NOT NULL;
CREATE INDEX work_event_received ON work_event (received_at);

-- A permit's states over time. `sequence` names the event whose full state holds then.
CREATE TABLE work_permit_state (
    permit_id uuid NOT NULL REFERENCES work_permit,
    state text NOT NULL,
    cause text NOT NULL,
    sequence bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    withheld jsonb NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    known int8range NOT NULL CHECK (NOT isempty(known)),
    entry bigint NOT NULL,
    EXCLUDE USING gist (permit_id WITH =, during WITH &&, known WITH &&)
);
CREATE INDEX work_permit_state_current ON work_permit_state (permit_id) WHERE upper_inf(known);

-- Who is on a permit by its newest event; one line is one turn of one person in one role.
CREATE TABLE work_crew (
    permit_id uuid NOT NULL REFERENCES work_permit,
    line int NOT NULL,
    party_id uuid NOT NULL REFERENCES work_party,
    role text NOT NULL,
    signed_on timestamptz,
    signed_off timestamptz,
    present boolean NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (permit_id, line)
);
CREATE INDEX work_crew_party ON work_crew (party_id) WHERE present;

CREATE TABLE work_area_stop (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    area text NOT NULL,
    area_norm text NOT NULL,
    at timestamptz NOT NULL,
    reason_code text,
    entry bigint NOT NULL
);
CREATE INDEX work_area_stop_area ON work_area_stop (area_norm, at);

-- Instants at which a permit's facts change by the clock alone: each is told once.
CREATE TABLE work_boundary (
    permit_id uuid NOT NULL REFERENCES work_permit,
    kind text NOT NULL CHECK (kind IN ('expire', 'gas_lapse', 'checkin')),
    due_at timestamptz NOT NULL,
    wanted boolean NOT NULL,
    told boolean NOT NULL,
    entry bigint NOT NULL,
    PRIMARY KEY (permit_id, kind, due_at)
);
CREATE INDEX work_boundary_due ON work_boundary (due_at) WHERE wanted AND NOT told;

SELECT log_guard(name) FROM unnest(ARRAY[
    'work_source', 'work_native_state', 'work_party', 'work_permit', 'work_event', 'work_permit_state', 'work_crew',
    'work_area_stop', 'work_boundary'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON work_source, work_feed, work_native_state, work_party, work_permit, work_event,
    work_permit_state, work_crew, work_area_stop, work_boundary TO key2xs_app;
GRANT SELECT ON work_source, work_feed, work_native_state, work_party, work_permit, work_event, work_permit_state,
    work_crew, work_area_stop, work_boundary TO key2xs_read;
