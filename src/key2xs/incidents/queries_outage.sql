-- Outages, warnings and exercises.

-- name: oldest_waiting
-- The oldest entry that has no place in the log yet.
SELECT min(recorded_at) FROM log_pending

-- name: open_warnings
-- What people are warned of now, the soonest first.
SELECT * FROM incident_warning WHERE cleared_at IS NULL ORDER BY due_at NULLS FIRST, raised_at, id

-- name: add_warning
-- A new warning.
INSERT INTO incident_warning (id, kind, subject, text, due_at, raised_at, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: move_warning
-- The same warning with another time.
UPDATE incident_warning SET text = $2, due_at = $3, entry = $4 WHERE id = $1

-- name: clear_warning
-- It is over.
UPDATE incident_warning SET cleared_at = $2, entry = $3 WHERE id = $1 AND cleared_at IS NULL

-- name: add_drill
-- An exercise that was held.
INSERT INTO incident_drill (id, scenario, held_at, people, passed, outcome, next_due_at, recorded_by, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: list_drills
-- Exercises, the newest first.
SELECT * FROM incident_drill ORDER BY held_at DESC, id DESC LIMIT $1
