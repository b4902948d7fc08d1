-- name: put_bundle
-- Stores the texts of a bundle. Parameters: id, version, hash, schema, guardrails, policies, site data, origin,
-- uploaded_by, uploaded_at, comment, approved_by, active from (NULL: not yet active), entry.
INSERT INTO policy_bundle (id, version, hash, schema, guardrails, policies, site_data, origin, uploaded_by,
    uploaded_at, comment, approved_by, active_during, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
    CASE WHEN $13::timestamptz IS NULL THEN NULL ELSE tstzrange($13::timestamptz, NULL) END, $14)

-- name: lock_bundle
-- A bundle, locked until commit.
SELECT id, version, hash, schema, guardrails, policies, site_data, origin, uploaded_by, uploaded_at, comment,
    approved_by, lower(active_during) AS active_from, upper(active_during) AS active_until
FROM policy_bundle WHERE id = $1 FOR UPDATE

-- name: end_active
-- Ends the bundle in force at an instant; the caller holds the lock of bundle:policy. Parameters: at, entry.
UPDATE policy_bundle
SET active_during = tstzrange(lower(active_during), $1::timestamptz), entry = $2
WHERE active_during @> $1::timestamptz AND lower(active_during) < $1::timestamptz

-- name: begin_active
-- Puts a bundle in force from an instant on. Parameters: id, approved_by, at, entry.
UPDATE policy_bundle SET approved_by = $2, active_during = tstzrange($3::timestamptz, NULL), entry = $4
WHERE id = $1

-- name: newest_start
-- When the newest bundle came into force.
SELECT max(lower(active_during)) FROM policy_bundle WHERE active_during IS NOT NULL

-- name: active_bundle
-- The bundle in force at an instant.
SELECT id, version, hash, schema, guardrails, policies, site_data, origin, uploaded_by, approved_by
FROM policy_bundle WHERE active_during @> $1::timestamptz

-- name: texts_of
-- The texts of a bundle, by id.
SELECT id, version, hash, schema, guardrails, policies, site_data, origin, uploaded_by, uploaded_at, comment,
    approved_by, lower(active_during) AS active_from, upper(active_during) AS active_until
FROM policy_bundle WHERE id = $1

-- name: id_of_hash
-- Any stored bundle with this hash: equal hashes are equal texts.
SELECT id FROM policy_bundle WHERE hash = $1 ORDER BY uploaded_at LIMIT 1

-- name: list_bundles
-- All bundles without their texts, newest first.
SELECT id, version, hash, origin, uploaded_by, uploaded_at, comment, approved_by,
    lower(active_during) AS active_from, upper(active_during) AS active_until
FROM policy_bundle ORDER BY uploaded_at DESC, id DESC
