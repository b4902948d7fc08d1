-- What one person sees of himself, and who opens a history for a stated purpose.

-- name: openings_of_person
-- Openings and refusals with a person's keys in a stretch of time, the newest first.
SELECT * FROM key_event
WHERE person_id = $1 AND coalesce(occurred_at, arrived_at) >= $2 AND coalesce(occurred_at, arrived_at) < $3
ORDER BY coalesce(occurred_at, arrived_at) DESC, id LIMIT $4

-- name: custody_of_person
-- Which keys a person had in a stretch of time, as known now.
SELECT key.stamp, lower(custody.during) AS since, upper(custody.during) AS until
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
WHERE custody.person_id = $1 AND upper_inf(custody.known) AND custody.during && tstzrange($2, $3)
ORDER BY lower(custody.during) DESC, key.stamp LIMIT $4
