-- Questions to the shift leader: is somebody still behind this lock?

-- name: ask_inside
-- One question for a grant and an access point, asked once.
INSERT INTO incident_inside (id, access_point_id, cylinder_id, grant_id, person_id, cause, because, egress_free,
    opened_at, asked_at, ends_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: asked_inside
-- Which of these grants were asked about, and where.
SELECT grant_id, access_point_id FROM incident_inside WHERE grant_id = ANY($1::uuid[])

-- name: was_asked
-- Whether the question for this grant and access point was asked.
SELECT true FROM incident_inside WHERE grant_id = $1 AND access_point_id = $2

-- name: open_inside
-- Questions without the answer that everybody is out; the first to end comes first.
SELECT * FROM incident_inside WHERE answer IS DISTINCT FROM 'out' AND ends_at > $1 ORDER BY ends_at, id LIMIT 200

-- name: lock_inside
-- One question, locked until commit.
SELECT * FROM incident_inside WHERE id = $1 FOR UPDATE

-- name: answer_inside
-- What the shift leader says.
UPDATE incident_inside SET answer = $2, answered_by = $3, answered_at = $4, entry = $5 WHERE id = $1
