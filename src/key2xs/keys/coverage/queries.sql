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
-- A memory was read, and what was before is not known to be whole; or it was wiped and begins empty.
INSERT INTO key_memory_run (system_id, memory, external_id, number, start_at, end_at, wiped_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: cut_run
-- A stretch in which a wipe came to light claims nothing.
UPDATE key_memory_run SET end_at = start_at WHERE system_id = $1 AND memory = $2 AND external_id = $3 AND number = $4

-- name: is_wiped
-- Whether a wipe of a lock was told before.
SELECT EXISTS (SELECT FROM key_memory_run WHERE system_id = $1 AND memory = 'lock' AND external_id = $2 AND wiped_at = $3)

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

-- name: add_stretches
-- Join new rows to the stretches that they touch: where numbers follow each other, two become one.
WITH fresh AS (
    SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[])
        AS row (memory, external_id, first, last, rows, begins, ends)
), touched AS (
    SELECT DISTINCT old.memory, old.external_id, old.first, old.last, old.rows, old.begins, old.ends
    FROM fresh JOIN key_memory_stretch AS old ON old.memory = fresh.memory AND old.external_id = fresh.external_id
        AND old.system_id = $1 AND old.first <= fresh.last + 1 AND old.last >= fresh.first - 1
), marked AS (
    SELECT *, first > max(last) OVER (PARTITION BY memory, external_id ORDER BY first, last
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + 1 AS apart
    FROM (SELECT * FROM fresh UNION ALL SELECT * FROM touched) AS row
), placed AS (
    SELECT *, count(*) FILTER (WHERE apart)
        OVER (PARTITION BY memory, external_id ORDER BY first, last ROWS UNBOUNDED PRECEDING) AS island
    FROM marked
), joined AS (
    SELECT memory, external_id, min(first) AS first, max(last) AS last, sum(rows)::bigint AS rows,
        (array_agg(begins ORDER BY first))[1] AS begins,
        (array_agg(ends ORDER BY last DESC) FILTER (WHERE ends IS NOT NULL))[1] AS ends
    FROM placed GROUP BY memory, external_id, island
), gone AS (
    DELETE FROM key_memory_stretch AS old USING touched
    WHERE old.system_id = $1 AND (old.memory, old.external_id, old.first) = (touched.memory, touched.external_id, touched.first)
        AND NOT EXISTS (SELECT FROM joined
            WHERE (joined.memory, joined.external_id, joined.first) = (old.memory, old.external_id, old.first))
)
INSERT INTO key_memory_stretch (memory, external_id, system_id, first, last, rows, begins, ends)
SELECT memory, external_id, $1, first, last, rows, begins, ends FROM joined
ON CONFLICT (memory, external_id, system_id, first)
DO UPDATE SET last = excluded.last, rows = excluded.rows, begins = excluded.begins, ends = excluded.ends

-- name: add_weeks
-- Count new rows to their weeks.
INSERT INTO key_memory_week AS week (memory, of_id, week, rows, foreign_rows)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::int[], $5::int[])
ON CONFLICT (memory, of_id, week)
DO UPDATE SET rows = week.rows + excluded.rows, foreign_rows = week.foreign_rows + excluded.foreign_rows

-- name: stretches
-- Rows of locks, or of keys, whose numbers follow each other: wherever they were, a number that is missing is a row that is.
SELECT system_id, external_id, first, last, rows, begins, ends FROM key_memory_stretch
WHERE memory = $1 AND ($2::text[] IS NULL OR external_id = ANY($2))

-- name: runs
-- Stretches of readings of memories.
SELECT system_id, external_id, start_at, end_at, wiped_at FROM key_memory_run
WHERE memory = $1 AND ($2::text[] IS NULL OR external_id = ANY($2))

-- name: keys
-- Keys that are there, of all makers or of some.
SELECT key.id AS key_id, key.stamp, key.external_id, key.system_id, system.name AS system, system.vendor,
    key.adopted_at IS NOT NULL AS adopted
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
WHERE NOT key.deleted AND ($1::uuid[] IS NULL OR key.id = ANY($1)) AND ($2::text[] IS NULL OR system.vendor = ANY($2))
ORDER BY key.stamp

-- name: ever_opened
-- Every cylinder that keys could open at any time, as far as Key2XS knows.
SELECT key_id, array_agg(DISTINCT cylinder_id) AS cylinders FROM (
    SELECT key_id, cylinder_id FROM key_may_open WHERE gone_at = 'infinity' AND key_id = ANY($1::uuid[])
    UNION ALL
    SELECT key_id, cylinder_id FROM key_may_open WHERE gone_at < 'infinity' AND key_id = ANY($1::uuid[])
) AS opener GROUP BY key_id

