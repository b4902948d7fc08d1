-- What the live pages ask of the grants room: only what is open now.

-- name: open_counts
-- How many open grants stand in which state.
SELECT state, count(*)::int AS leases FROM grant_lease WHERE state <> 'ended' GROUP BY state

-- name: ends_between
-- Grants that run and end between two instants, the earliest first.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease
WHERE state <> 'ended' AND upper(during) > $1 AND upper(during) <= $2 AND lower(during) <= $1
ORDER BY upper(during), lease.id LIMIT $3

-- name: open_of_people
-- Open grants of some people, by basis.
SELECT lease.*, lower(during) AS starts_at, upper(during) AS ends_at,
    ARRAY(SELECT cylinder_id FROM grant_cylinder WHERE grant_id = lease.id AND removed_at IS NULL) AS cylinders
FROM grant_lease AS lease WHERE state <> 'ended' AND person_id = ANY($1::uuid[])
ORDER BY basis_ref, basis_step, lease.id

-- name: open_by_person
-- How many grants that run now each person has.
SELECT person_id, count(*)::int AS leases FROM grant_lease WHERE state IN ('active', 'held') GROUP BY person_id
