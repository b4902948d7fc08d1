-- How many people there are, and who has left.

-- name: who_left
-- People of whom a source says that they are not active, or whose contracts of a source are all over or not begun.
SELECT asked.person FROM unnest($1::uuid[]) AS asked (person)
WHERE EXISTS (
    SELECT 1 FROM identity_status AS status WHERE status.person = asked.person AND upper_inf(status.known)
      AND status.during @> $2::timestamptz AND NOT status.active)
  OR EXISTS (
    SELECT 1 FROM identity_contract AS contract WHERE contract.person = asked.person AND upper_inf(contract.known)
    GROUP BY contract.source HAVING NOT bool_or(contract.during @> $2::timestamptz))

-- name: count_people
-- How many people are known.
SELECT count(*) FROM identity_person
