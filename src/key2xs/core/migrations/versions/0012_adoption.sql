-- Adoption runs, what adopted keys keep, the brake on bulk writes, visits to locks and keys.

-- Connections that exist go on as they were; a new one only reads until a person switches writing on.
ALTER TABLE key_system ADD COLUMN writes boolean NOT NULL DEFAULT true;
ALTER TABLE key_system ALTER COLUMN writes SET DEFAULT false;
ALTER TABLE key_system ADD COLUMN writes_at timestamptz, ADD COLUMN writes_reason text;

-- Handed out before it was ever read: adopted as soon as a reading shows that it carries nothing.
ALTER TABLE key_key ADD COLUMN adopt_when_empty boolean NOT NULL DEFAULT false;
-- The vendor says that somebody has it. Whom it says is personal and not kept.
ALTER TABLE key_key ADD COLUMN vendor_held boolean NOT NULL DEFAULT false;
-- Rights that the lock itself accepts, as last programmed; null where the vendor does not say.
ALTER TABLE key_lock ADD COLUMN programmed text[];

-- What an adopted key keeps from before: exactly these rights with these limits, never later ones.
CREATE TABLE key_kept (
    key_id uuid PRIMARY KEY REFERENCES key_key,
    program jsonb NOT NULL,
    -- The vendor's plan when this was taken up or followed last: a plan that is still the same is nobody's new wish.
    seen jsonb NOT NULL,
    entry bigint NOT NULL
);

-- Each standing right of an adopted key, from when it was taken up until it ended.
CREATE TABLE key_standing (
    key_id uuid NOT NULL REFERENCES key_key,
    right_id text NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    -- enforced: its zone was switched; revoked: a person ended it; lapsed: its own end; gone: taken off elsewhere.
    why text CHECK (why IN ('enforced', 'revoked', 'lapsed', 'gone')),
    entry bigint NOT NULL,
    PRIMARY KEY (key_id, right_id, since),
    CHECK ((ended_at IS NULL) = (why IS NULL))
);
CREATE INDEX key_standing_right ON key_standing (right_id) WHERE ended_at IS NULL;

-- One adoption of many keys. It can be interrupted anywhere and goes on.
CREATE TABLE key_adoption_run (
    id uuid PRIMARY KEY,
    system_id uuid NOT NULL REFERENCES key_system,
    zone_id uuid,
    reason text NOT NULL,
    started_by text NOT NULL,
    confirmed_by text NOT NULL,
    started_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'paused', 'done')),
    finished_at timestamptz,
    entry bigint NOT NULL
);
CREATE UNIQUE INDEX key_adoption_run_one ON key_adoption_run (system_id) WHERE state <> 'done';

CREATE TABLE key_adoption_item (
    run_id uuid NOT NULL REFERENCES key_adoption_run,
    key_id uuid NOT NULL REFERENCES key_key,
    outcome text NOT NULL CHECK (outcome IN ('waiting', 'adopted', 'already', 'left')),
    why text,
    again_at timestamptz,
    entry bigint NOT NULL,
    PRIMARY KEY (run_id, key_id)
);
CREATE INDEX key_adoption_item_waiting ON key_adoption_item (run_id, key_id) WHERE outcome = 'waiting';

-- What switching a zone would change, as the first person saw it.
CREATE TABLE key_first_difference (
    id uuid PRIMARY KEY,
    zone_id uuid NOT NULL,
    mode text NOT NULL,
    at timestamptz NOT NULL,
    digest text NOT NULL,
    lines jsonb NOT NULL,
    entry bigint NOT NULL
);

CREATE TABLE key_brake (
    system_id uuid PRIMARY KEY REFERENCES key_system,
    stopped_at timestamptz,
    why text,
    again_at timestamptz,
    -- How many keys two people agreed to have written in bulk, and since when these are counted.
    allowed int NOT NULL DEFAULT 0,
    allowed_from timestamptz,
    allowed_until timestamptz,
    entry bigint NOT NULL
);

CREATE TABLE key_rollout (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    starts_on date NOT NULL,
    pilot_zones uuid[] NOT NULL,
    entry bigint NOT NULL
);

SELECT log_guard(name) FROM unnest(ARRAY[
    'key_kept', 'key_standing', 'key_adoption_run', 'key_adoption_item', 'key_first_difference', 'key_brake',
    'key_rollout'
]) AS name;

-- Bulk writes of the last minutes, to be counted; the writes themselves are entries.
CREATE TABLE key_bulk_write (
    system_id uuid NOT NULL REFERENCES key_system,
    key_id uuid NOT NULL,
    at timestamptz NOT NULL,
    covered boolean NOT NULL
);
CREATE INDEX key_bulk_write_at ON key_bulk_write (system_id, at);

GRANT SELECT, INSERT, UPDATE ON key_kept, key_standing, key_adoption_run, key_adoption_item, key_first_difference,
    key_brake, key_rollout TO key2xs_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON key_bulk_write TO key2xs_app;
GRANT SELECT ON key_kept, key_standing, key_adoption_run, key_adoption_item, key_first_difference, key_brake,
    key_rollout, key_bulk_write TO key2xs_read;

-- What other rooms may read in SQL of their own: where each cylinder is, as known now.
CREATE VIEW plant_places AS
SELECT cylinder.id AS cylinder_id, cylinder.vendor, cylinder.external_id, cylinder.marking, fact.zone_id,
    zone.code AS zone, zone_fact.mode, area.code AS area, point.code AS access_point
FROM plant_cylinder AS cylinder
JOIN plant_cylinder_fact AS fact
    ON fact.cylinder_id = cylinder.id AND upper_inf(fact.known) AND upper_inf(fact.during)
JOIN plant_zone AS zone ON zone.id = fact.zone_id
JOIN plant_zone_fact AS zone_fact
    ON zone_fact.zone_id = zone.id AND upper_inf(zone_fact.known) AND upper_inf(zone_fact.during)
JOIN plant_access_point AS point ON point.id = fact.access_point_id
JOIN plant_area AS area ON area.id = point.area_id;
-- Rises with every change of a cylinder's place or a zone's mode.
CREATE VIEW plant_places_version AS
SELECT greatest((SELECT max(entry) FROM plant_cylinder_fact), (SELECT max(entry) FROM plant_zone_fact),
    (SELECT max(entry) FROM plant_cylinder)) AS version;
GRANT SELECT ON plant_places, plant_places_version TO key2xs_app, key2xs_read;

-- Newest changes are asked for before every answer and every plan.
CREATE INDEX plant_cylinder_entry ON plant_cylinder (entry);
CREATE INDEX plant_cylinder_fact_entry ON plant_cylinder_fact (entry);
CREATE INDEX plant_zone_fact_entry ON plant_zone_fact (entry);
CREATE INDEX key_lock_entry ON key_lock (system_id, entry);
CREATE INDEX key_right_entry ON key_right (system_id, entry);
CREATE INDEX key_program_ours ON key_program (key_id) WHERE origin = 'ours';
