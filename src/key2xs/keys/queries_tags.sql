-- Statements about tags that name permits in the vendor's log.

-- name: tags_due
-- Keys whose tag says other permits than what is on them rests on. A tag comes off when its key was emptied, not before:
-- until then an opening may still be by that permit.
SELECT key.id, key.external_id, key.stamp, key.kind, coalesce(tag.value, '') AS value, wanted.value AS wanted
FROM key_target AS target
JOIN key_key AS key ON key.id = target.key_id
JOIN key_system AS system ON system.id = key.system_id AND system.writes
LEFT JOIN key_tag AS tag ON tag.key_id = key.id
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(DISTINCT permits.number, ', '), '') AS value FROM grant_permits AS permits
    WHERE permits.grant_id = ANY(target.grants)) AS wanted
WHERE target.system_id = $1 AND (cardinality(target.grants) > 0 OR tag.value <> '')
    AND key.adopted_at IS NOT NULL AND NOT key.deleted AND key.blocked_at IS NULL AND NOT key.id = ANY($2::uuid[])
    AND coalesce(tag.value, '') <> left(wanted.value, $3)
    AND CASE WHEN wanted.value = '' THEN target.delivered_at IS NOT NULL ELSE target.accepted_at IS NOT NULL END
ORDER BY key.id LIMIT $4

-- name: tag_of
-- What a key's tag says.
SELECT value FROM key_tag WHERE key_id = $1

-- name: put_tag
-- A tag as it was sent.
INSERT INTO key_tag (key_id, value, tagged_at, entry) VALUES ($1, $2, $3, $4)
ON CONFLICT (key_id) DO UPDATE SET value = excluded.value, tagged_at = excluded.tagged_at, entry = excluded.entry
