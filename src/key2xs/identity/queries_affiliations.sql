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

-- name: search_companies
-- Companies whose code is a text (0), or whose code or name contains it (1); a site has a few hundred.
SELECT id, ref, name, (ref_folded <> $1)::int AS place FROM identity_company
WHERE ref_folded = $1 OR position($1 IN lower(name)) > 0 OR position($1 IN ref_folded) > 0
ORDER BY place, name LIMIT $2

-- name: company_sizes
-- How many people each company has under contract at an instant, and when the last of those contracts ends.
SELECT company, count(DISTINCT person)::int AS people, max(coalesce(upper(during), 'infinity')) AS until
FROM identity_contract WHERE upper_inf(known) AND during @> $1::timestamptz GROUP BY company

-- name: contract_ends
-- When the contracts of one company's people end, the earliest first; infinity for those without an end.
SELECT coalesce(upper(during), 'infinity') AS until, count(DISTINCT person)::int AS people FROM identity_contract
WHERE company = $1 AND upper_inf(known) AND during @> $2::timestamptz GROUP BY 1 ORDER BY 1

-- name: company_ids_of
-- The company of each person's contract at an instant.
SELECT DISTINCT person, company FROM identity_contract
WHERE person = ANY($1::uuid[]) AND upper_inf(known) AND during @> $2::timestamptz
