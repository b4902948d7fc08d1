-- What pages ask of the keys room.

-- name: keys_of_people
-- The keys these people have at an instant, as known now.
SELECT key.*, custody.person_id
FROM key_custody AS custody JOIN key_key AS key ON key.id = custody.key_id
WHERE custody.person_id = ANY($1::uuid[]) AND upper_inf(custody.known) AND custody.during @> $2::timestamptz
ORDER BY key.stamp

-- name: count_openers
-- How many keys could open each of these cylinders at an instant.
SELECT cylinder_id, count(*) AS keys FROM key_may_open
WHERE cylinder_id = ANY($1::uuid[]) AND gone_at > $2 AND since <= $2 AND exposed_until > $2
GROUP BY cylinder_id

-- name: system_ages
-- When each key system's log was last read to its end, and when everything was listed.
SELECT system.name, system.vendor, cursor.pulled_at AS log_read_at, system.inventory_at AS listed_at,
    system.visibility_complete, system.interface
FROM key_system AS system LEFT JOIN key_cursor AS cursor ON cursor.system_id = system.id ORDER BY system.name

-- name: edited_elsewhere
-- Keys that may hold a program which nobody here wrote, found after one of ours; what was taken over is none.
SELECT key.id AS key_id, key.stamp, max(found.written_at) AS found_at
FROM key_program AS found JOIN key_key AS key ON key.id = found.key_id LEFT JOIN key_kept AS kept ON kept.key_id = key.id
WHERE found.origin = 'found' AND found.gone_at IS NULL AND key.adopted_at IS NOT NULL
    AND found.program IS DISTINCT FROM kept.program AND ($2::uuid IS NULL OR key.id = $2)
    AND EXISTS (
        SELECT 1 FROM key_program AS ours
        WHERE ours.key_id = found.key_id AND ours.origin = 'ours' AND ours.number < found.number
    )
GROUP BY key.id, key.stamp ORDER BY found_at DESC, key.stamp LIMIT $1

-- name: stopped_writes
-- Key systems at which the brake stopped programming of many keys at once, the first stopped first.
SELECT system.name, system.vendor, brake.stopped_at, brake.why
FROM key_brake AS brake JOIN key_system AS system ON system.id = brake.system_id
WHERE brake.stopped_at IS NOT NULL ORDER BY brake.stopped_at, system.name
