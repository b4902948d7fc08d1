-- What pages ask of the identity room.

-- name: companies_of
-- The company of each person's contract at an instant, else of the one that ended last.
SELECT DISTINCT ON (contract.person) contract.person, company.name AS company
FROM identity_contract AS contract JOIN identity_company AS company ON company.id = contract.company
WHERE contract.person = ANY($1::uuid[]) AND upper_inf(contract.known)
ORDER BY contract.person, (contract.during @> $2::timestamptz) DESC, upper(contract.during) DESC NULLS FIRST

-- name: last_said
-- The newest statement of each source.
SELECT source, max(stated_at) AS stated_at FROM identity_status GROUP BY source ORDER BY source
