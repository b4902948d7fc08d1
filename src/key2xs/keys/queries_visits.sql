-- Visits that block keys, programming keys and updaters.

-- name: visits_of_key
-- The visits for one key.
SELECT visit.*, key.stamp, coalesce(lock.marking, visit.lock_external_id) AS marking
FROM key_block_visit AS visit JOIN key_key AS key ON key.id = visit.key_id
LEFT JOIN key_lock AS lock ON lock.system_id = visit.system_id AND lock.external_id = visit.lock_external_id
WHERE visit.key_id = $1 AND visit.kind = $2 ORDER BY visit.lock_external_id

-- name: open_visits
-- Visits that are not done, for keys that are blocked, or that come off the block list.
SELECT visit.*, key.stamp, coalesce(lock.marking, visit.lock_external_id) AS marking
FROM key_block_visit AS visit JOIN key_key AS key ON key.id = visit.key_id
LEFT JOIN key_lock AS lock ON lock.system_id = visit.system_id AND lock.external_id = visit.lock_external_id
WHERE visit.state <> 'done' AND key.blocked_at IS NOT NULL
  AND (visit.kind = 'unblock') = (key.unblock_asked_at IS NOT NULL) ORDER BY key.stamp, visit.lock_external_id

-- name: blocked_keys
-- Keys on the list of a system as read last, and which of them are proven to open nothing.
SELECT key.external_id, key.stamp, coalesce(bool_and(program.proven_at IS NOT NULL AND program.program->'rights' = '[]'), false)
    AS is_empty
FROM key_target AS target JOIN key_key AS key ON key.id = target.key_id
LEFT JOIN key_program AS program ON program.key_id = key.id AND program.gone_at IS NULL
WHERE target.system_id = $1 AND target.reading->'blocked' = 'true' GROUP BY key.id ORDER BY key.stamp

-- name: full_locks
-- Of these locks, those whose own list has no room for another key.
SELECT visit.lock_external_id, coalesce(lock.marking, visit.lock_external_id) AS marking
FROM key_block_visit AS visit
LEFT JOIN key_lock AS lock ON lock.system_id = visit.system_id AND lock.external_id = visit.lock_external_id
WHERE visit.system_id = $1 AND visit.lock_external_id = ANY($2::text[]) AND visit.key_id <> $3
  AND visit.kind = 'block' AND visit.state <> 'failed'
GROUP BY visit.lock_external_id, lock.marking HAVING count(*) >= $4 ORDER BY 2

-- name: put_visit
-- A visit, new or further.
INSERT INTO key_block_visit (key_id, system_id, lock_external_id, kind, state, programming_key, made_at, done_at, known_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (key_id, lock_external_id, kind) DO UPDATE SET state = excluded.state,
    programming_key = excluded.programming_key, made_at = excluded.made_at, done_at = excluded.done_at,
    known_at = excluded.known_at, entry = excluded.entry

-- name: reached_locks
-- The cylinders that hold a block of this key, and since when.
SELECT lock_external_id, coalesce(done_at, known_at) AS since FROM key_block_visit
WHERE key_id = $1 AND kind = 'block' AND state = 'done' AND coalesce(done_at, known_at) IS NOT NULL

-- name: programming_keys
-- Programming keys of one system or of all.
SELECT * FROM key_programming_key WHERE $1::uuid IS NULL OR system_id = $1 ORDER BY marking, external_id

-- name: put_programming_key
-- A programming key, new or changed. One that was seen after it was given up is back.
INSERT INTO key_programming_key (system_id, external_id, marking, capacity, tasks, last_seen_at, last_seen_place, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (system_id, external_id) DO UPDATE SET marking = excluded.marking, capacity = excluded.capacity,
    tasks = excluded.tasks, last_seen_at = excluded.last_seen_at, last_seen_place = excluded.last_seen_place,
    given_up_at = CASE WHEN excluded.last_seen_at > key_programming_key.given_up_at THEN NULL
        ELSE key_programming_key.given_up_at END,
    entry = excluded.entry

-- name: give_up
-- A programming key that will not come back.
UPDATE key_programming_key SET given_up_at = $3, entry = $4 WHERE system_id = $1 AND external_id = $2

-- name: targets_of_programming_key
-- Targets whose visits a programming key has and has not done, and whether one of them blocks a key or unblocks it.
SELECT found.target_id, sum(found.visits)::int AS visits, bool_or(found.blocks) AS blocks FROM (
    SELECT target.id AS target_id, count(*) AS visits, true AS blocks
    FROM key_block_visit AS visit JOIN key_target AS target ON target.key_id = visit.key_id
    WHERE visit.system_id = $1 AND visit.programming_key = $2 AND visit.state IN ('waiting', 'loaded')
    GROUP BY target.id
    UNION ALL
    SELECT target.id, count(*), false
    FROM key_target AS target, jsonb_each(target.reading -> 'on_round') AS round (lock, names)
    WHERE target.system_id = $1 AND target.reading ? 'on_round' AND round.names ? $2
    GROUP BY target.id
) AS found GROUP BY found.target_id ORDER BY found.target_id

-- name: updaters
-- Updaters of one system or of all.
SELECT * FROM key_updater WHERE $1::uuid IS NULL OR system_id = $1 ORDER BY place, external_id

-- name: put_updater
-- An updater, new or changed.
INSERT INTO key_updater (system_id, external_id, kind, place, online, entry) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (system_id, external_id) DO UPDATE SET kind = excluded.kind, place = excluded.place,
    online = excluded.online, entry = excluded.entry
