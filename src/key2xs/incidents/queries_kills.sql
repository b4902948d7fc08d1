-- Stops that a person asked for and that wait.

-- name: insert_kill
-- Somebody asks for a stop.
INSERT INTO incident_kill (id, what, subject, people, reason, two_people, asked_by, asked_user, asked_at, proceeds_at,
    state, entry, ending, contract_ends_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)

-- name: find_kill
-- One stop.
SELECT * FROM incident_kill WHERE id = $1

-- name: open_kill_of
-- The stop of this subject that waits, if any.
SELECT * FROM incident_kill WHERE subject = $1 AND state IN ('waiting', 'holding')

-- name: open_kills
-- Stops that are not done, the next one first.
SELECT * FROM incident_kill WHERE state IN ('waiting', 'holding') ORDER BY proceeds_at, id

-- name: set_kill
-- Where a stop stands.
UPDATE incident_kill SET state = $2, decided_by = coalesce($3, decided_by), decided_at = coalesce($4, decided_at),
    ended_at = $5, entry = $6
WHERE id = $1

-- name: second_person
-- A second person stands for it too.
UPDATE incident_kill SET two_people = true, entry = $2 WHERE id = $1

-- name: insert_notice
-- Somebody at work lost their identity: done already, told at once.
INSERT INTO incident_kill (id, what, subject, people, reason, two_people, asked_by, asked_at, proceeds_at, state,
    ended_at, entry)
VALUES ($1, $2, $3, $4, $5, false, $6, $7, $7, 'done', $7, $8)

-- name: ended_here
-- Whether a person was ended at this instant by a stop that the shift leader was told of before.
SELECT true FROM incident_kill WHERE subject = $1 AND ending IS NOT NULL AND state = 'done' AND ended_at = $2

-- name: notices
-- What was told at once since an instant, the newest first.
SELECT * FROM incident_kill WHERE asked_by = $1 AND state = 'done' AND asked_at > $2 ORDER BY asked_at DESC, id DESC LIMIT 200
