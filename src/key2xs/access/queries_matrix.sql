-- Statements about the authority matrix.

-- name: newest_matrix
-- Which matrix is in force.
SELECT version, hash FROM access_matrix ORDER BY version DESC LIMIT 1

-- name: matrix_rows
-- What a version says.
SELECT rows FROM access_matrix WHERE version = $1

-- name: insert_matrix
-- A new version comes into force.
INSERT INTO access_matrix (version, hash, rows, proposed_by, confirmed_by, active_from, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: people_with_roles
-- How many people have an account with one of some roles: accounts of nobody, and several of one person, count once at
-- most.
SELECT count(DISTINCT person_id) FROM access_user WHERE disabled_at IS NULL AND roles && $1::text[]

-- name: role_sets
-- Which roles users have together.
SELECT DISTINCT roles FROM access_user WHERE disabled_at IS NULL AND cardinality(roles) > 1