-- name: use_of_cylinders
-- Rows of cylinders over some time, and after it: of keys of this system, and of others. Whole weeks are counted already.
SELECT asked.of_id, (weeks.rows + edges.rows)::int AS rows, (weeks.foreign_rows + edges.foreign_rows)::int AS foreign_rows,
    (weeks.unread + edges.unread)::int AS unread
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS asked (of_id, since, until),
LATERAL (SELECT date_bin('7 days', asked.since, '2001-01-01T00:00:00Z') + interval '7 days' AS start) AS whole,
LATERAL (SELECT greatest(date_bin('7 days', asked.until, '2001-01-01T00:00:00Z'), whole.start) AS start) AS tail,
LATERAL (
    SELECT coalesce(sum(week.rows) FILTER (WHERE week.week < tail.start), 0) AS rows,
        coalesce(sum(week.foreign_rows) FILTER (WHERE week.week < tail.start), 0) AS foreign_rows,
        coalesce(sum(week.rows) FILTER (WHERE week.week > tail.start), 0) AS unread
    FROM key_memory_week AS week
    WHERE week.memory = 'lock' AND week.of_id = asked.of_id AND week.week >= whole.start AND week.week <> tail.start
) AS weeks,
LATERAL (
    SELECT count(*) FILTER (WHERE at <= asked.until AND key IS NOT NULL) AS rows,
        count(*) FILTER (WHERE at <= asked.until AND key IS NULL) AS foreign_rows,
        count(*) FILTER (WHERE at > asked.until AND key IS NOT NULL) AS unread
    FROM (
        SELECT occurred_at AS at, key_external_id AS key FROM key_event
        WHERE cylinder_id = asked.of_id AND occurred_at >= asked.since AND occurred_at < whole.start
        UNION ALL
        SELECT occurred_at, key_external_id FROM key_event
        WHERE cylinder_id = asked.of_id AND occurred_at >= tail.start AND occurred_at < tail.start + interval '7 days'
    ) AS row
) AS edges

-- name: use_of_keys
-- The same of keys.
SELECT asked.of_id, (weeks.rows + edges.rows)::int AS rows,
    (weeks.unread + edges.unread)::int AS unread
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS asked (of_id, since, until),
LATERAL (SELECT date_bin('7 days', asked.since, '2001-01-01T00:00:00Z') + interval '7 days' AS start) AS whole,
LATERAL (SELECT greatest(date_bin('7 days', asked.until, '2001-01-01T00:00:00Z'), whole.start) AS start) AS tail,
LATERAL (
    SELECT coalesce(sum(week.rows) FILTER (WHERE week.week < tail.start), 0) AS rows,
        coalesce(sum(week.rows) FILTER (WHERE week.week > tail.start), 0) AS unread
    FROM key_memory_week AS week
    WHERE week.memory = 'key' AND week.of_id = asked.of_id AND week.week >= whole.start AND week.week <> tail.start
) AS weeks,
LATERAL (
    SELECT count(*) FILTER (WHERE at <= asked.until) AS rows,
        count(*) FILTER (WHERE at > asked.until) AS unread
    FROM (
        SELECT occurred_at AS at FROM key_event
        WHERE key_id = asked.of_id AND occurred_at >= asked.since AND occurred_at < whole.start
        UNION ALL
        SELECT occurred_at FROM key_event
        WHERE key_id = asked.of_id AND occurred_at >= tail.start AND occurred_at < tail.start + interval '7 days'
    ) AS row
) AS edges

-- name: open_memory_warnings
-- Memories that are expected to lose rows, the soonest first, with what they are.
SELECT warning.id, warning.system_id, warning.memory, warning.external_id, warning.expected_at, warning.raised_at,
    coalesce(place.marking, key.stamp) AS name, place.area, place.unit, place.zone, place.access_point
FROM key_memory_warning AS warning JOIN key_system AS system ON system.id = warning.system_id
LEFT JOIN plant_places AS place
    ON warning.memory = 'lock' AND place.vendor = system.vendor AND place.external_id = warning.external_id
LEFT JOIN key_key AS key
    ON warning.memory = 'key' AND key.system_id = warning.system_id AND key.external_id = warning.external_id
WHERE warning.cleared_at IS NULL ORDER BY warning.expected_at, warning.external_id

-- name: add_memory_warning
-- People are told that a memory is expected to lose rows.
INSERT INTO key_memory_warning (id, system_id, memory, external_id, expected_at, raised_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: clear_memory_warning
-- It was read, or it is expected later.
UPDATE key_memory_warning SET cleared_at = $2, entry = $3 WHERE id = $1
