-- Statements for the time after a restore.

-- name: read_all_again
-- Every target is due.
UPDATE key_work SET next_at = least(next_at, $1), marks = marks + 1

-- name: not_read_since
-- Keys in use that were not read since an instant.
SELECT key.stamp FROM key_key AS key LEFT JOIN key_target AS target ON target.key_id = key.id
LEFT JOIN key_work AS work ON work.target_id = target.id
WHERE NOT key.deleted AND (work.read_at IS NULL OR work.read_at < $1) ORDER BY key.stamp

-- name: not_listed_since
-- Key systems whose keys were not listed since an instant: keys may exist that this database never heard of.
SELECT name FROM key_system WHERE inventory_at IS NULL OR inventory_at < $1 ORDER BY name
