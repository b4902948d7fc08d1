-- Where keys were seen, for the question who may be behind a lock.

-- name: seen_at
-- When a person's keys opened any of these cylinders last, and when anything that is not near them.
SELECT custody.person_id,
    max(coalesce(event.occurred_at, event.arrived_at)) FILTER (WHERE event.cylinder_id = ANY($2::uuid[])) AS inside_at,
    max(coalesce(event.occurred_at, event.arrived_at)) FILTER (WHERE event.cylinder_id <> ALL($3::uuid[])) AS outside_at
FROM key_custody AS custody
JOIN key_event AS event ON event.key_id = custody.key_id AND event.outcome = 'opened'
    AND coalesce(event.occurred_at, event.arrived_at) > $4 AND coalesce(event.occurred_at, event.arrived_at) <= $5
    AND custody.during @> coalesce(event.occurred_at, event.arrived_at)
WHERE custody.person_id = ANY($1::uuid[]) AND upper_inf(custody.known)
GROUP BY custody.person_id

-- name: last_returns
-- When these people gave their last key back; nothing for somebody who still has one.
SELECT custody.person_id, max(upper(custody.during)) AS at FROM key_custody AS custody
WHERE custody.person_id = ANY($1::uuid[]) AND upper_inf(custody.known)
GROUP BY custody.person_id HAVING bool_and(NOT upper_inf(custody.during)) AND max(upper(custody.during)) <= $2

-- name: opened_by
-- Who opened any of these cylinders since an instant: the last time of each.
SELECT person_id, max(coalesce(occurred_at, arrived_at)) AS at FROM key_event
WHERE cylinder_id = ANY($1::uuid[]) AND outcome = 'opened' AND person_id IS NOT NULL
  AND coalesce(occurred_at, arrived_at) > $2 AND coalesce(occurred_at, arrived_at) <= $3
GROUP BY person_id
