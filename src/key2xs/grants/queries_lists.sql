-- Lists over all grants, a page at a time.

-- name: page_of_leases
-- Leases, the newest first; every filter may be null.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease
WHERE ($1::text[] IS NULL OR state = ANY($1))
  AND ($2::uuid IS NULL OR person_id = $2)
  AND ($3::text IS NULL OR basis_ref = $3)
  AND ($4::uuid IS NULL OR lease.id IN (SELECT grant_id FROM grant_cylinder WHERE cylinder_id = $4 AND removed_at IS NULL))
  AND ($5::uuid IS NULL OR lease.id < $5)
ORDER BY lease.id DESC LIMIT $6

-- name: states_of
-- How some leases stand.
SELECT id, state FROM grant_lease WHERE id = ANY($1::uuid[])

-- name: people_at
-- Who has grants, not ended, for any of some cylinders; how many each.
SELECT lease.person_id, count(DISTINCT lease.id)::int AS grants
FROM grant_lease AS lease JOIN grant_cylinder AS place ON place.grant_id = lease.id
WHERE lease.state <> 'ended' AND place.removed_at IS NULL AND place.cylinder_id = ANY($1::uuid[])
GROUP BY lease.person_id
