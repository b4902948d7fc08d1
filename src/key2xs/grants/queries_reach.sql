-- What an act on many reaches, and the stop on new grants that stands meanwhile.

-- name: reach
-- Open grants by holder, basis, cylinder or id, each with its cylinders. Every filter may be null.
SELECT lease.id, lease.person_id, lease.basis_kind, lease.basis_ref, lease.state,
    array_agg(part.cylinder_id ORDER BY part.cylinder_id) AS cylinders
FROM grant_lease AS lease JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.removed_at IS NULL
WHERE lease.state <> 'ended'
  AND ($1::uuid[] IS NULL OR lease.person_id = ANY($1::uuid[]))
  AND ($2::text[] IS NULL OR lease.basis_ref = ANY($2::text[]))
  AND ($3::uuid[] IS NULL OR lease.id IN (
      SELECT grant_id FROM grant_cylinder WHERE cylinder_id = ANY($3::uuid[]) AND removed_at IS NULL))
  AND ($4::uuid[] IS NULL OR lease.id = ANY($4::uuid[]))
GROUP BY lease.id ORDER BY lease.id

-- name: duty_bases
-- Who holds a duty by an open grant, for the people among these or all.
SELECT DISTINCT person_id, basis_ref FROM grant_lease WHERE state <> 'ended' AND basis_kind = 'duty_role'

-- name: insert_stop
-- Nothing new is given there from now on.
INSERT INTO grant_stop (id, kind, ref, since, entry) VALUES ($1, $2, $3, $4, $5)

-- name: lift_stop
-- It may be given again.
UPDATE grant_stop SET lifted_at = $2, entry = $3 WHERE id = $1 AND lifted_at IS NULL

-- name: open_stops
-- What stands now, the oldest first.
SELECT id, kind, ref, since FROM grant_stop WHERE lifted_at IS NULL ORDER BY since, id
