-- Emergency keys under seal.

-- name: list_sealed
-- Keys under seal, with the use that is open or still to be reviewed.
SELECT sealed.*, key.stamp, key.system_id, key.kind FROM key_sealed AS sealed JOIN key_key AS key ON key.id = sealed.key_id
WHERE sealed.state <> 'withdrawn' AND ($1::uuid IS NULL OR sealed.key_id = $1) ORDER BY key.stamp

-- name: lock_sealed
-- One key under seal, for change.
SELECT sealed.*, key.stamp, key.system_id, key.kind FROM key_sealed AS sealed JOIN key_key AS key ON key.id = sealed.key_id
WHERE sealed.key_id = $1 AND sealed.state <> 'withdrawn' FOR UPDATE OF sealed

-- name: put_sealed
-- A key put under seal for the first time, or again after it was withdrawn.
INSERT INTO key_sealed (key_id, seal, place, state, since, kept_since, checked_at, check_due_at, entry)
VALUES ($1, $2, $3, 'sealed', $4, $4, $4, $5, $6)
ON CONFLICT (key_id) DO UPDATE SET seal = excluded.seal, place = excluded.place, state = 'sealed',
    since = excluded.since, kept_since = excluded.kept_since, checked_at = excluded.checked_at,
    check_due_at = excluded.check_due_at, check_told = false, entry = excluded.entry

-- name: set_sealed
-- A new state, with the seal and the place that belong to it.
UPDATE key_sealed SET state = $2, seal = $3, place = $4, since = $5, entry = $6 WHERE key_id = $1

-- name: set_checked
-- Somebody looked at the seal.
UPDATE key_sealed SET checked_at = $2, check_due_at = $3, check_told = false, entry = $4 WHERE key_id = $1

-- name: use_seal
-- A seal number is used once; false when it was used before.
INSERT INTO key_seal (seal_norm, key_id, entry) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true

-- name: add_seal_use
-- A seal was broken.
INSERT INTO key_seal_use (id, key_id, seal, broken_at, taken_by, second_id, reason, recall_due_at, review_due_at, entry)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: seal_uses
-- What happened to seals, the newest first: of one key or all, everything or what is not finished.
SELECT use.*, key.stamp FROM key_seal_use AS use JOIN key_key AS key ON key.id = use.key_id
WHERE ($1::uuid IS NULL OR use.key_id = $1) AND ($2::boolean OR use.reviewed_at IS NULL)
ORDER BY use.broken_at DESC, use.id LIMIT $3

-- name: get_seal_use
-- One use, for change.
SELECT use.*, key.stamp FROM key_seal_use AS use JOIN key_key AS key ON key.id = use.key_id
WHERE use.id = $1 FOR UPDATE OF use

-- name: set_recalled
-- The key was called back.
UPDATE key_seal_use SET recalled_at = $2, entry = $3 WHERE key_id = $1 AND returned_at IS NULL

-- name: set_returned
-- The key is under a new seal.
UPDATE key_seal_use SET returned_at = $2, new_seal = $3, entry = $4 WHERE key_id = $1 AND returned_at IS NULL

-- name: set_reviewed
-- Somebody else looked at why it was used.
UPDATE key_seal_use SET reviewed_at = $2, reviewed_by = $3, outcome = $4, entry = $5 WHERE id = $1

-- name: seal_at
-- What is known of a key's seal at an instant: since when it is kept, and the use it was in, if any. Clocks of locks
-- are off by minutes, so a use counts a little longer on both sides.
SELECT sealed.kept_since, sealed.seal, sealed.place, use.broken_at, use.taken_by, use.seal AS broken_seal
FROM key_sealed AS sealed
LEFT JOIN key_seal_use AS use ON use.key_id = sealed.key_id AND use.broken_at <= $2::timestamptz + $3::interval
    AND (use.returned_at IS NULL OR use.returned_at > $2::timestamptz - $3::interval)
WHERE sealed.key_id = $1 AND sealed.kept_since <= $2
    AND (sealed.state <> 'withdrawn' OR sealed.since > $2)
ORDER BY use.broken_at DESC NULLS LAST LIMIT 1

-- name: sealed_due
-- What is overdue and was not told yet.
SELECT 'check' AS what, key_id AS id, key_id, check_due_at AS due_at FROM key_sealed
WHERE state = 'sealed' AND NOT check_told AND check_due_at <= $1
UNION ALL SELECT 'recall', id, key_id, recall_due_at FROM key_seal_use
WHERE returned_at IS NULL AND NOT recall_told AND recall_due_at <= $1
UNION ALL SELECT 'review', id, key_id, review_due_at FROM key_seal_use
WHERE reviewed_at IS NULL AND NOT review_told AND review_due_at <= $1
ORDER BY due_at, id LIMIT 200

-- name: sealed_next
-- When the next of it falls due.
SELECT least(
    (SELECT min(check_due_at) FROM key_sealed WHERE state = 'sealed' AND NOT check_told),
    (SELECT min(recall_due_at) FROM key_seal_use WHERE returned_at IS NULL AND NOT recall_told),
    (SELECT min(review_due_at) FROM key_seal_use WHERE reviewed_at IS NULL AND NOT review_told))

-- name: tell_check
-- Told that nobody looked at the seal.
UPDATE key_sealed SET check_told = true, entry = $2 WHERE key_id = $1

-- name: tell_recall
-- Told that the key is not back.
UPDATE key_seal_use SET recall_told = true, entry = $2 WHERE id = $1

-- name: tell_review
-- Told that nobody reviewed it.
UPDATE key_seal_use SET review_told = true, entry = $2 WHERE id = $1

-- name: set_emergency_sealed
-- S1: a key under seal never enters a block list or a mass action.
UPDATE key_key SET emergency = true, entry = $2 WHERE id = $1 AND NOT emergency

-- name: under_seal
-- Whether a key is kept under seal, or was and has not been withdrawn.
SELECT true FROM key_sealed WHERE key_id = $1 AND state <> 'withdrawn'
