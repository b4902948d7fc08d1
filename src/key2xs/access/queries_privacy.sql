-- Statements about one-time codes, traces of looking, and legal holds.

-- name: drop_codes
-- A person has one code at a time; codes that are over go too.
DELETE FROM access_code WHERE person_id = $1 OR expires_at <= $2

-- name: insert_code
-- A new code.
INSERT INTO access_code (digest, person_id, made_by, expires_at) VALUES ($1, $2, $3, $4)

-- name: use_code
-- A code is used up by using it.
DELETE FROM access_code WHERE digest = $1 AND expires_at > $2 RETURNING person_id

-- name: insert_visit
-- Somebody looks at his own page.
INSERT INTO access_visit (digest, person_id, ends_at) VALUES ($1, $2, $3)

-- name: find_visit
-- Whose page a visit opens.
SELECT person_id FROM access_visit WHERE digest = $1 AND ends_at > $2

-- name: end_visit
-- A visit ends.
DELETE FROM access_visit WHERE digest = $1

-- name: end_visits_before
-- A new visit of a person ends those before it; visits of anybody that are over go too.
DELETE FROM access_visit WHERE person_id = $1 OR ends_at <= $2

-- name: end_browser
-- Whatever a browser was signed in with ends, when it signs in with something else.
WITH visit AS (DELETE FROM access_visit WHERE digest = $1) DELETE FROM access_session WHERE digest = $1

-- name: insert_look
-- The trace of looking at a person's data.
INSERT INTO access_look (id, person_id, user_id, what, purpose, reason, case_no, begins, ends, at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: looks_of
-- Who looked at a person's data.
SELECT * FROM access_look WHERE person_id = $1 ORDER BY at DESC, id DESC LIMIT $2

-- name: insert_hold
-- A hold begins.
INSERT INTO access_hold (id, person_id, reason, made_by, made_at, until, entry) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: lock_hold
-- One hold, for change.
SELECT * FROM access_hold WHERE id = $1 FOR UPDATE

-- name: end_hold
-- A hold ends before its time.
UPDATE access_hold SET ended_at = $2, entry = $3 WHERE id = $1

-- name: list_holds
-- All holds.
SELECT * FROM access_hold ORDER BY made_at DESC, id DESC

-- name: running_holds
-- Whose data is held at an instant.
SELECT person_id FROM access_hold WHERE until > $1 AND (ended_at IS NULL OR ended_at > $1)
