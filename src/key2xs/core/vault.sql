-- Statements of the vault's own database.

-- name: find_key
-- The wrapped key of one person; wrapped is null after erasure.
SELECT wrapped FROM data_key WHERE owner = $1

-- name: find_keys
-- The wrapped keys of many people.
SELECT owner, wrapped FROM data_key WHERE owner = ANY($1::uuid[])

-- name: store_key
-- Keep a new key; an erased person's row stays, so no second key is ever made.
INSERT INTO data_key (owner, wrapped, made_at) VALUES ($1, $2, $3) ON CONFLICT (owner) DO NOTHING

-- name: destroy_key
-- Forget a key for good and remember that it was forgotten.
UPDATE data_key SET wrapped = NULL, destroyed_at = $2 WHERE owner = $1 AND wrapped IS NOT NULL RETURNING true
