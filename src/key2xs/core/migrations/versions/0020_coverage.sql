-- How far the memories of locks and keys were read: *no opening* is said up to there and no further.

-- The number of a row in the memory that it comes from, where the vendor tells one.
ALTER TABLE key_event ADD COLUMN counter_lock bigint, ADD COLUMN counter_key bigint;
CREATE INDEX key_event_counter ON key_event (lock_external_id, system_id, counter_lock)
    INCLUDE (time_quality, occurred_at, read_at, arrived_at) WHERE counter_lock IS NOT NULL;

-- Stretches of time of which a memory is known completely, from readings that follow each other without a loss. Like the
-- cursor of a log it is no domain state: it tells how far we read, and every row that was read has its own entry.
CREATE TABLE key_memory_run (
    system_id uuid NOT NULL REFERENCES key_system,
    memory text NOT NULL CHECK (memory IN ('lock', 'key')),
    external_id text NOT NULL,
    number int NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    readings int NOT NULL DEFAULT 1,
    PRIMARY KEY (system_id, memory, external_id, number),
    CHECK (start_at <= end_at)
);
GRANT SELECT, INSERT, UPDATE ON key_memory_run TO key2xs_app;
GRANT SELECT ON key_memory_run TO key2xs_read;

-- Where a cylinder is, with its unit and where that is on the map, for a round.
CREATE OR REPLACE VIEW plant_places AS
SELECT cylinder.id AS cylinder_id, cylinder.vendor, cylinder.external_id, cylinder.marking, fact.zone_id,
    zone.code AS zone, zone_fact.mode, area.code AS area, point.code AS access_point, unit.code AS unit, point.lat, point.lon
FROM plant_cylinder AS cylinder
JOIN plant_cylinder_fact AS fact
    ON fact.cylinder_id = cylinder.id AND upper_inf(fact.known) AND upper_inf(fact.during)
JOIN plant_zone AS zone ON zone.id = fact.zone_id
JOIN plant_zone_fact AS zone_fact
    ON zone_fact.zone_id = zone.id AND upper_inf(zone_fact.known) AND upper_inf(zone_fact.during)
JOIN plant_access_point AS point ON point.id = fact.access_point_id
JOIN plant_area AS area ON area.id = point.area_id
LEFT JOIN plant_unit AS unit ON unit.id = point.unit_id;
