-- Statements about keys that are handed back at their maker for good.

-- name: return_of
-- How far handing back a key is.
SELECT asked_at, sent_at, ended_at, gone FROM key_return WHERE key_id = $1

-- name: ask_return
-- A key is to be handed back; one that somebody got again meanwhile may be asked for anew.
INSERT INTO key_return (key_id, asked_at, entry) VALUES ($1, $2, $3)
ON CONFLICT (key_id) DO UPDATE SET asked_at = excluded.asked_at, sent_at = NULL, ended_at = NULL, entry = excluded.entry

-- name: open_returns
-- Keys of a system that are being handed back, with whether they are proven empty, and whether somebody has them again.
SELECT key.id, key.external_id, key.stamp, handing.sent_at, target.id AS target_id, coalesce(work.fence, 0) AS fence,
    target.delivered_at IS NOT NULL AND NOT target.block AND cardinality(target.grants) = 0
        AND jsonb_array_length(target.desired -> 'rights') = 0 AS is_empty,
    key.blocked_at IS NOT NULL AS is_blocked,
    EXISTS (SELECT FROM key_custody AS custody WHERE custody.key_id = key.id AND upper_inf(custody.known)
        AND custody.during @> $2::timestamptz) AS is_out
FROM key_return AS handing JOIN key_key AS key ON key.id = handing.key_id
JOIN key_target AS target ON target.key_id = key.id LEFT JOIN key_work AS work ON work.target_id = target.id
WHERE key.system_id = $1 AND handing.ended_at IS NULL ORDER BY handing.asked_at, key.id

-- name: return_sent
-- The vendor was told.
UPDATE key_return SET sent_at = $2, entry = $3 WHERE key_id = $1

-- name: return_ended
-- It is over: gone, or somebody got the key again.
UPDATE key_return SET ended_at = $2, gone = $3, entry = $4 WHERE key_id = $1 AND ended_at IS NULL

-- name: key_gone
-- A key that its maker's books no longer hold.
UPDATE key_key SET deleted = true, entry = $2 WHERE id = $1

-- name: stop_reading
-- Nobody asks the vendor for a key that is gone.
DELETE FROM key_work AS work USING key_target AS target WHERE target.id = work.target_id AND target.key_id = $1

-- name: is_returning
-- Whether the vendor was told that a key comes back for good.
SELECT true FROM key_return WHERE key_id = $1 AND sent_at IS NOT NULL AND ended_at IS NULL
