-- Statements about broken assumptions.

-- name: broken_of
-- Findings that stand about a key: its own, and those of locks of its system.
SELECT cause, because, found_at, lock_external_id FROM key_broken_assumption
WHERE closed_at IS NULL AND system_id = $1 AND (key_id = $2 OR key_id IS NULL) ORDER BY found_at, cause

-- name: add_broken
-- An assumption was found to be wrong.
INSERT INTO key_broken_assumption (id, system_id, key_id, lock_external_id, cause, because, found_at, before_kind,
    before_until, after_kind, after_until, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: is_broken
-- Whether the same stands already.
SELECT id FROM key_broken_assumption WHERE closed_at IS NULL AND system_id = $1 AND key_id IS NOT DISTINCT FROM $2
    AND lock_external_id IS NOT DISTINCT FROM $3 AND cause = $4

-- name: close_broken
-- A proof, or a person, closed it.
UPDATE key_broken_assumption SET closed_at = $2, closed_by = $3, entry = $4 WHERE id = $1

-- name: list_broken
-- Findings with what they are about, what stands first, then the newest.
SELECT broken.id, broken.system_id, broken.key_id, broken.lock_external_id, broken.cause, broken.because,
    broken.found_at, broken.before_kind, broken.before_until, broken.after_kind, broken.after_until, broken.closed_at,
    broken.closed_by, key.stamp, system.name AS system, place.marking, place.access_point
FROM key_broken_assumption AS broken JOIN key_system AS system ON system.id = broken.system_id
LEFT JOIN key_key AS key ON key.id = broken.key_id
LEFT JOIN plant_places AS place ON place.vendor = system.vendor AND place.external_id = broken.lock_external_id
WHERE ($1::bool OR broken.closed_at IS NULL) AND ($2::uuid IS NULL OR broken.key_id = $2) AND ($3::uuid IS NULL OR broken.id = $3)
ORDER BY broken.closed_at IS NOT NULL, broken.found_at DESC, broken.id LIMIT $4

-- name: provable
-- Findings about a key that a proof closes.
SELECT id, cause FROM key_broken_assumption
WHERE closed_at IS NULL AND key_id = $1 AND cause = ANY($2::text[]) AND found_at <= $3

-- name: published
-- What stood for a key shortly before an instant, of rights that were ended.
SELECT DISTINCT ON (cylinder_id) kind, exposed_until FROM key_may_open
WHERE key_id = $1 AND since < $2 AND gone_at > $2::timestamptz - interval '100 seconds'
    AND kind IN ('bound', 'no_bound', 'proven_end')
ORDER BY cylinder_id, since DESC

-- name: edits_proven
-- Whether a key acknowledged a program that was found, or a later one, already.
SELECT EXISTS (SELECT FROM key_program WHERE key_id = $1 AND proven_at >= $2)

-- name: earlier_program
-- Whether anything was known of a key's programs before an instant.
SELECT EXISTS (SELECT FROM key_program WHERE key_id = $1 AND written_at < $2)

-- name: event
-- A row of a lock's log.
SELECT event.system_id, event.key_id, event.cylinder_id, event.lock_external_id, event.occurred_at, event.read_at,
    event.time_quality, event.outcome
FROM key_event AS event WHERE event.system_id = $1 AND event.vendor_event_id = $2

-- name: bound_before
-- The latest end that was published for a key at a cylinder by an instant, if none was left open then; null: none ever.
SELECT max(least(exposed_until, gone_at)) AS until FROM key_may_open
WHERE key_id = $1 AND cylinder_id = $2 AND since <= $3
HAVING NOT bool_or(gone_at > $4 AND exposed_until > $4)

-- name: not_read
-- Keys with a published bound that were not read since an instant, and of which that is not said yet.
SELECT key.id, work.read_at FROM key_key AS key
JOIN key_target AS target ON target.key_id = key.id JOIN key_work AS work ON work.target_id = target.id
JOIN key_system AS system ON system.id = key.system_id
WHERE system.name = $3 AND NOT key.deleted AND (key.adopted_at IS NOT NULL OR key.blocked_at IS NOT NULL)
    AND work.read_at < $1
    AND EXISTS (SELECT FROM key_may_open AS opener
        WHERE opener.key_id = key.id AND opener.gone_at = 'infinity' AND opener.kind = 'bound')
    AND NOT EXISTS (SELECT FROM key_broken_assumption AS broken
        WHERE broken.key_id = key.id AND broken.cause = 'not_read' AND broken.closed_at IS NULL)
ORDER BY work.read_at, key.id LIMIT $2

-- name: read_again
-- Keys that were read again after it was said that they had not been.
SELECT broken.id, broken.key_id, work.read_at FROM key_broken_assumption AS broken
JOIN key_target AS target ON target.key_id = broken.key_id JOIN key_work AS work ON work.target_id = target.id
WHERE broken.closed_at IS NULL AND broken.cause = 'not_read' AND work.read_at > broken.found_at
ORDER BY broken.id LIMIT $1

-- name: read_keys_at
-- Keys that have an answer at a lock.
SELECT DISTINCT opener.key_id FROM key_may_open AS opener
JOIN plant_cylinders AS cylinder ON cylinder.id = opener.cylinder_id
JOIN key_system AS system ON system.id = $1 AND system.vendor = cylinder.vendor
JOIN key_key AS key ON key.id = opener.key_id AND key.system_id = $1
WHERE cylinder.external_id = $2 AND opener.gone_at = 'infinity'

-- name: last_set
-- The last update of a key that is known to have been before an instant; its clock was set then.
SELECT max(end_at) FROM key_memory_run WHERE system_id = $1 AND memory = 'key' AND external_id = $2 AND end_at < $3

-- name: rows_before
-- When the row of each lock before a number was written, by its clock.
SELECT asked.lock, before.occurred_at FROM unnest($2::text[], $3::bigint[]) AS asked (lock, number),
LATERAL (
    SELECT occurred_at FROM key_event WHERE system_id = $1 AND lock_external_id = asked.lock
        AND counter_lock < asked.number AND time_quality = 'clock' ORDER BY counter_lock DESC LIMIT 1
) AS before
