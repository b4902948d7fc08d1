-- Grants by duty and by permit, for questions about outages.

-- name: duty_grants
-- Running grants that a duty gives: whose, for which role and unit (`duty:<role>:<unit>`), until when.
SELECT id, person_id, basis_ref, upper(during) AS ends_at FROM grant_lease
WHERE state = 'active' AND basis_kind = 'duty_role' AND during @> $1::timestamptz ORDER BY id

-- name: permits_ending
-- Permits with running grants, the first to run out first.
SELECT basis_ref, max(reference) AS reference, count(DISTINCT person_id) AS people, min(upper(during)) AS until
FROM grant_lease WHERE state IN ('active', 'held') AND basis_kind = 'permit_step' AND during @> $1::timestamptz
GROUP BY basis_ref ORDER BY min(upper(during)), basis_ref LIMIT $2
