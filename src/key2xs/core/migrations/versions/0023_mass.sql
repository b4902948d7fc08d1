-- Acts on many grants: a company, a work package, a security zone, everyone except the emergency crew.

-- While it stands, nothing new is given there. One for a thing at a time.
CREATE TABLE grant_stop (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('company', 'package', 'zone', 'everyone')),
    ref text NOT NULL,
    since timestamptz NOT NULL,
    lifted_at timestamptz CHECK (lifted_at >= since),
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX grant_stop_open ON grant_stop (kind, ref) WHERE lifted_at IS NULL;

-- What somebody was shown before such an act: ids and counts. It changes nothing and nothing rests on it but the
-- question whether the world is still what was looked at.
CREATE TABLE incident_mass_look (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    ref text NOT NULL,
    at timestamptz NOT NULL,
    digest text NOT NULL,
    content jsonb NOT NULL
);
CREATE INDEX incident_mass_look_of ON incident_mass_look (kind, ref, digest);

-- One act and how far it is. `stop_id` is lifted when it is finished, or for a zone and for everyone by two people.
CREATE TABLE incident_mass (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('company', 'package', 'zone', 'everyone')),
    ref text NOT NULL,
    reason bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'paused', 'finished')),
    digest text NOT NULL,
    stop_id uuid NOT NULL REFERENCES grant_stop,
    started_by text NOT NULL,
    started_user uuid NOT NULL,
    confirmed_by text NOT NULL CHECK (confirmed_by <> started_by),
    started_at timestamptz NOT NULL,
    state_at timestamptz NOT NULL,
    finished_at timestamptz,
    entry bigint NOT NULL,
    CHECK ((state = 'finished') = (finished_at IS NOT NULL))
);
CREATE UNIQUE INDEX incident_mass_open ON incident_mass (kind, ref) WHERE state <> 'finished';

-- What it is about: grants that end, standing rights of keys that end, and the keys of the people affected (never due:
-- they are followed). `told`: the stop by which the shift leader is told first (S5).
CREATE TABLE incident_mass_item (
    mass_id uuid NOT NULL REFERENCES incident_mass,
    what text NOT NULL CHECK (what IN ('grant', 'standing', 'key')),
    ref_id uuid NOT NULL,
    person_id uuid,
    told uuid,
    state text NOT NULL CHECK (state IN ('waiting', 'done', 'left', 'followed')),
    entry bigint NOT NULL,
    PRIMARY KEY (mass_id, what, ref_id)
);
CREATE INDEX incident_mass_item_waiting ON incident_mass_item (mass_id, person_id) WHERE state = 'waiting';

SELECT log_guard(name) FROM unnest(ARRAY['grant_stop', 'incident_mass', 'incident_mass_item']) AS name;
GRANT SELECT, INSERT, UPDATE ON grant_stop, incident_mass, incident_mass_item TO key2xs_app;
GRANT SELECT, INSERT ON incident_mass_look TO key2xs_app;
GRANT SELECT ON grant_stop, incident_mass, incident_mass_item, incident_mass_look TO key2xs_read;

-- The shift leader is told of the people at work before an act on many reaches them.
ALTER TABLE incident_kill DROP CONSTRAINT incident_kill_what_check,
    ADD CONSTRAINT incident_kill_what_check CHECK (what IN ('grant', 'key', 'person', 'company', 'mass'));

-- The permits of a work package.
CREATE INDEX work_event_package ON work_event ((doc -> 'work' ->> 'package'))
    WHERE doc -> 'work' ->> 'package' IS NOT NULL;
