-- Check-ins, kills that wait for the shift leader, and warnings about ways out (S2, S4, S5, S6).
-- Which acts wait for a second person is decided by code and by the site's authority matrix, not by the schema.
ALTER TABLE access_proposal DROP CONSTRAINT access_proposal_kind_check;

-- What a safety rule holds back, why, since when, and how it ends once the rule is met. A held grant stands beside a
-- new one for the same thing: the new one has a newer signature, the held one only waits for its rule.
ALTER TABLE grant_lease
    ADD COLUMN held_since timestamptz,
    ADD COLUMN held_end text,
    ADD COLUMN held_why text,
    ADD COLUMN held_act text CHECK (held_act IN ('clock', 'facts', 'identity', 'person', 'two_people')),
    ADD CHECK (state <> 'held' OR (held_since IS NOT NULL AND held_end IS NOT NULL AND held_why IS NOT NULL
        AND held_act IS NOT NULL));
DROP INDEX grant_lease_open;
CREATE UNIQUE INDEX grant_lease_open ON grant_lease (person_id, basis_ref, basis_step)
    WHERE state IN ('scheduled', 'active');
CREATE INDEX grant_lease_held ON grant_lease (held_rule) WHERE state = 'held';

-- A person's kill (S5): waiting for the shift leader; holding, where only the block of a key waits for another rule;
-- done, or taken back by whoever asked.
CREATE TABLE incident_kill (
    id uuid PRIMARY KEY,
    what text NOT NULL CHECK (what IN ('grant', 'key', 'person', 'company')),
    subject text NOT NULL,
    people uuid[] NOT NULL,
    reason text NOT NULL CHECK (length(reason) > 0),
    two_people boolean NOT NULL,
    asked_by text NOT NULL,
    asked_user uuid,
    asked_at timestamptz NOT NULL,
    proceeds_at timestamptz NOT NULL CHECK (proceeds_at >= asked_at),
    state text NOT NULL CHECK (state IN ('waiting', 'holding', 'done', 'withdrawn')),
    decided_by text,
    decided_at timestamptz,
    ended_at timestamptz,
    entry bigint NOT NULL,
    CHECK ((state IN ('waiting', 'holding')) = (ended_at IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX incident_kill_open ON incident_kill (subject) WHERE state IN ('waiting', 'holding');
CREATE INDEX incident_kill_due ON incident_kill (proceeds_at) WHERE state = 'waiting';

-- A question to the shift leader (S2): is somebody still behind this lock? One for a grant and an access point.
CREATE TABLE incident_inside (
    id uuid PRIMARY KEY,
    access_point_id uuid NOT NULL,
    cylinder_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    person_id uuid NOT NULL,
    cause text NOT NULL CHECK (cause IN ('expiry', 'kill', 'ended')),
    because text NOT NULL CHECK (because IN ('signed_on', 'opened')),
    egress_free text NOT NULL CHECK (egress_free IN ('no', 'unknown')),
    opened_at timestamptz,
    asked_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    answer text CHECK (answer IN ('out', 'inside')),
    answered_by text,
    answered_at timestamptz,
    entry bigint NOT NULL,
    UNIQUE (grant_id, access_point_id),
    CHECK ((answer IS NULL) = (answered_at IS NULL)),
    CHECK ((answer IS NULL) = (answered_by IS NULL))
);
CREATE INDEX incident_inside_open ON incident_inside (ends_at) WHERE answer IS DISTINCT FROM 'out';

-- Somebody who works alone and reports every so many minutes (S6). Missing one alarms and takes nothing away.
CREATE TABLE incident_watch (
    id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    place text NOT NULL DEFAULT '',
    every_minutes int NOT NULL CHECK (every_minutes BETWEEN 5 AND 480),
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz,
    due_at timestamptz NOT NULL,
    missed_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    entry bigint NOT NULL,
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX incident_watch_person ON incident_watch (person_id) WHERE ended_at IS NULL;
CREATE INDEX incident_watch_due ON incident_watch (due_at) WHERE ended_at IS NULL AND missed_at IS NULL;

SELECT log_guard(name) FROM unnest(ARRAY['incident_kill', 'incident_inside', 'incident_watch']) AS name;
GRANT SELECT, INSERT, UPDATE ON incident_kill, incident_inside, incident_watch TO key2xs_app;
GRANT SELECT ON incident_kill, incident_inside, incident_watch TO key2xs_read;
