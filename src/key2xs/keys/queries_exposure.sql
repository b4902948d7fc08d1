-- Rights that were ended and what is left of them, for aggregates and the page *Exposure*.

-- name: ended_pairs
-- Keys at cylinders no grant covers any more, as answered last; also those that are over since. A key that was neither
-- adopted nor blocked holds rights from before: nothing of them was ended.
SELECT opener.key_id, key.stamp, opener.person_id, opener.cylinder_id, opener.kind, opener.exposed_until
FROM key_may_open AS opener JOIN key_key AS key ON key.id = opener.key_id
WHERE opener.gone_at = 'infinity' AND opener.kind IN ('bound', 'no_bound', 'proven_end')
    AND (key.adopted_at IS NOT NULL OR key.blocked_at IS NOT NULL)
    AND ($1::uuid[] IS NULL OR opener.cylinder_id = ANY($1))
    AND ($2::uuid[] IS NULL OR opener.person_id = ANY($2))
    AND ($3::uuid IS NULL OR opener.key_id = $3)
ORDER BY opener.key_id, opener.cylinder_id

-- name: keys_at
-- Keys that may open any of these cylinders, ended or not.
SELECT DISTINCT key_id FROM key_may_open
WHERE gone_at = 'infinity' AND cylinder_id = ANY($1::uuid[]) AND exposed_until > $2 ORDER BY key_id

-- name: worst_of_keys
-- The worst stored answer of keys, anywhere or at some cylinders.
SELECT key_id, bool_or(kind = 'no_bound') AS endless, max(exposed_until) FILTER (WHERE kind = 'bound') AS until
FROM key_may_open WHERE gone_at = 'infinity' AND key_id = ANY($1::uuid[]) AND kind IN ('bound', 'no_bound')
    AND ($2::uuid[] IS NULL OR cylinder_id = ANY($2))
GROUP BY key_id
