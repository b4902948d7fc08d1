-- Statements of evidence coverage.

-- name: newest_run
-- The newest stretch of readings of a memory.
SELECT number, start_at, end_at FROM key_memory_run
WHERE system_id = $1 AND memory = $2 AND external_id = $3 ORDER BY number DESC LIMIT 1

-- name: rows_of_cylinder
-- How many rows of keys of this system came from a cylinder or about it since its last reading, and the oldest of this one.
SELECT count(*) FILTER (WHERE event.read_at > $3)::int AS since,
    min(event.occurred_at) FILTER (WHERE event.read_at = $4) AS oldest
FROM key_event AS event JOIN key_system AS system ON system.id = event.system_id
JOIN plant_cylinders AS cylinder ON cylinder.vendor = system.vendor AND cylinder.external_id = $2
WHERE event.system_id = $1 AND event.cylinder_id = cylinder.id AND event.key_external_id IS NOT NULL
    AND (event.read_at > $3 OR event.read_at = $4)

-- name: rows_of_key
-- The same for a key's own memory.
SELECT count(*) FILTER (WHERE event.read_at > $3)::int AS since,
    min(event.occurred_at) FILTER (WHERE event.read_at = $4) AS oldest
FROM key_event AS event JOIN key_key AS key ON key.id = event.key_id
WHERE key.system_id = $1 AND key.external_id = $2 AND (event.read_at > $3 OR event.read_at = $4)

-- name: known_cylinder
-- Whether a lock is in the plant register.
SELECT cylinder.id FROM plant_cylinders AS cylinder JOIN key_system AS system ON system.vendor = cylinder.vendor
WHERE system.id = $1 AND cylinder.external_id = $2

-- name: known_key
-- Whether a key is in the register.
SELECT id FROM key_key WHERE system_id = $1 AND external_id = $2

-- name: insert_run
-- A memory was read, and what was before is not known to be whole.
INSERT INTO key_memory_run (system_id, memory, external_id, number, start_at, end_at) VALUES ($1, $2, $3, $4, $5, $6)

-- name: extend_run
-- A memory was read again without a loss.
UPDATE key_memory_run SET end_at = $5, readings = readings + 1
WHERE system_id = $1 AND memory = $2 AND external_id = $3 AND number = $4

-- name: places
-- Cylinders with the key system that lists them, by zone, unit and stamp.
SELECT place.cylinder_id, place.external_id, place.marking, place.zone, place.area, place.unit, place.access_point,
    place.lat, place.lon, system.id AS system_id, system.name AS system, system.vendor
FROM plant_places AS place
LEFT JOIN (key_lock AS lock JOIN key_system AS system ON system.id = lock.system_id)
    ON system.vendor = place.vendor AND lock.external_id = place.external_id
WHERE ($1::text IS NULL OR lower(place.zone) = lower($1)) AND ($2::text IS NULL OR lower(place.unit) = lower($2))
    AND ($3::uuid[] IS NULL OR place.cylinder_id = ANY($3))
ORDER BY place.zone, place.unit NULLS LAST, place.marking

-- name: stretches
-- Rows of locks whose numbers follow each other. Only a running clock tells when a row was written; else it was written
-- before it was read, and more is not known.
WITH numbered AS (
    SELECT system_id, lock_external_id, counter_lock,
        counter_lock - dense_rank() OVER (PARTITION BY lock_external_id, system_id ORDER BY counter_lock) AS island,
        CASE WHEN time_quality = 'clock' THEN least(occurred_at, read_at, arrived_at) END AS low,
        CASE WHEN time_quality = 'clock' THEN occurred_at ELSE coalesce(read_at, arrived_at) END AS high
    FROM key_event
    WHERE counter_lock IS NOT NULL AND lock_external_id = ANY($1::text[])
)
SELECT system_id, lock_external_id AS external_id, min(counter_lock) AS first, max(counter_lock) AS last,
    count(*)::int AS rows, (array_agg(high ORDER BY counter_lock))[1] AS begins,
    (array_agg(low ORDER BY counter_lock DESC) FILTER (WHERE low IS NOT NULL))[1] AS ends
FROM numbered GROUP BY lock_external_id, system_id, island

-- name: runs
-- Stretches of readings of memories.
SELECT system_id, external_id, start_at, end_at FROM key_memory_run
WHERE memory = $1 AND ($2::text[] IS NULL OR external_id = ANY($2))

-- name: keys
-- Keys with every cylinder that they could open at any time, as far as Key2XS knows.
SELECT key.id AS key_id, key.stamp, key.external_id, key.system_id, system.name AS system, system.vendor,
    key.adopted_at IS NOT NULL AS adopted,
    ARRAY(SELECT DISTINCT opener.cylinder_id FROM key_may_open AS opener WHERE opener.key_id = key.id) AS cylinders
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
WHERE NOT key.deleted AND ($1::uuid[] IS NULL OR key.id = ANY($1)) ORDER BY key.stamp
