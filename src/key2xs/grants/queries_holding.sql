-- What safety rules hold back.

-- name: held_leases
-- Everything that is held now, the longest first.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE state = 'held' ORDER BY held_since, id

-- name: other_holders
-- Who else, on duty and on facts that did not change, covers which of these cylinders; somebody whose own ending
-- waits as the last holder counts, or two who lose it at once would both be kept.
SELECT lease.person_id, part.cylinder_id
FROM grant_lease AS lease JOIN grant_cylinder AS part ON part.grant_id = lease.id AND part.removed_at IS NULL
WHERE part.cylinder_id = ANY($1::uuid[]) AND lease.basis_kind = 'duty_role' AND lease.person_id <> $2
  AND lease.during @> $3::timestamptz
  AND ((lease.state = 'active' AND grant_is_unchanged(lease.id)) OR (lease.state = 'held' AND lease.held_rule = 'S4'))

-- name: waiting_for_a_holder
-- Whose access is held because nobody else was there.
SELECT DISTINCT person_id FROM grant_lease WHERE state = 'held' AND held_rule = 'S4'

-- name: ended_since
-- Leases that ended since an instant, with all cylinders they ever had.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id) AS cylinders
FROM grant_lease AS lease WHERE state = 'ended' AND ended_at > $1 ORDER BY ended_at LIMIT $2
