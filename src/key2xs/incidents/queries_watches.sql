-- People who work alone and report every so many minutes.

-- name: start_watch
-- Somebody works alone from now on.
INSERT INTO incident_watch (id, person_id, place, every_minutes, started_by, started_at, due_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: running_watches
-- Everybody who is watched over now; who is missed comes first.
SELECT * FROM incident_watch WHERE ended_at IS NULL ORDER BY missed_at NULLS LAST, due_at, id

-- name: watch_of_person
-- The watch over a person that runs now.
SELECT * FROM incident_watch WHERE person_id = $1 AND ended_at IS NULL

-- name: lock_watch
-- One watch, locked until commit.
SELECT * FROM incident_watch WHERE id = $1 FOR UPDATE

-- name: due_watches
-- Watches whose check-in is due and not told as missed.
SELECT * FROM incident_watch WHERE ended_at IS NULL AND missed_at IS NULL AND due_at <= $1
ORDER BY due_at, id LIMIT 100 FOR UPDATE SKIP LOCKED

-- name: next_watch
-- When the next check-in is due.
SELECT min(due_at) FROM incident_watch WHERE ended_at IS NULL AND missed_at IS NULL

-- name: see_watch
-- Somebody reported.
UPDATE incident_watch SET seen_at = $2, due_at = $3, missed_at = NULL, entry = $4 WHERE id = $1

-- name: miss_watch
-- Nobody reported in time.
UPDATE incident_watch SET missed_at = $2, entry = $3 WHERE id = $1

-- name: end_watch
-- They are back.
UPDATE incident_watch SET ended_at = $2, ended_by = $3, entry = $4 WHERE id = $1
