-- Keys of many people at once, for acts on many.

-- name: keys_of_many
-- The keys that people have at an instant, or everybody's; each with what it keeps from before our time.
SELECT key.id, key.stamp, key.system_id, key.emergency, key.adopted_at, key.blocked_at, custody.person_id,
    system.name AS system, (SELECT kept.program FROM key_kept AS kept WHERE kept.key_id = key.id) AS kept
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
JOIN key_system AS system ON system.id = key.system_id
WHERE upper_inf(custody.known) AND custody.during @> $2::timestamptz
  AND ($1::uuid[] IS NULL OR custody.person_id = ANY($1::uuid[])) AND NOT key.deleted
ORDER BY key.stamp, key.id

-- name: keys_nobody_has
-- Adopted keys that nobody has and that keep something from before our time.
SELECT key.id, key.stamp, key.system_id, key.emergency, key.adopted_at, key.blocked_at, NULL::uuid AS person_id,
    system.name AS system, kept.program AS kept
FROM key_kept AS kept JOIN key_key AS key ON key.id = kept.key_id JOIN key_system AS system ON system.id = key.system_id
WHERE key.adopted_at IS NOT NULL AND NOT key.deleted AND NOT EXISTS (SELECT 1 FROM key_custody AS custody
    WHERE custody.key_id = key.id AND upper_inf(custody.known) AND custody.during @> $1::timestamptz)
ORDER BY key.stamp, key.id

-- name: hurry
-- Make the keys of these people due, as urgent as a lane says.
INSERT INTO key_work (target_id, next_at, lane)
SELECT target.id, $2::timestamptz, $3 FROM key_target AS target
WHERE target.key_id = ANY($4::uuid[]) OR target.key_id IN (
    SELECT key_id FROM key_custody WHERE person_id = ANY($1::uuid[]) AND upper_inf(known) AND during @> $2::timestamptz)
ON CONFLICT (target_id) DO UPDATE SET next_at = least(key_work.next_at, excluded.next_at),
    lane = least(key_work.lane, excluded.lane), marks = key_work.marks + 1

-- name: follow_keys
-- How far each of these keys is, and what it could still open though nothing allows it. `behind`: nobody has looked at
-- it since, so what its target says is about the time before.
SELECT key.id, key.stamp, key.system_id, system.name AS system, key.adopted_at IS NOT NULL AS written,
    target.id IS NOT NULL AS has_target, target.accepted_at, target.delivered_at, target.problem,
    target.reading ->> 'state' AS reading_state,
    greatest(target.read_at, work.read_at) AS read_at,
    coalesce(target.grants && $3::uuid[] OR work.next_at <= $2, false) AS behind,
    coalesce(left_over.locks, 0) AS locks, coalesce(left_over.allowed, 0) AS allowed, left_over.until, coalesce(left_over.no_bound, false) AS no_bound
FROM key_key AS key JOIN key_system AS system ON system.id = key.system_id
LEFT JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN key_work AS work ON work.target_id = target.id
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE opener.kind <> 'still_allowed') AS locks,
        count(*) FILTER (WHERE opener.kind = 'still_allowed') AS allowed,
        max(exposed_until) FILTER (WHERE opener.kind <> 'still_allowed') AS until,
        bool_or(opener.kind = 'no_bound') AS no_bound
    FROM key_may_open AS opener WHERE opener.key_id = key.id AND opener.gone_at = 'infinity'
      AND opener.kind IN ('bound', 'no_bound', 'still_allowed') AND opener.exposed_until > $2) AS left_over ON true
WHERE key.id = ANY($1::uuid[]) ORDER BY key.stamp, key.id

-- name: last_seen
-- Where each of these keys opened something last.
SELECT DISTINCT ON (key_id) key_id, cylinder_id, coalesce(occurred_at, arrived_at) AS at FROM key_event
WHERE key_id = ANY($1::uuid[]) AND outcome = 'opened' AND cylinder_id IS NOT NULL
ORDER BY key_id, coalesce(occurred_at, arrived_at) DESC
